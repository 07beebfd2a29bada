import numpy as np
import pytest
from scipy import stats

from darkroom.analysis import metrics
from darkroom.dataset import scores
from darkroom.tools import fold_statistics


def predictions(right, sure=0.8):
    """Labels and probabilities of two classes, of which these are right."""
    labels = np.arange(len(right)) % 2
    best = np.where(right, labels, 1 - labels)
    probabilities = np.full((len(right), 2), 1 - sure, np.float32)
    probabilities[np.arange(len(right)), best] = sure
    return labels, probabilities


def some(count, share=0.7, seed=0):
    return np.random.default_rng(seed).random(count) < share


def ends(figure):
    return figure.low, figure.high


def test_the_figures():
    labels, probabilities = predictions(np.array([True, True, True, False]))
    found = fold_statistics.figures(labels, probabilities)
    assert found["accuracy"] == 0.75
    assert found["log_loss"] == pytest.approx(-(3 * np.log(0.8) + np.log(0.2)) / 4, rel=1e-5)


def test_of_images_that_are_not_tied_the_interval_of_a_mean_is_students():
    right = some(60)
    labels, probabilities = predictions(right)
    found = fold_statistics.with_intervals(labels, probabilities, np.arange(60))
    half = stats.t.ppf(0.975, 59) * right.std(ddof=1) / 60**0.5
    assert ends(found["accuracy"]) == pytest.approx((right.mean() - half, right.mean() + half), abs=1e-6)
    losses = scores.losses(labels, probabilities)
    half = stats.t.ppf(0.975, 59) * losses.std(ddof=1) / 60**0.5
    assert ends(found["log_loss"]) == pytest.approx((losses.mean() - half, losses.mean() + half), abs=1e-6)


def test_an_interval_holds_ends_at_zero_but_for_kappa():
    labels, probabilities = predictions(np.arange(20) == 3)
    found = fold_statistics.with_intervals(labels, probabilities, np.arange(20))
    assert found["accuracy"].low == 0
    assert all(figure.low is None or figure.low >= (-1 if "kappa" in name else 0) for name, figure in found.items())


def test_tied_images_count_as_one_picture():
    labels, probabilities = predictions(np.repeat(some(40), 2))
    once = fold_statistics.with_intervals(labels[::2], probabilities[::2], np.arange(40))
    labels[1::2], probabilities[1::2] = labels[::2], probabilities[::2]
    tied = fold_statistics.with_intervals(labels, probabilities, np.arange(80) // 2)
    alone = fold_statistics.with_intervals(labels, probabilities, np.arange(80))
    assert tied["accuracy"] == once["accuracy"]
    assert tied["accuracy"].low < alone["accuracy"].low


def test_many_units_are_left_out_in_groups_with_an_interval_of_nearly_the_same_width():
    right = some(5000)
    labels, probabilities = predictions(right)
    found = fold_statistics.with_intervals(labels, probabilities, np.arange(5000))["accuracy"]
    half = 1.96 * right.std() / 5000**0.5
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.25)
    assert (found.high + found.low) / 2 == pytest.approx(right.mean(), abs=1e-6)


@pytest.mark.parametrize("right", [True, False])
def test_where_no_image_varies_the_interval_is_wilsons_over_units(right):
    labels, probabilities = predictions(np.full(40, right))
    found = fold_statistics.with_intervals(labels, probabilities, np.arange(40) // 2)
    assert ends(found["accuracy"]) == pytest.approx(metrics.wilson_interval(20 * right, 20), abs=1e-6)
    assert ends(found["log_loss"]) == (None, None)


def test_a_difference_is_paired_image_by_image():
    ours, others = some(60), some(60, seed=1)
    labels, first = predictions(ours)
    _, second = predictions(others)
    found = fold_statistics.differences(labels, first, second, np.arange(60))["accuracy"]
    gaps = ours.astype(float) - others
    half = stats.t.ppf(0.975, 59) * gaps.std(ddof=1) / 60**0.5
    assert found.value == pytest.approx(gaps.mean(), abs=1e-6)
    assert ends(found) == pytest.approx((gaps.mean() - half, gaps.mean() + half), abs=1e-6)


def test_equal_predictions_have_no_interval_of_their_difference():
    labels, probabilities = predictions(some(60))
    found = fold_statistics.differences(labels, probabilities, probabilities, np.arange(60))["accuracy"]
    assert (found.value, *ends(found)) == (0, None, None)


def test_an_interval_holds_possible_values_alone():
    labels, probabilities = predictions(np.arange(30) > 0, sure=0.999)
    found = fold_statistics.with_intervals(labels, probabilities, np.arange(30))
    assert found["accuracy"].high == 1
    assert found["log_loss"].low == 0
