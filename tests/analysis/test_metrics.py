import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.analysis import metrics

LABELS = np.array([0, 0, 1, 1, 2])
PROBABILITIES = np.array(
    [[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.3, 0.6, 0.1], [0.1, 0.2, 0.7]], dtype=np.float32
)
CLASSES = ["ant", "bee", "cow"]


def summary(labels, probabilities, uncalibrated):
    return metrics.summary(labels, probabilities, uncalibrated, metrics.ranking(labels, probabilities))


def test_summary_by_hand():
    figures = summary(LABELS, PROBABILITIES, PROBABILITIES)
    assert figures["images"] == 5
    assert figures["accuracy"] == 0.8
    assert figures["top3_accuracy"] is None  # of three classes the first three are all
    assert figures["log_loss"] == pytest.approx(-np.log([0.7, 0.2, 0.8, 0.6, 0.7]).mean(), abs=1e-4)
    assert figures["macro_f1"] == pytest.approx((2 / 3 + 0.8 + 1) / 3, abs=1e-4)
    assert figures["weighted_f1"] == pytest.approx((2 * 2 / 3 + 2 * 0.8 + 1) / 5, abs=1e-4)
    assert figures["balanced_accuracy"] == pytest.approx((1 / 2 + 1 + 1) / 3, abs=1e-4)
    # Agreement by chance: true shares 2/5, 2/5, 1/5 times predicted 1/5, 3/5, 1/5.
    assert figures["cohen_kappa"] == pytest.approx((0.8 - 9 / 25) / (1 - 9 / 25), abs=1e-4)
    # Pairs in the right order: of the first class 5 of 6, of the second 5 of 6 (0.7 lies above 0.6), of the third all.
    assert figures["roc_auc"] == pytest.approx((5 / 6 + 5 / 6 + 1) / 3, abs=1e-4)
    assert figures["average_precision"] == pytest.approx(((1 + 2 / 3) / 2 + (1 + 2 / 3) / 2 + 1) / 3, abs=1e-4)


def test_top_3_by_hand():
    probabilities = np.array([[0.4, 0.3, 0.2, 0.1]] * 4, dtype=np.float32)
    assert summary(np.arange(4), probabilities, probabilities)["top3_accuracy"] == 0.75


def test_the_report_has_four_digits_and_one_row_a_class():
    report, text = metrics.report(LABELS, PROBABILITIES, CLASSES)
    assert report["bee"] == {"precision": 0.6667, "recall": 1, "f1-score": 0.8, "support": 2}
    assert "0.6667" in text
    table = metrics.per_class(LABELS, PROBABILITIES, metrics.ranking(LABELS, PROBABILITIES), CLASSES)
    assert list(table) == ["class", "precision", "recall", "f1", "images", "roc_auc", "average_precision"]
    assert table["class"].tolist() == CLASSES
    assert table["images"].tolist() == [2, 2, 1]
    assert table["roc_auc"].tolist() == [0.8333, 0.8333, 1]


@pytest.mark.parametrize("names", [["accuracy", "macro avg", "weighted avg"], ["micro avg", "split", "samples avg"]])
def test_a_class_named_like_an_average_keeps_its_own_figures(names):
    ranking = metrics.ranking(LABELS, PROBABILITIES)
    table = metrics.per_class(LABELS, PROBABILITIES, ranking, names)
    assert table["class"].tolist() == names
    assert table.drop(columns="class").equals(
        metrics.per_class(LABELS, PROBABILITIES, ranking, CLASSES).drop(columns="class")
    )
    assert table["f1"].tolist() == [0.6667, 0.8, 1]


def test_a_class_without_images_is_still_listed():
    report, _ = metrics.report(np.array([0, 1]), PROBABILITIES[:2], CLASSES)
    assert report["cow"]["support"] == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=50))
def test_the_confusion_matrix_counts_every_image(pairs):
    labels = np.array([true for true, _ in pairs])
    probabilities = np.eye(4, dtype=np.float32)[[predicted for _, predicted in pairs]]
    matrix = metrics.confusion(labels, probabilities)
    assert matrix.sum() == len(pairs)
    assert all(matrix[true, predicted] == pairs.count((true, predicted)) for true, predicted in pairs)
    found = summary(labels, probabilities, probabilities)
    assert found["accuracy"] == pytest.approx(np.trace(matrix) / len(pairs), abs=1e-4)


def random(count, classes, seed=0, sharp=3.0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, count)
    logits = generator.normal(size=(count, classes))
    logits[np.arange(count), labels] += sharp
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return labels, probabilities.astype(np.float32)


