"""`darkroom compare --folds`: the kept results, those of the same images and folds beside each other."""

import pytest

from darkroom.base.files import remove
from darkroom.tools import compare_folds, fold_training, folds
from darkroom.tools.folds_result import FOLDER
from tests import make
from tests.tools import small_folds
from tests.tools.small_folds import here

__all__ = ["here"]


@pytest.fixture
def kept(here, monkeypatch, capsys):
    """Keeps a result with these parameters, in whose folds the images at these places are wrong."""

    def keep(wrong, count=3, **changes):
        def train(split, number, unlabelled, trained):
            small_folds.write(split, number, unlabelled, trained, wrong)

        monkeypatch.setattr(fold_training, "train", train)
        make.edit(here.params, {key.replace("__", "."): value for key, value in changes.items()})
        folds.run(count)
        capsys.readouterr()

    return keep


def shown(capsys, metric="accuracy"):
    compare_folds.show(metric)
    return capsys.readouterr().out


def test_results_of_the_same_folds_are_paired_with_the_best(kept, capsys):
    kept((0, 1, 2, 3, 4, 5), train__lr=0.1)
    kept((0,), train__lr=0.2)
    printed = shown(capsys)
    assert "mine: accuracy of 36 images in 3 folds" in printed
    assert " 1: train.lr=0.2\n 2: train.lr=0.1\n" in printed
    rows = [line.split() for line in printed.splitlines() if "mine-3-" in line]
    assert [row[3] for row in rows] == ["0.9167", "0.5000"]
    assert rows[0][-1] == "best"
    gap, low, high = (float(rows[1][at].strip("()")) for at in (-4, -3, -1))
    assert gap == pytest.approx(0.5 - 0.9167, abs=1e-4)
    assert low < gap < high < 0


def test_a_lower_loss_is_better(kept, capsys):
    kept((0, 1, 2, 3), train__lr=0.1)
    kept((0,), train__lr=0.2)
    assert " 1: train.lr=0.2\n" in shown(capsys, "log_loss")


def test_other_folds_have_a_table_of_their_own(kept, capsys):
    kept((0,), train__lr=0.1)
    kept((0,), count=2, train__lr=0.2)
    kept((0,), split__seed=1)
    assert shown(capsys).count("mine: accuracy of 36 images in ") == 3


def test_equal_predictions_have_a_gap_without_interval(kept, capsys):
    kept((0,), train__seed=1)
    kept((0,), train__seed=2)
    printed = shown(capsys)
    assert "+0.0000 (-)" in printed
    assert "all parameters equal" in printed


@pytest.mark.parametrize(
    ("results", "metric", "words"), [(0, "accuracy", "no result in folds"), (1, "speed", "log_loss")]
)
def test_what_cannot_be_compared_is_told(kept, results, metric, words):
    if results:
        kept((0,))
    assert words in make.refusal(lambda: compare_folds.show(metric))
    remove(FOLDER)
