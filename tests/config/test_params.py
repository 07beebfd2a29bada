import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.config import params
from darkroom.config.catalogue import Entry
from darkroom.config.catalogue import load as load_entry
from darkroom.config.yaml_files import dump, flatten, read_yaml
from tests import make
from tests.conftest import ROOT

CONTENT = read_yaml(ROOT / "params.yaml")
DATASETS = ROOT / "datasets.yaml"
# What stages find out: the training from the machine, the split from the data set.
STAY_AUTO = (
    "train.device", "train.precision", "train.strategy", "train.accumulate", "split.use_given_test",
    "split.use_given_val",
)  # fmt: skip


def leaves(content, prefix=""):
    for key, value in content.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key


LEAVES = list(leaves(CONTENT))


def refusal():
    sentence = make.refusal(params.load)
    assert sentence is not None
    assert make.is_one_line(sentence)
    return sentence


@pytest.mark.parametrize("dataset", sorted(read_yaml(DATASETS)))
def test_the_parameters_fit_every_entry_of_the_catalogue(project, dataset):
    project.set(dataset=dataset)
    settings, entry = params.load()
    assert settings.dataset == dataset
    assert entry == load_entry(dataset)
    assert "auto" not in [value for key, value in flatten(settings).items() if key not in STAY_AUTO]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("extract.max_rejected", 1.5, "params.yaml: extract.max_rejected is 1.5, but must be less than or equal to 1"),
        ("extract.max_rejected", -0.1, "must be greater than or equal to 0"),
        ("extract.max_members", 0, "params.yaml: extract.max_members is 0, but must be greater than or equal to 1"),
        ("extract.threads", 1000, "params.yaml: extract.threads is 1000, but must be less than or equal to 256"),
        ("extract.max_pixels", "many", "params.yaml: extract.max_pixels is 'many', but must be integer"),
        ("split.test", 0, "params.yaml: split.test is 0, but must be greater than 0"),
        ("split.test", 1.0, "params.yaml: split.test is 1.0, but must be less than 1"),
        ("split.val", float("nan"), "params.yaml: split.val is nan, but must be "),
        ("train.l1", float("inf"), "params.yaml: train.l1 is inf, but must be "),
        ("train.clip", float("inf"), "params.yaml: train.clip is inf, but must be "),
        ("split.seed", -1, "params.yaml: split.seed is -1, but must be greater than or equal to 0"),
        ("split.seed", 2**32, "params.yaml: split.seed is 4294967296, but must be less than 4294967296"),
        ("split.use_given_val", 2, "split.use_given_val is 2, but must be boolean or the word auto"),
        ("split.near_duplicates", "apart", "split.near_duplicates is 'apart', but must be 'ignore' or 'together'"),
        ("split.stable", "yes", "split.stable is 'yes', but must be boolean or the word auto"),
        ("train.fraction", 0, "params.yaml: train.fraction is 0, but must be greater than 0"),
        ("train.fraction", 1.5, "params.yaml: train.fraction is 1.5, but must be less than or equal to 1"),
        ("split.use_given_test", "yes", "split.use_given_test is 'yes', but must be boolean or the word auto"),
        ("baseline.max_train", 5, "params.yaml: baseline.max_train is 5, but must be greater than or equal to 10"),
        ("model.kernel", 4, "kernel is 4, but must be odd"),
        ("model.layers", "32-64p", "params.yaml: model.layers is '32-64p', but must "),
        ("model.layers", "32-0P", "32-0P"),
        ("model.activation", "swish", "model.activation is 'swish', but must be 'relu', 'gelu', 'tanh' or 'sigmoid'"),
        ("model.hidden", 500, "params.yaml: model.hidden is 500, but must be list or the word auto"),
        ("model.hidden", [0], "params.yaml: model.hidden.0 is 0, but must be greater than or equal to 1"),
        ("train.lr", "fast", "params.yaml: train.lr is 'fast', but must be number or the word auto"),
        ("train.lr", 0, "params.yaml: train.lr is 0, but must be greater than 0"),
        ("train.epochs", 1.5, "params.yaml: train.epochs is 1.5, but must be integer"),
        ("train.epochs", None, "params.yaml: train.epochs is empty, but must be integer or the word auto"),
        ("train.epochs", True, "params.yaml: train.epochs is True, but must be integer"),
        ("train.device", "gpu", "params.yaml: train.device is 'gpu', but must "),
        ("augment", "flip", "params.yaml: augment is 'flip', but must be list or the word auto"),
        ("augment", [{"flipp": {}}], "params.yaml: augment.0.flipp is not a known key: did you mean flip?"),
        ("augment", [{"flip": {"p": 1}}], "params.yaml: augment.0.flip.p is not a known key: "),
        ("augment", [{"flip": {}, "shift": {"pixels": 1}}], "each item must name exactly one change"),
        ("augment", [{}], "each item must name exactly one change"),
        ("augment", [{"blur": {"sigma": [2, 1]}}], "sigma is [2.0, 1.0], but the first must not be above the second"),
        ("augment", [{"apply": {"changes": [{"flipp": {}}]}}], "augment.0.apply.changes.0.flipp is not a known"),
        ("augment", [{"apply": {"changes": [{"choose": {"changes": [{"turn": {}}, {"blurr": {}}]}}]}}], "mean blur?"),
        ("augment", [{"choose": {"changes": [{"flip": {}}, {"turn": {}}], "weights": [1]}}], "one number for each"),
        ("augment", [{"function": {"name": "mine"}}], "augment.0.function.name is 'mine', but must be"),
        ("evaluate.tta.changes", [{"flipp": {}}], "evaluate.tta.changes.0.flipp is not a known key: did you"),
        ("evaluate.tta.changes", [999], "params.yaml: evaluate.tta.changes.0 is 999, but must be"),
        ("train.freeze_epochs", 99, "train.freeze_epochs is 99, but must be at most train.epochs, which is 30"),
        ("train.freeze_statistics", True, "train.freeze_statistics is true, but model.weights is null: a network with"),
        ("train.precision", 16, "train.precision is '16', but must be 'auto', '32', 'bf16-mixed' or '16-mixed'"),
        ("train.schedule", "step", "train.schedule is 'step', but must be 'constant', 'linear', 'cosine', "),
        ("train.milestones", [0.5, 2], "params.yaml: train.milestones.1 is 2, but must be less than 1"),
        ("train.devices", 2, "portable is true, but then precision must be 32 or auto, devices and num_nodes 1"),
        ("model.weights", "DEFAULT", "but must be null where name is cnn: only networks of torchvision and timm have"),
        ("augment", [{"shift": {}}], "params.yaml: augment.0.shift.pixels is missing: add it"),
        ("tracking.experiment", "", "params.yaml: tracking.experiment is '', but must "),
        ("fetch.archive", "", "params.yaml: fetch.archive is '', but must "),
        ("fetch.archive", {"digits": "~nobody-here/a.zip"}, "home of a user who is not known here"),
        ("train.epoch", 5, "params.yaml: train.epoch is not a known key: did you mean epochs?"),
        ("epochs", 5, "params.yaml: epochs is not a known key: did you mean train.epochs?"),
        ("trian", {}, "params.yaml: trian is not a known key: did you mean train?"),
        ("train.lr", ..., "params.yaml: train.lr is missing: add `lr: auto` below train"),
        ("split", ..., "params.yaml: split is missing: add it"),
        ("split", 5, "params.yaml: split is 5, but must be "),
        ("split", None, "params.yaml: split is empty, but must be "),
        ("dataset", ..., "params.yaml: dataset is empty, but must be the name of an entry of datasets.yaml"),
        ("dataset", 7, "7 is no name for an entry: it must be letters, digits, - and _, and not a number alone"),
        ("model.name", "ResNet 18", "model.name is 'ResNet 18', but must be cnn, mlp, a classification model"),
        ("model.name", "own.network", "torchvision, timm/NAME, or own.module:function or the word auto"),
        ("model.name", "nets:mine", "model.name: nets:mine lies outside the folder own/, so that"),
        ("model.weights", "DEFAULT", "but must be null where name is cnn"),
        ("dataset", "mnits", "dataset is 'mnits', which datasets.yaml does not list: did you mean mnist?"),
        ("dataset", "_", "dataset is '_', which datasets.yaml does not list: known are digits, mnist, "),
    ],
)  # fmt: skip
def test_a_bad_value_names_key_value_and_what_is_allowed(project, key, value, says):
    make.edit(project.params, {key: value})
    assert says in refusal()


