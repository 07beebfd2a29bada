"""What search.yaml may say, and the sentence for what it may not."""

import pytest

from darkroom.config import params
from darkroom.config.yaml_files import read_yaml
from darkroom.tools import search_file
from tests import make
from tests.conftest import ROOT

SHIPPED = (ROOT / "search.yaml").read_text(encoding="utf-8")


@pytest.fixture
def read(project, tmp_path):
    """Reads search.yaml, with one piece of text in place of another."""
    _, entry = params.load()
    content = read_yaml(project.params)

    def run(old="", new=""):
        assert old in SHIPPED
        (tmp_path / "search.yaml").write_text(SHIPPED.replace(old, new, 1) if old else SHIPPED)
        return search_file.read(content, entry)

    return run


def test_the_shipped_file_is_read(read):
    found = read()
    assert (found.settings.figure, found.settings.lower_is_better, found.settings.seconds) == (
        "val_accuracy", False, None,
    )  # fmt: skip
    assert [key.name for key in found.space][:3] == ["train.epochs", "train.optimizer", "train.lr"]
    assert found.space[3].when == {"train.optimizer": ["sgd"]}


def test_a_range_is_of_whole_numbers_where_the_parameter_is(read):
    assert read("[6]", "{low: 2, high: 5}").space[0].whole
    assert not read("{low: 0.0, high: 0.2}", "{low: 0, high: 0.5}").space[5].whole


def test_the_name_of_a_monitor_is_a_metric_too(read):
    found = read("metric: accuracy", "metric: val_loss").settings
    assert (found.figure, found.lower_is_better) == ("val_loss", True)


@pytest.mark.parametrize(("text", "seconds"), [("90 s", 90), ("5min", 300), ("2 h", 7200)])
def test_the_time_has_a_unit(read, text, seconds):
    assert read("time: ", f"time: {text} #").settings.seconds == seconds


def test_values_that_fit_only_beside_others_are_allowed(read):
    assert read("train.epochs: [6]", "train.freeze_epochs: [20]\n  train.epochs: [30]").space[0].values == [20]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("metric: accuracy", "metrik: accuracy", "line 5: metrik is not a known key: did you mean metric?"),
        ("metric: accuracy", "metric: speed", "line 5: metric is 'speed', but must be 'accuracy', 'loss', "),
        ("time: ", "time: 3 days #", "line 7: time is '3 days', but must be text of the form "),
        ("[42, 43, 44]", "[42, 42]", "line 10: seeds: must be different: an equal seed repeats nothing"),
        ("high: 0.6", "high: 6000", "line 16: train.lr is 6000, but must be less than or equal to 1000"),
        ("low: 0.003", "low: 0.7", "line 16: train.lr has low 0.7 and high 0.6: low must be below high"),
        ("low: 0.003", "low: 0", "line 16: train.lr has log, which needs low above 0 and no step"),
        ("train.lr", "train.lrr", "line 16: train.lrr is not a key of params.yaml: did you mean train.lr?"),
        ("model.dropout", "train.dropout", "line 21: train.dropout is not a key of params.yaml: did you mean model"),
        ("[6]", "[0]", "line 14: train.epochs is 0, but must be greater than or equal to 1"),
        ("[6]", "6", "line 14: train.epochs is 6, but must be a list of values, or low and high"),
        ("train.epochs", "split.val", "line 14: split.val cannot be tried: a search tries keys of model, augment, tr"),
        ("train.epochs", "train.seed", "line 14: train.seed cannot be tried: it repeats the best trials: list its"),
        ("train.epochs: [6]", "model.kernel: [2]", "line 14: model: kernel is 2, but must be odd"),
        ("train.epochs: [6]", "augment: [[], [{hflip: {}}]]", "line 14: augment.0.hflip is not a known key"),
        ("step: 0.1", "stepp: 0.1", "line 21: model.dropout.stepp is not a known key: did you mean step?"),
        ("optimizer: sgd}", "optimizer: adam}", "line 17: train.momentum depends on train.optimizer being 'adam', w"),
        ("{train.optimizer: sgd}", "{model.layers: 1}", "line 17: train.momentum depends on model.layers, which must"),
    ],
)
def test_a_mistake_is_told_with_its_line(read, old, new, sentence):
    assert make.refusal(lambda: read(old, new)).startswith(f"search.yaml, {sentence}")


def test_without_the_file_it_is_told_where_to_be(project):
    assert make.refusal(search_file.settings).startswith("there is no search.yaml here")
