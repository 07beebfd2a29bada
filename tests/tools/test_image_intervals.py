import numpy as np
import pandas as pd
import pytest

from darkroom.dataset.scores import SCORES
from darkroom.tools import comparison_statistics, image_intervals
from darkroom.tools.image_intervals import Kept

GENERATOR = np.random.default_rng(0)
LABELS = GENERATOR.integers(0, 3, 200)


def kept(skill, labels=LABELS, seed=1, rows=None):
    """Predictions of which a share of about `skill` is right."""
    generator = np.random.default_rng(seed)
    scores = generator.random((len(labels), 3))
    scores[np.arange(len(labels)), labels] += np.where(generator.random(len(labels)) < skill, 1, 0)
    rows = np.arange(len(labels)) if rows is None else rows
    return Kept(rows, labels, scores / scores.sum(axis=1, keepdims=True))


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(image_intervals, "RESAMPLES", 100)


@pytest.fixture
def lines(monkeypatch):
    """Runs `lines` over configurations, best first: by name, seeds and what each run has kept."""

    def run(figure="accuracy", **configurations):
        rows = [
            {"name": f"{name}{seed}", "configuration": name, "seeds": seed, "val": 0.9 - place / 10, "test": 0.5}
            for place, (name, (seeds, _)) in enumerate(configurations.items())
            for seed in seeds
        ]
        runs = pd.DataFrame(rows).assign(seconds=np.nan, epochs=3.0)
        table = comparison_statistics.compare(runs, "val")
        found = {f"{name}{seed}": item for name, (seeds, item) in configurations.items() for seed in seeds}
        monkeypatch.setattr(image_intervals, "predictions", lambda revision, split: found[revision.removeprefix("r:")])
        return image_intervals.lines(table, runs, {name: f"r:{name}" for name in found}, "val", figure)

    return run


def test_a_single_run_has_the_interval_of_its_gap(lines):
    head, line = lines(best=("0", kept(0.9)), other=("0", kept(0.4)))
    assert "paired bootstrap" in head
    gap = SCORES["accuracy"].of(LABELS, kept(0.4).probabilities) - SCORES["accuracy"].of(
        LABELS, kept(0.9).probabilities
    )
    assert line.startswith(f" b against a: {gap:+.4f}, 95 % interval -0.")
    low, high = (float(text) for text in line.partition("interval ")[2].split(" to "))
    assert low < gap < high < 0
    assert lines(best=("0", kept(0.9)), other=("0", kept(0.4))) == [head, line]


def test_a_single_run_is_compared_with_the_best_of_several(lines):
    assert lines(best=("01", kept(0.9)), other=("1", kept(0.4)))[1].startswith(" a against 1: -0.")


def test_of_several_runs_none_is_needed(lines):
    assert lines(best=("012", None), other=("01", None)) == []
    assert lines(best=("0", None)) == []


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (("0", None), "DVC does not have data/predictions.parquet of both"),
        (("1", kept(0.4)), "no common seed"),
        (("0", kept(0.4, rows=np.arange(1, 201))), "the images or their labels differ"),
        (("0", kept(0.4, labels=LABELS[::-1])), "the images or their labels differ"),
    ],
)
def test_where_there_is_no_interval_the_line_says_why(lines, other, why):
    assert lines(best=("0", kept(0.9)), other=other)[1] == f" b against a: no interval, {why}"


def test_figures_that_are_no_score_have_none(lines):
    assert lines("ece", best=("0", None), other=("0", None)) == ["single runs: there is no interval for ece"]


@pytest.mark.parametrize("name", SCORES)
def test_equal_predictions_have_no_gap(name):
    probabilities = kept(0.7).probabilities
    assert image_intervals.gap_interval(SCORES[name], LABELS, probabilities, probabilities) == (0, 0)


def test_the_interval_of_a_mean_is_about_that_of_the_normal_distribution():
    ours, other = kept(0.8).probabilities, kept(0.6, seed=2).probabilities
    gaps = (ours.argmax(1) == LABELS).astype(float) - (other.argmax(1) == LABELS)
    low, high = image_intervals.gap_interval(SCORES["accuracy"], LABELS, ours, other)
    half = 1.96 * gaps.std() / len(gaps) ** 0.5
    assert (low, high) == pytest.approx((gaps.mean() - half, gaps.mean() + half), abs=0.3 * half)


def test_resamples_without_a_second_class_do_not_count():
    labels, probabilities = np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]])
    interval = image_intervals.gap_interval(SCORES["auc"], labels, probabilities, probabilities[:, ::-1])
    assert np.isfinite(interval).all()
    assert np.isnan(image_intervals.gap_interval(SCORES["auc"], labels[:2], probabilities[:2], probabilities[:2])).all()


def test_predictions_are_read_from_the_revision_in_the_order_of_the_rows(monkeypatch, tmp_path):
    file = tmp_path / "predictions.parquet"
    rows = {"row": [5, 2, 3], "split": ["val", "val", "test"], "label": [1, 0, 0]}
    pd.DataFrame(rows | {"probabilities": [[0.1, 0.9], [0.7, 0.3], [0.5, 0.5]]}).to_parquet(file)
    asked = []

    def opened(path, rev, mode):
        asked.append((path, rev))
        return file.open(mode)

    monkeypatch.setattr("dvc.api.open", opened)
    found = image_intervals.predictions("abc", "val")
    assert asked == [("data/predictions.parquet", "abc")]
    assert (found.rows.tolist(), found.labels.tolist()) == ([2, 5], [0, 1])
    assert found.probabilities.tolist() == [[0.7, 0.3], [0.1, 0.9]]
    file.unlink()
    assert image_intervals.predictions("abc", "val") is None