@pytest.mark.parametrize(
    ("key", "value", "reads"),
    [
        ("model.layers", 64, "64"),
        ("model.layers", "32P-64", "32P-64"),
        ("train.lr", 1, 1.0),
        ("train.device", "cuda:1", "cuda:1"),
        ("train.patience", 3, 3),
        ("train.precision", 32, "32"),
        ("model.name", "resnet18", "resnet18"),
        ("model.name", "own.network:residual", "own.network:residual"),
        ("model.hidden", [], []),
        ("augment", [], []),
        ("extract.max_rejected", 0, 0.0),
        ("fetch.archive", {"digits": "/a/b.zip", "mnist": None}, {"digits": "/a/b.zip", "mnist": None}),
        ("fetch.archive", None, {}),
    ],
)
def test_a_good_value_is_read(project, key, value, reads):
    make.edit(project.params, {key: value})
    place = params.load()[0]
    for part in key.split("."):
        place = getattr(place, part)
    assert place == reads
    assert type(place) is type(reads)


def test_a_learning_rate_as_dvc_writes_it_is_a_number(project):
    text = project.params.read_text(encoding="utf-8")
    project.params.write_text(text.replace("  lr: auto", "  lr: 1e-05", 1), encoding="utf-8")
    assert params.load()[0].train.lr == 1e-05


