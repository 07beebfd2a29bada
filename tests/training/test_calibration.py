import numpy as np
import pytest
import torch
from torch.nn import functional

from darkroom.training import calibration


def drawn(count=5000, classes=5, temperature=1.0, seed=0):
    """Logits, and labels drawn from their softmax at a temperature: the one that a fit should find."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 3, (count, classes))
    # Gumbel's trick: the largest of logits plus noise is a draw from the softmax.
    labels = (logits / temperature + generator.gumbel(size=logits.shape)).argmax(axis=1)
    return labels, logits.astype(np.float32)


def log_loss(labels, logits, temperature):
    scaled = logits.astype(np.float64) / temperature
    return (np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(labels)), labels]).mean()


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("classes", [2, 200])
def test_the_temperature_of_drawn_labels_is_recovered(temperature, classes):
    found = calibration.fit_temperature(*drawn(classes=classes, temperature=temperature))
    assert found == pytest.approx(temperature, rel=0.06)


def test_it_has_the_lowest_log_loss_and_four_digits():
    labels, logits = drawn(temperature=1.7)
    found = calibration.fit_temperature(labels, logits)
    assert found == round(found, 4)
    assert found == calibration.fit_temperature(labels, logits)
    best = log_loss(labels, logits, found)
    assert best < min(log_loss(labels, logits, found * factor) for factor in (0.9, 1.1))


def test_pieces_give_what_the_whole_gives(monkeypatch):
    labels, logits = drawn(count=500)
    whole = calibration.fit_temperature(labels, logits)
    monkeypatch.setattr(calibration, "STEP", 70)
    assert calibration.fit_temperature(labels, logits) == whole


def test_logits_may_be_large_and_far_from_zero():
    labels, logits = drawn(temperature=1.5)
    assert calibration.fit_temperature(labels, logits + 1000) == pytest.approx(1.5, rel=0.06)


def test_where_all_are_right_more_images_make_surer():
    found = {}
    for count in (10, 100, 1000):
        logits = np.zeros((count, 4), np.float32)
        logits[:, 1] = 5
        temperature = calibration.fit_temperature(np.ones(count, np.int64), logits)
        found[count] = np.exp(5 / temperature) / (np.exp(5 / temperature) + 3)
    assert found[10] < found[100] < found[1000] < 1
    # One image more, of any class: three of its four classes are mistakes.
    assert found[100] == pytest.approx(1 - 3 / 4 / 101, abs=1e-4)


@pytest.mark.parametrize(("count", "seed"), [(3, 1), (10, 2), (40, 3)])
def test_few_images_are_fitted_as_if_their_labels_were_smoothed(count, seed):
    """Rows of logits that are alike in nothing, so that a mean row in their place would be seen."""
    labels, logits = drawn(count=count, classes=4, temperature=1.3, seed=seed)
    logits *= np.random.default_rng(seed).uniform(0.2, 3, (count, 1)).astype(np.float32)
    given, targets = torch.from_numpy(logits).double(), torch.from_numpy(labels)

    def loss(temperature):
        return float(functional.cross_entropy(given / temperature, targets, label_smoothing=1 / (count + 1)))

    found = calibration.fit_temperature(labels, logits)
    assert loss(found) < min(loss(0.995 * found), loss(1.005 * found))


@pytest.mark.parametrize("labels", [[0], [1]])
def test_a_single_image_stays_within_bounds(labels):
    low, high = calibration.BOUNDS
    logits = np.array([[9.0, -9.0]], np.float32)
    assert low <= calibration.fit_temperature(np.array(labels), logits) <= high


def test_without_images_or_numbers_it_is_one():
    assert calibration.fit_temperature(np.zeros(0, np.int64), np.zeros((0, 3), np.float32)) == 1
    assert calibration.fit_temperature(np.array([0, 1]), np.array([[np.nan, 1], [0, 1]], np.float32)) == 1
