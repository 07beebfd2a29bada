import dataclasses
import io
import json
import math
import re
import warnings
from collections import OrderedDict

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from darkroom.augment import pipeline
from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.config.augmentations import Augmentation
from darkroom.config.params import load
from darkroom.drawing import charts
from darkroom.tools import checklist, checks, learning_rate_search
from darkroom.tools.commands import main
from darkroom.tools.learning_rate_search import RangeTest
from darkroom.training import processes
from darkroom.training.batches import Batches
from darkroom.training.recipe import Recipe
from tests import make
from tests.conftest import ROOT

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
CLASSES = 3
TRAIN = load(ROOT / paths.PARAMS, ROOT / paths.DATASETS)[0].train


def pictures(count=60, seed=0):
    """Images of three classes, told apart by which rows are bright, and their labels."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    images = generator.integers(0, 90, (count, 9, 9, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[3 * label : 3 * label + 3] += 120
    return images, labels


def batch(count=24, seed=0):
    images, labels = pictures(count, seed)
    return (torch.from_numpy(images).permute(0, 3, 1, 2).float() - 80) / 60, torch.from_numpy(labels)


def net(*features, head=None, seed=0, width=16):
    """A small convolutional network; `features` stand between its convolution and its head."""
    torch.manual_seed(seed)
    body = nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), *features, nn.AdaptiveMaxPool2d((3, 1)), nn.Flatten()
    )
    return nn.Sequential(OrderedDict(features=body, head=head or nn.Linear(3 * width, CLASSES)))


class Of(nn.Module):
    """Any function as a layer."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, values):
        return self.function(values)


def unchanged(network, before):
    now = network.state_dict()
    return all(torch.equal(now[name], value) for name, value in before.items())