@pytest.mark.parametrize(
    ("images", "batch", "epochs", "lr"),
    [
        (None, 128, 10, 0.15),
        (25_200, 128, 10, 0.15),
        (2048, 128, 19, 0.15),
        (2047, 64, 10, 0.075),
        (300, 16, 16, 0.01875),
        (36, 8, 60, 0.009375),
        (4, 8, 100, 0.009375),
    ],
)
def test_few_images_get_small_batches_more_epochs_and_a_lower_rate(project, images, batch, epochs, lr):
    project.add(path="a.zip")
    train = params.load(images=images)[0].train
    assert (train.batch_size, train.epochs, train.lr) == (batch, epochs, lr)


def test_what_is_given_stays_however_few_the_images(project):
    project.add(path="a.zip", recipe={"train.epochs": 3})
    project.set(train__batch_size=32)
    train = params.load(images=20)[0].train
    assert (train.batch_size, train.epochs, train.lr) == (32, 3, 0.15 / 4)
    project.set(train__lr=0.5)
    assert params.load(images=20)[0].train.lr == 0.5


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_adam_has_a_rate_of_its_own(project, optimizer):
    project.add(path="a.zip")
    project.set(train__optimizer=optimizer)
    assert params.load()[0].train.lr == 0.002


SIMPLE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["auto", "cpu", "adam", "-1", "1e-05", "digits", "32P-64", "9999999"]),
    st.sampled_from([10**400, 2**63, 5e-324, float("inf"), float("nan")]),
)
VALUES = st.recursive(
    SIMPLE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SIMPLE, inner, max_size=3), max_leaves=4
)


def told_or_sound(params_file, datasets_file):
    """The files are refused in one line that names one of them, or accepted without a number that is none."""
    found = []
    sentence = make.refusal(lambda: found.append(params.load(params_file, datasets_file)))
    if sentence is not None:
        assert sentence.isprintable()
        assert str(params_file) in sentence or str(datasets_file) in sentence or "params.yaml" in sentence
    else:
        numbers = [value for value in flatten(found[0][0]).values() if isinstance(value, float)]
        assert all(map(math.isfinite, numbers))