@pytest.mark.parametrize(("count", "classes"), [(1, 2), (1, 10), (3, 200), (60, 2), (400, 200)])
def test_any_number_of_images_and_classes_has_figures_and_no_warnings(count, classes):
    labels, probabilities = random(count, classes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = summary(labels, probabilities, probabilities)
        json.dumps(figures, allow_nan=False)
        assert metrics.reliability(labels, probabilities)["images"].sum() == count
        assert metrics.coverage(labels, probabilities)["coverage"].iloc[0] == 1
    assert figures["images"] == count
    assert figures["accuracy_low"] <= figures["accuracy"] <= figures["accuracy_high"]


def test_what_one_image_cannot_tell_is_null():
    figures = summary(LABELS[:1], PROBABILITIES[:1], PROBABILITIES[:1])
    undefined = {name for name, value in figures.items() if value is None}
    assert undefined == {"top3_accuracy", "cohen_kappa", "quadratic_kappa", "roc_auc", "average_precision"}
    assert figures["accuracy"] == figures["balanced_accuracy"] == figures["macro_f1"] == 1


def test_a_class_without_images_is_left_out_of_the_means():
    some = summary(LABELS, PROBABILITIES, PROBABILITIES)
    wider = np.concatenate([PROBABILITIES, np.zeros((5, 2), np.float32)], axis=1)
    assert summary(LABELS, wider, wider) == some | {"top3_accuracy": 1.0}
    assert np.isnan(metrics.ranking(LABELS, wider).loc[3:]).all(axis=None)


def test_the_bootstrap_interval_is_near_the_normal_one_and_repeats():
    low, high = metrics.accuracy_interval(800, 1000)
    half = 1.96 * math.sqrt(0.16 / 1000)
    assert (low, high) == pytest.approx((0.8 - half, 0.8 + half), abs=2e-3)
    assert metrics.accuracy_interval(800, 1000) == (low, high)


def test_the_draws_are_a_bootstrap_over_images():
    right = np.arange(60) < 45
    generator = np.random.default_rng(1)
    resampled = right[generator.integers(0, 60, (20_000, 60))].mean(axis=1)
    assert metrics.accuracy_interval(45, 60) == pytest.approx(np.quantile(resampled, [0.025, 0.975]), abs=0.02)


@pytest.mark.parametrize(("right", "expected"), [(360, (0.9894, 1)), (0, (0, 0.0106))])
def test_all_right_is_no_certainty(right, expected):
    assert metrics.accuracy_interval(right, 360) == pytest.approx(expected, abs=1e-4)


def test_reliability_by_hand():
    labels = np.array([0, 1, 0, 0])
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [1, 0]], np.float32)
    table = metrics.reliability(labels, probabilities)
    assert len(table) == 15
    filled = table[table["images"] > 0]
    assert filled["images"].tolist() == [1, 2, 1]
    assert filled["accuracy"].tolist() == [1, 0.5, 1]
    assert filled["confidence"].tolist() == pytest.approx([0.6, 0.9, 1])
    assert ((filled["low"] < filled["confidence"]) & (filled["confidence"] <= filled["high"] + 1e-6)).all()
    assert metrics.calibration_error(table) == pytest.approx((1 * 0.4 + 2 * 0.4 + 0) / 4)


@given(st.integers(1, 200), st.integers(2, 6), st.integers(0, 1000))
def test_the_calibration_error_lies_between_the_mean_gap_and_one(count, classes, seed):
    labels, probabilities = random(count, classes, seed)
    gap = abs(probabilities.max(axis=1).mean() - (probabilities.argmax(axis=1) == labels).mean())
    assert gap - 1e-6 <= metrics.calibration_error(metrics.reliability(labels, probabilities)) <= 1


@given(st.integers(1, 300), st.integers(2, 5), st.integers(0, 1000))
def test_coverage_is_what_its_thresholds_say(count, classes, seed):
    labels, probabilities = random(count, classes, seed)
    table = metrics.coverage(labels, probabilities)
    assert len(table) <= 50
    assert table["threshold"].is_monotonic_increasing
    right = probabilities.argmax(axis=1) == labels
    assert table["coverage"].iloc[0] == 1
    for threshold, share, accuracy in table.itertuples(index=False):
        kept = probabilities.max(axis=1).astype(float) >= threshold
        assert share == pytest.approx(kept.mean(), abs=1e-6)
        assert accuracy == pytest.approx(right[kept].mean(), abs=1e-6)


def test_the_surer_half_is_right_more_often():
    table = metrics.coverage(*random(4000, 10, sharp=2.0))
    assert table["accuracy"].iloc[25] > table["accuracy"].iloc[0] + 0.05


def test_mcnemar_by_hand():
    ours = np.array([True] * 8 + [False] * 3)
    other = np.array([True] * 2 + [False] * 6 + [True] + [False] * 2)
    # Six against one: twice the chance of at most one of seven.
    assert metrics.mcnemar(ours, other) == {"only_ours_right": 6, "only_other_right": 1, "p_value": 0.125}
    assert metrics.mcnemar(ours, ours) == {"only_ours_right": 0, "only_other_right": 0, "p_value": 1}