def copied(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_a_check_is_one_line_with_its_word():
    lines = [str(checks.Check("name", passed, "text")) for passed in (True, False, None)]
    assert [line.split() for line in lines] == [[word, "name", "text"] for word in ("pass", "FAIL", "note")]


# Data


def test_images_must_have_the_shape_of_the_catalogue():
    images, _ = pictures(4)
    assert checks.shapes(images, (9, 9, 1), 3, 1).passed
    for wrong in (
        checks.shapes(images, (9, 9, 3), 3, 1),
        checks.shapes(images.astype(np.float32), (9, 9, 1), 3, 1),
        checks.shapes(images, (9, 9, 1), 4, 0),
    ):
        assert wrong.passed is False
        assert "dvc repro stats" in wrong.text


@pytest.mark.parametrize(
    ("train", "val", "passed", "says"),
    [
        ([0, 1, 2, 0], [0], True, "1 (b) to 2 (a)"),
        ([0, 1, 2, 3], [0], False, "from 0 to 3, but must go from 0 to 2"),
        ([0, 1, 2], [-1], False, "from -1 to 2"),
        ([0, 2, 2], [0], False, "no training image of b"),
        ([0] * 10 + [1] * 99 + [2] * 20, [0], True, "10 (a) to 99 (b)"),
        ([0] * 10 + [1] * 100 + [2] * 20, [0], None, "train.balanced"),
    ],
)
def test_labels_must_name_classes_that_have_images(train, val, passed, says):
    check = checks.class_counts(np.array(train), np.array(val), ["a", "b", "c"])
    assert check.passed is passed
    assert says in check.text


def test_many_empty_classes_are_counted_not_listed():
    check = checks.class_counts(np.array([0]), np.array([0]), [f"c{at}" for at in range(20)])
    assert check.text.startswith("no training image of c1, c2, c3, c4 and 15 more")


def test_one_class_alone_is_nothing_to_learn():
    assert checks.class_counts(np.array([0, 0]), np.array([0]), ["a"]).passed is False


def test_images_must_be_normalised_by_their_own_figures():
    images = torch.randn(64, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    assert checks.normalisation(images).passed
    for wrong in (images + 0.5, images * torch.tensor([1.0, 1.5])[:, None, None], 0 * images, images / 0):
        check = checks.normalisation(wrong)
        assert check.passed is False
        assert "dvc repro stats" in check.text
    assert "-0.00" not in checks.normalisation(images - images.mean((0, 2, 3), keepdim=True) - 1e-5).text


@given(st.lists(st.integers(0, 3), min_size=2, max_size=40), st.integers(1, 20), st.integers(0, 5))
def test_the_batch_to_be_learned_by_heart_holds_no_picture_twice(kinds, count, seed):
    images = np.zeros((len(kinds), 2, 2, 1), np.uint8)
    images[:, 0, 0, 0] = kinds
    labels = np.arange(len(kinds)) % 2  # copies contradict one another
    rows = np.arange(len(kinds))
    found = checks.distinct(images, rows, labels, count, seed)
    assert 1 <= len(found) <= count
    assert len({kinds[position] for position in found}) == len(found)
    assert found == checks.distinct(images, rows, labels, count, seed)


def test_rare_classes_are_in_the_batch_to_be_learned_by_heart():
    images, _ = pictures(300)
    labels = (np.arange(300) < 10).astype(np.int64)
    found = checks.distinct(images, np.arange(300), labels, 32, 0)
    assert 5 <= labels[found].sum() <= 10


# First weights


def test_a_logit_for_each_image_and_class():
    images, _ = batch()
    assert checks.outputs(net(), images, CLASSES).passed
    assert "24x3 for 24 images, but must be 24x4" in checks.outputs(net(), images, CLASSES + 1).text
    assert checks.outputs(net(head=Of(lambda x: x.flatten().view(-1, 3))), images, CLASSES).passed is False
    assert checks.outputs(net(Of(lambda x: x / 0)), images, CLASSES).passed is False


@pytest.mark.parametrize(
    "mixing",
    [
        lambda x: x - x.mean(0),
        lambda x: x + 0.01 * x.roll(1, 0),
        lambda x: x.cumsum(0),
        lambda x: x.flip(0).cumsum(0),
        lambda x: x / x.norm(),
        lambda x: nn.functional.batch_norm(x, None, None, training=True),
    ],
)
def test_a_network_that_mixes_the_images_of_a_batch_fails(mixing):
    images, _ = batch()
    assert checks.independence(net(Of(mixing)), images).passed is False


@pytest.mark.parametrize("layer", [nn.BatchNorm2d(16), nn.Dropout(0.5), nn.GroupNorm(4, 16), nn.Identity()])
def test_a_network_that_does_not_passes_and_stays_as_it_was(layer):
    images, _ = batch()
    network = net(layer)
    before = copied(network)
    assert checks.independence(network, images).passed
    assert unchanged(network, before)
    assert network.training


def test_the_first_loss_is_near_that_of_equal_chances_for_weights_of_the_right_scale():
    network = net(nn.BatchNorm2d(16))
    before = copied(network)
    loss, accuracy = checks.measure(network, [batch(), batch(seed=1)])
    assert checks.first_loss(loss, accuracy, CLASSES, 1 / 3).passed
    assert unchanged(network, before)


def test_a_head_with_huge_weights_fails():
    network = net()
    with torch.no_grad():
        network.head.weight.mul_(300)
    loss, accuracy = checks.measure(network, [batch()])
    check = checks.first_loss(loss, accuracy, CLASSES, 1 / 3)
    assert check.passed is False
    assert "badly scaled" in check.text


def test_the_first_loss_is_a_mean_over_images_not_batches():
    images, labels = batch(24)
    whole = checks.measure(net(), [(images, labels)])
    pieces = checks.measure(net(), [(images[:5], labels[:5]), (images[5:], labels[5:])])
    assert pieces == pytest.approx(whole)


@pytest.mark.parametrize(
    ("loss", "accuracy", "passed"),
    [
        (math.log(10), 0.1, True),
        (math.log(10) + 1.4, 0.0, True),
        (math.log(10) + 1.6, 0.1, None),
        (math.log(10) + 3.1, 0.1, False),
        (math.nan, 0.1, False),
        (0.1, 0.99, None),
        (2.0, 0.3, True),
    ],
)
def test_how_the_first_loss_is_judged(loss, accuracy, passed):
    assert checks.first_loss(loss, accuracy, 10, 0.2).passed is passed


def test_a_gradient_reaches_every_parameter_of_a_sound_network():
    network = net(nn.BatchNorm2d(16), nn.Dropout(0.1))
    before = copied(network)
    check = checks.gradients(network, [batch(), batch(seed=1)])
    assert check.passed
    assert "all 6 parameter tensors" in check.text
    assert unchanged(network, before)
    assert all(one.grad is None for one in network.parameters())


def test_layers_cut_off_from_the_loss_are_named():
    check = checks.gradients(net(Of(torch.Tensor.detach)), [batch()])
    assert check.passed is False
    assert "none reaches features.0.weight, features.0.bias" in check.text
    assert "head" not in check.text


def test_a_layer_that_is_left_out_is_named():
    head = nn.Linear(48, CLASSES)
    head.unused = nn.Linear(2, 2)
    check = checks.gradients(net(head=head), [batch()])
    assert "none reaches head.unused.weight, head.unused.bias, cut off" in check.text


def test_a_network_cut_off_as_a_whole_fails():
    check = checks.gradients(nn.Sequential(net(), Of(torch.Tensor.detach)), [batch()])
    assert "none reaches 0.features.0.weight" in check.text
    assert "there is no trainable parameter" in checks.gradients(net().requires_grad_(False), [batch()]).text


def test_dead_units_are_named():
    network = net()
    with torch.no_grad():
        network.features[0].bias.fill_(-100)
    check = checks.gradients(network, [batch()])
    assert check.passed is False
    assert "that of features.0.weight, features.0.bias, head.weight is zero" in check.text


def test_a_layer_most_of_whose_units_are_dead_is_noted():
    network = net()
    with torch.no_grad():
        network.features[0].bias[:10].fill_(-100)
    check = checks.gradients(network, [batch()])
    assert check.passed is None
    assert "features.0.weight" in check.text


def test_a_gradient_that_is_no_number_is_named():
    network = net(Of(lambda x: (x * 0).sqrt() + x))
    check = checks.gradients(network, [batch()])
    assert check.passed is False
    assert "features.0.weight, features.0.bias is not finite" in check.text


# One batch


@pytest.mark.parametrize("layers", [[], [nn.BatchNorm2d(16)], [nn.Dropout(0.9)]])
def test_one_batch_can_be_learned_by_heart_and_the_network_stays_as_it_was(layers):
    network = net(*layers)
    before = copied(network)
    steps = []
    check = checks.one_batch(network, *batch(), lambda: steps.append(1))
    assert check.passed
    assert f"24 images of 3 classes all right after {len(steps)} steps" in check.text
    assert unchanged(network, before)


def test_one_step_is_no_steps():
    class Bias(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = nn.Parameter(torch.tensor([0.0, 0.0005]))

        def forward(self, images):
            return self.bias.expand(len(images), 2)

    check = checks.one_batch(Bias(), torch.zeros(4, 1, 3, 3), torch.zeros(4, dtype=torch.int64))
    assert "4 images of 1 class all right after 1 step of Adam" in check.text


def test_shuffled_labels_can_be_learned_by_heart_too():
    images, labels = batch(24)
    mixed = labels[torch.randperm(24, generator=torch.Generator().manual_seed(1))]
    network = nn.Sequential(nn.Flatten(), nn.Linear(81, 64), nn.ReLU(), nn.Linear(64, CLASSES))
    assert checks.one_batch(network, images, mixed).passed


def test_a_network_without_features_cannot(monkeypatch):
    monkeypatch.setattr(checks, "STEPS", 20)
    check = checks.one_batch(net(Of(lambda x: 0 * x)), *batch(24))
    assert check.passed is False
    assert "at best 8 of 24 images" in check.text


@pytest.mark.parametrize("broken", [torch.Tensor.detach, lambda x: x * math.nan])
def test_a_network_that_cannot_be_trained_at_all_fails_at_once(broken):
    steps = []
    network = nn.Sequential(net(), Of(broken))
    assert checks.one_batch(network, *batch(), lambda: steps.append(1)).passed is False
    assert not steps


# Smoke run


def settings(project, **changes):
    chosen = {
        "epochs": 2, "batch_size": 16, "optimizer": "sgd", "lr": 0.05, "weight_decay": 0.0, "schedule": "cosine",
        "warmup": 0.2, "label_smoothing": 0.0, "mixup": 0.0, "ema": 0.0, "freeze_epochs": 0, "device": "cpu",
        "threads": 1, "portable": False, "precision": "32",
    } | changes  # fmt: skip
    project.set(**{f"train__{key}": value for key, value in chosen.items()})
    return load()[0].train


def ready(project, *, changes=(), turned=False, **chosen):
    """A training of the small network on the three classes; `turned` gives val labels that are always wrong."""
    wanted = settings(project, **chosen)
    images, labels = pictures(96)
    rows = {"train": np.arange(72), "val": np.arange(72, 96)}
    labels = {"train": labels[:72], "val": (labels[72:] + turned) % CLASSES}
    data = {name: Batches(images, rows[name], labels[name], CPU, memory_share=0.5) for name in rows}
    fabric = processes.fabric(wanted, CPU, "32")
    grey = torch.tensor([80.0])
    change = pipeline.build([Augmentation.model_validate(item) for item in changes], grey, grey)
    mean, std = torch.full((1, 1, 1), 80.0), torch.full((1, 1, 1), 60.0)
    network = net(nn.BatchNorm2d(16), nn.Dropout(0.1))
    return Recipe(fabric, network, mean, std, wanted, change), data


def range_test(recipe, data, *on_step):
    return learning_rate_search.range_test(recipe, data["train"], *on_step)


@pytest.mark.parametrize("epochs", [1, 9, 50])
def test_the_real_recipe_learns(project, epochs):
    steps = []
    recipe, data = ready(project, epochs=epochs)
    before = copied(recipe.network)
    check = checks.smoke_run(recipe, data, 5.0, 72, lambda: steps.append(1))
    assert check.passed, check.text
    assert len(steps) == 5 * min(12, epochs)
    assert f"for train.epochs {epochs}" in check.text
    assert unchanged(recipe.network, before)


def test_a_recipe_for_part_of_the_training_is_cut_to_the_smoke_run(project):
    chosen = {"epochs": 50, "freeze_epochs": 20, "patience": 1, "mixup": 0.2, "ema": 0.9, "schedule": "onecycle"}
    check = checks.smoke_run(*ready(project, changes=[{"shift": {"pixels": 1}}], **chosen), 5.0, 7200)
    assert "12 epochs on 72 of 7,200 images" in check.text


def test_a_head_that_is_trained_alone_all_through_is_so_in_the_smoke_run(project):
    recipe, data = ready(project, epochs=20, freeze_epochs=20, lr=0.5)
    check = checks.smoke_run(recipe, data, 5.0, 72)
    assert "12 epochs" in check.text
    assert check.passed


def test_batches_of_one_are_explained_where_batch_norm_cannot_have_them(project):
    head = nn.Sequential(nn.BatchNorm1d(48), nn.Linear(48, CLASSES))
    recipe, data = ready(project, batch_size=1)
    recipe = dataclasses.replace(recipe, network=net(head=head))
    with pytest.raises(UserError, match=r"raise train\.batch_size"):
        checks.smoke_run(recipe, data, 5.0, 72)


def test_a_rate_at_which_the_loss_rises_fails(project):
    check = checks.smoke_run(*ready(project, lr=300.0, warmup=0.0, schedule="constant"), 1.1, 72)
    assert check.passed is False
    assert "lower train.lr" in check.text


def test_a_single_epoch_is_set_against_the_loss_before_training(project):
    check = checks.smoke_run(*ready(project, epochs=1), 1e-4, 72)
    assert check.passed is False
    assert "the loss must fall" in check.text


def test_no_better_than_the_majority_class_fails(project):
    check = checks.smoke_run(*ready(project, turned=True, epochs=3), 5.0, 72)
    assert check.passed is False
    assert "it must beat the majority class" in check.text


@given(st.integers(1, 50_000), st.integers(1, 100), st.integers(1, 512))
def test_small_sets_get_more_epochs_but_never_more_than_the_training(count, epochs, size):
    wanted = TRAIN.model_copy(update={"epochs": epochs, "batch_size": size})
    found = checks.smoke_epochs(wanted, count)
    assert min(3, epochs) <= found <= epochs
    assert found * math.ceil(count / size) >= 60 or found == epochs


@given(st.integers(1, 50_000), st.integers(1, 20_000), st.integers(0, 3))
def test_large_sets_are_cut_to_a_share_of_both_splits(train, val, seed):
    rows = {"train": np.arange(train), "val": np.arange(train, train + val)}
    found = checks.smoke_rows(rows["train"], rows["val"], seed)
    assert len(found["train"]) == min(train, 10_000)
    assert min(val, 1_000) <= len(found["val"]) <= val
    for name in rows:
        assert (np.diff(found[name]) > 0).all()
        assert np.isin(found[name], rows[name]).all()
    if train <= 10_000:
        assert len(found["val"]) == val


# Learning rates


def parabola(lowest, deep=1.0):
    """A loss over six decades with its minimum at this rate."""
    rates = np.geomspace(1e-5, 10, 100)
    return RangeTest(rates.tolist(), (3 - deep + deep * 0.1 * np.log10(rates / lowest) ** 2).tolist())


@given(st.floats(1e-3, 1e-1))
def test_rates_from_a_tenth_of_the_lowest_to_the_lowest_are_suggested(lowest):
    low, high = parabola(lowest).suggestion
    assert high == pytest.approx(lowest, rel=0.2)
    assert low == pytest.approx(high / 10, rel=0.1)


def test_noise_does_not_move_the_suggestion_far():
    test = parabola(0.01)
    noise = np.random.default_rng(0).normal(0, 0.1, 100)
    low, high = RangeTest(test.rates, (np.array(test.losses) + noise).tolist()).suggestion
    assert 0.003 < high < 0.03
    assert low < high


@pytest.mark.parametrize(
    "test",
    [RangeTest([], []), RangeTest([1e-5], [2.0]), RangeTest([0.1, 0.2], [2.0, 9.0]), parabola(1e-1, deep=0.01)],
)
def test_nothing_is_suggested_where_no_rate_lowers_the_loss(test, project):
    assert test.suggestion is None
    check = checks.learning_rate(test, settings(project))
    assert check.passed is None
    assert "no rate lowered the loss" in check.text


@pytest.mark.parametrize(
    ("lr", "says"),
    [
        (0.005, "between them"),
        (0.05, "within a factor of 10"),
        (0.0002, "within a factor of 10"),
        (3.0, "times as high: training may diverge"),
        (1e-6, "times as low"),
    ],
)
def test_the_present_rate_is_set_against_the_suggestion_as_a_note(project, lr, says):
    check = checks.learning_rate(parabola(0.01), settings(project, lr=lr))
    assert check.passed is None
    assert says in check.text
    assert f"train.lr {lr:g} is " in check.text


RECIPES = {
    "sgd": {},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.01},
    "parts": {"accumulate": 3, "clip": 1.0, "max_norm": 2.0, "l1": 1e-5},
    "mixed": {"mixup": 0.2, "cutmix": 1.0, "label_smoothing": 0.1, "balanced": True},
    "weighted": {"class_weights": True, "optimizer": "adam"},
    "frozen": {"freeze_epochs": 1},
}


@pytest.mark.parametrize("name", RECIPES)
def test_the_range_test_runs_with_every_recipe_and_finds_rates_that_learn(project, name):
    recipe, data = ready(project, changes=[{"shift": {"pixels": 1}}], **RECIPES[name])
    before = copied(recipe.network)
    steps = []
    test = range_test(recipe, data, lambda: steps.append(1))
    assert len(steps) <= len(test.rates) == len(test.losses) <= learning_rate_search.STEPS
    assert np.isfinite(test.losses).all()
    assert np.allclose(np.diff(np.log(test.rates)), np.log(test.rates[1] / test.rates[0]))
    assert test.suggestion
    assert unchanged(recipe.network, before)


def test_two_range_tests_are_alike_and_another_seed_gives_another(project):
    tests = [range_test(*ready(project, mixup=0.2, seed=seed)) for seed in (1, 1, 2)]
    assert tests[0] == tests[1]
    assert tests[0].losses != tests[2].losses


def test_the_range_test_ends_where_the_loss_has_grown_fourfold(project):
    test = range_test(*ready(project))
    smoothed = test.smoothed
    assert len(test.rates) < learning_rate_search.STEPS
    assert smoothed[-1] > learning_rate_search.DIVERGED * smoothed.min()


def test_the_range_test_ends_where_the_loss_is_no_number(project):
    recipe, data = ready(project)
    with torch.no_grad():
        recipe.network.head.weight.fill_(math.nan)
    assert range_test(recipe, data).rates == []


def test_the_range_test_ends_where_a_clipped_gradient_is_no_number(project):
    recipe, data = ready(project, clip=1.0)
    recipe.network.features.append(Of(lambda values: values + values.mul(0).sqrt()))  # infinite slope
    assert len(range_test(recipe, data).rates) == 1


@pytest.mark.parametrize("lr", [1e-9, 900.0])
def test_the_range_holds_the_present_rate(project, lr):
    test = range_test(*ready(project, lr=lr))
    growth = test.rates[1] / test.rates[0]
    assert test.rates[0] < lr < test.rates[0] * growth ** (learning_rate_search.STEPS - 1)


@pytest.mark.parametrize("test", [parabola(0.01), RangeTest([1e-5], [2.0]), RangeTest([0.1, 0.2], [2.0, 900.0])])
def test_the_picture_can_be_drawn(test):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = charts.learning_rates(test.rates, test.losses, test.smoothed, test.suggestion, 0.15)
        figure.savefig(io.BytesIO(), format="png")
    assert "$" not in "".join(label.get_text() for label in figure.axes[0].get_xticklabels())


# The command


def packed(project, count=120, **changes):
    """The packed data set of the three classes, as the stages up to `stats` would leave it."""
    project.add(path="archive.zip", image_size=9)
    images, labels = pictures(count)
    split = np.where(np.arange(count) % 10 < 7, "train", "val")
    for path in (paths.IMAGES, paths.SPLIT, paths.STATS):
        path.parent.mkdir(parents=True, exist_ok=True)
    np.save(paths.IMAGES, images)
    make.index_of(labels.tolist()).to_parquet(paths.INDEX)
    paths.CLASSES.write_text(json.dumps(["a", "b", "c"]))
    pd.DataFrame({"row": range(count), "split": split}).to_parquet(paths.SPLIT)
    known = images[split == "train"] / 255
    stats = {"mean": [known.mean()], "std": [known.std()], "border": [0.2], "split": "train"}
    paths.STATS.write_text(json.dumps(stats))
    settings(project, **changes)
    project.set(model__layers="16P-16", model__batch_norm=True, augment=[{"shift": {"pixels": 1}}])


def run(capsys):
    """Exit code and lines of the command."""
    try:
        main(["check"])
        code = 0
    except SystemExit as left:
        code = left.code
    return code, capsys.readouterr().out.splitlines()


def files():
    return {path for path in paths.PARAMS.parent.rglob("*") if path.is_file()}


def test_the_check_list_passes_twice_alike_and_writes_its_picture_alone(project, capsys):
    packed(project, epochs=3)
    before = files()
    code, lines = run(capsys)
    assert code == 0, lines
    words = [line.split("  ")[0] for line in lines[:-2]]
    assert words == ["pass"] * 9 + ["note"]
    assert lines[-2] == f"no check failed; wrote {checklist.PICTURE}"
    assert re.search(r"^next: dvc exp run; .*-S train\.lr=[\d.e-]+,[\d.e-]+$", lines[-1])
    assert files() - before == {checklist.PICTURE}
    picture = checklist.PICTURE.read_bytes()
    again = run(capsys)[1]
    assert [line.partition(";")[0] for line in again] == [line.partition(";")[0] for line in lines]
    assert checklist.PICTURE.read_bytes() == picture


def test_a_failure_gives_exit_code_1_and_the_other_checks_are_made(project, capsys):
    packed(project, epochs=1, lr=500.0, warmup=0.0)
    code, lines = run(capsys)
    assert code == 1
    assert len(lines) == 12
    assert lines[-2].startswith("1 of 10 checks failed: smoke run; wrote")


def test_several_processes_are_not_asked_for(project, capsys):
    packed(project, epochs=1, devices=4, num_nodes=2, strategy="ddp")
    assert run(capsys)[0] == 0


@pytest.mark.parametrize("change", [{"image_size": 8}, {"channels": 3, "image_size": 9}])
def test_data_of_another_shape_ends_the_list(project, capsys, change):
    packed(project)
    project.add(path="archive.zip", **change)
    code, lines = run(capsys)
    assert code == 1
    assert len(lines) == 3
    assert lines[0].startswith("FAIL  data")
    assert "nothing was written" in lines[1]
    assert not checklist.PICTURE.exists()


def test_labels_beyond_the_classes_end_the_list(project, capsys):
    packed(project)
    paths.CLASSES.write_text(json.dumps(["a", "b"]))
    code, lines = run(capsys)
    assert (code, len(lines)) == (1, 4)
    assert lines[1].startswith("FAIL  labels")


def test_figures_of_other_images_are_found(project, capsys):
    packed(project, epochs=1)
    paths.STATS.write_text(json.dumps({"mean": [0.9], "std": [0.1], "border": [0.2], "split": "train"}))
    code, lines = run(capsys)
    assert code == 1
    assert lines[2].startswith("FAIL  normalisation")


@pytest.mark.parametrize("file", [paths.IMAGES, paths.SPLIT, paths.STATS])
def test_what_is_missing_is_named(project, file):
    packed(project)
    file.unlink()
    sentence = make.refusal(lambda: main(["check"]))
    assert make.is_one_line(sentence)
    assert f"there is no {file}" in sentence
    assert "dvc repro stats" in sentence


def test_without_any_data_the_sentence_is_still_one(project):
    with pytest.raises(UserError, match="dvc repro stats"):
        main(["check"])