@given(st.sampled_from([*LEAVES, *(key for key in CONTENT if isinstance(CONTENT[key], dict))]), VALUES | st.just(...))
def test_any_value_in_any_place_is_accepted_or_refused_in_one_line(tmp_path_factory, place, value):
    path = tmp_path_factory.mktemp("params") / "params.yaml"
    path.write_text(dump(CONTENT), encoding="utf-8")
    make.edit(path, {place: value})
    told_or_sound(path, DATASETS)


@pytest.mark.parametrize("key", LEAVES)
@pytest.mark.parametrize("value", [10**400, float("inf"), {"a": 1}])
def test_every_key_is_checked(project, key, value):
    make.edit(project.params, {key: value})
    told_or_sound(params.PARAMS, params.DATASETS)


@given(st.sampled_from(list(Entry.model_fields)), VALUES)
def test_any_value_in_an_entry_is_accepted_or_refused_in_one_line(tmp_path_factory, key, value):
    folder = tmp_path_factory.mktemp("params")
    content = {"digits": {"path": "a.zip", "train": "train", "channels": 1, "image_size": 8} | {key: value}}
    (folder / "datasets.yaml").write_text(dump(content), encoding="utf-8")
    told_or_sound(ROOT / "params.yaml", folder / "datasets.yaml")


def test_flatten_gives_dotted_keys_and_plain_values(project):
    project.set(train__patience=None, augment=[{"shift": {"pixels": 2}}])
    flat = flatten(params.load()[0])
    assert flat["dataset"] == "digits"
    assert flat["augment"] == [{"shift": {"pixels": 2}}]
    assert "train.patience" not in flat
    assert "train" not in flat


def first_version(project):
    """params.yaml with the keys that the first version had."""
    content = read_yaml(project.params)
    content["fetch"] = {"archive": None}
    for key in ("use_given_val", "near_duplicates", "stable"):
        del content["split"][key]
    del content["train"]["fraction"]
    project.params.write_text(dump(content), encoding="utf-8")


def test_all_keys_that_the_first_version_lacked_are_named_at_once_with_their_lines(project):
    committed, _ = params.load()
    first_version(project)
    assert refusal() == (
        "params.yaml: split.use_given_val, split.near_duplicates, split.stable, train.fraction are missing: add "
        "`use_given_val: auto`, `near_duplicates: ignore`, `stable: auto` below split, `fraction: 1.0` below train"
    )
    text = project.params.read_text(encoding="utf-8")
    for lines, section in re.findall(r"((?:`[^`]+`(?:, )?)+) below (\w+)", refusal()):
        for line in re.findall("`([^`]+)`", lines):
            text = text.replace(f"{section}:\n", f"{section}:\n  {line}\n")
    project.params.write_text(text, encoding="utf-8")
    found, _ = params.load()
    assert found == committed.model_copy(update={"fetch": found.fetch})


def test_a_missing_key_that_has_no_usual_value_is_named_beside_others(project):
    make.edit(project.params, {"train.l1": ..., "train.lr": ..., "tracking": ...})
    assert refusal() == (
        "params.yaml: train.lr, train.l1, tracking are missing: add `lr: auto`, `l1: ...` below train, "
        "`tracking: ...` at the top"
    )


def test_a_wrong_name_is_told_before_the_key_that_is_missing_for_it(project):
    first_version(project)
    make.edit(project.params, {"train.fractoin": 0.5})
    assert refusal() == "params.yaml: train.fractoin is not a known key: did you mean fraction?"


def test_a_key_that_is_missing_in_a_recipe_is_not_looked_for_in_the_parameters(project):
    make.edit(project.datasets, {"digits.recipe": {"augment": [{"shift": {}}]}})
    make.edit(project.params, {"train.l1": ...})
    assert refusal() == "datasets.yaml: digits.recipe.augment.0.shift.pixels is missing: add it"
    make.edit(project.datasets, {"digits.recipe": {}})
    assert refusal() == "params.yaml: train.l1 is missing: add it"
