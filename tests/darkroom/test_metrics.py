import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom import metrics

LABELS = np.array([0, 0, 1, 1, 2])
PROBABILITIES = np.array(
    [[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.3, 0.6, 0.1], [0.1, 0.2, 0.7]], dtype=np.float32
)
CLASSES = ["ant", "bee", "cow"]


def test_summary_by_hand():
    figures = metrics.summary(LABELS, PROBABILITIES)
    assert figures["images"] == 5
    assert figures["accuracy"] == 0.8
    assert figures["top3_accuracy"] == 1.0
    assert figures["log_loss"] == pytest.approx(-np.log([0.7, 0.2, 0.8, 0.6, 0.7]).mean(), abs=1e-4)
    assert figures["macro_f1"] == pytest.approx((2 / 3 + 0.8 + 1) / 3, abs=1e-4)


def test_certainty_in_the_wrong_class_costs_much_but_not_infinitely_much():
    assert 20 < metrics.losses(np.array([0]), np.array([[0.0, 1.0]], dtype=np.float32))[0] < 30


def test_the_report_has_four_digits_and_one_row_a_class():
    report, text = metrics.report(LABELS, PROBABILITIES, CLASSES)
    assert report["bee"] == {"precision": 0.6667, "recall": 1, "f1-score": 0.8, "support": 2}
    assert "0.6667" in text
    table = metrics.per_class(report, CLASSES)
    assert table["class"].tolist() == CLASSES
    assert table["images"].tolist() == [2, 2, 1]


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
    assert metrics.summary(labels, probabilities)["accuracy"] == pytest.approx(np.trace(matrix) / len(pairs), abs=1e-4)
