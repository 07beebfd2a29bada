import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.analysis.feature_baselines import METHODS
from darkroom.analysis.verdict import OF_FEATURES, fit_in_words, remedy, shortfall
from darkroom.config.stage_files import Comparison, McNemar
from tests.ddp import settings


def words(val_loss, train_loss=None, train=0.99, val=0.98, rates=None):
    """The verdict; the training loss falls by default, accuracies are those of the end, the learning rate stays."""
    count = len(val_loss)
    train_loss = train_loss or [1 / (epoch + 1) for epoch in range(count)]
    table = {"train_loss": train_loss, "val_loss": val_loss, "train_accuracy": [train] * count}
    table["lr"] = rates or [0.1] * count
    return fit_in_words(pd.DataFrame(table | {"val_accuracy": [val] * count}))


LEVEL = [1.0, 0.5, *[0.3] * 8]


def test_a_sound_fit():
    assert words(LEVEL).startswith("a sound fit")
    assert words([*LEVEL[:-1], 0.315]).startswith("a sound fit")  # 5 %, but less than 0.02 nats
    assert words([0.4] * 9 + [0.405]).startswith("a sound fit")  # more nats, less than 5 %


def test_over_fitting_names_the_epoch_from_which_on_the_loss_rose():
    said = words([1.0, 0.6, 0.4, 0.5, 0.6, 0.8])
    assert said == "over-fitting from epoch 3: validation loss rose from 0.4 to 0.8 after it"
    assert "over-fitting" not in words([1.0, 0.2, 0.21])
    assert "over-fitting" in words([1.0, 0.2, 0.23])
    assert "over-fitting" in words([1.0, 0.0, 0.5])  # a loss of 0 is the lowest there is


def test_a_loss_that_rose_in_training_too_is_unstable():
    said = words([1.0, 0.4, 0.9], train_loss=[1.0, 0.4, 0.8])
    assert said == "unstable from epoch 2: validation loss rose from 0.4 to 0.9 after it"


@pytest.mark.parametrize(
    "loss", [[0.5, math.nan], [0.5, math.inf], [math.nan, math.nan], [math.nan], [0.5, 0.4, math.nan]]
)
def test_a_loss_that_is_no_number_is_no_sound_fit(loss):
    assert words(loss).startswith("unstable")


def test_a_number_after_none_is_judged():
    assert "unstable" not in words([math.nan, 0.5, 0.4])


def test_under_fitting_is_low_accuracy_without_a_gap():
    assert words(LEVEL, train=0.7, val=0.68) == "under-fitting: only 70% of the training images are classified right"
    assert "under-fitting" in words(LEVEL, train=0.7, val=0.9)
    assert "under-fitting" not in words(LEVEL, train=0.7, val=0.6)
    assert "under-fitting" not in words(LEVEL, train=0.91, val=0.9)


def test_still_improving_compares_the_last_epochs_with_as_many_before():
    falling = [1 / (epoch + 1) for epoch in range(40)]
    assert (
        words(falling) == "still improving: validation loss fell by 10% from the 4 epochs before to the last 4"
    )  # a tenth
    assert "improving" not in words([*falling, *[0.025] * 10])
    assert words(falling, train=0.5, val=0.5).count(";") == 1
    assert words(falling[:9]).endswith("from the 3 epochs before to the last 3")  # three, where a tenth is less


def test_a_fall_within_the_noise_is_no_improvement():
    assert words([1.0, 0.5, 0.30, 0.34, 0.30, 0.33, 0.29, 0.31]).startswith("a sound fit")  # by 4 %, to and fro
    assert words([1.0, 0.5, 0.32, 0.32, 0.31, 0.31, 0.30, 0.30]).startswith("still improving")


def test_a_fall_at_the_end_of_the_learning_rate_is_not_called_still_improving():
    falling = [1 / (epoch + 1) for epoch in range(20)]
    said = words(falling, rates=[0.1 * (1 - epoch / 19) for epoch in range(20)])
    assert said.startswith("a sound fit: validation loss fell by 16%")
    assert said.endswith("as the learning rate came to its end")
    assert words(falling, rates=[0.1 - epoch / 400 for epoch in range(20)]).startswith("still improving")


def test_what_rose_is_not_called_still_improving():
    jumping = [0.3, 2.0, 0.9]  # the last is under the one before, and far above the lowest
    assert words(jumping, train_loss=[1.0, 3.0, 2.0]).startswith("unstable from epoch 1")
    for train_loss in ([1.0, 3.0, 2.0], [1.0, 0.5, 0.2]):
        assert "improving" not in words(jumping, train_loss=train_loss)


@pytest.mark.parametrize(
    ("losses", "improving"),
    [([0.5], False), ([0.9, 0.1], False), ([0.9, 0.5, 0.1], True), ([0.9, 0.5, 0.6, 0.5], False)],
)
def test_short_histories(losses, improving):
    assert ("still improving" in words(losses)) == improving
    assert words(losses).startswith("too few epochs") == (len(losses) < 3)


number = st.floats(0, 10) | st.sampled_from([0.0, math.nan, math.inf, 1e-9])
row = st.tuples(number, number, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))


@given(st.lists(row, min_size=1, max_size=40))
def test_every_history_has_a_verdict(rows):
    said = fit_in_words(pd.DataFrame(rows, columns=["train_loss", "val_loss", "train_accuracy", "val_accuracy", "lr"]))
    assert said
    assert "\n" not in said
    assert "nan" not in said


def beside(reached, best="random_forest", p_value=0.001):
    test = McNemar(only_ours_right=0, only_other_right=0, p_value=p_value)
    return Comparison(test_accuracy=reached, best=best, mcnemar=test)


def test_a_network_below_the_best_simple_method_is_told_of():
    reached = {"majority_class": 0.1, "random_forest": 0.9, "network": 0.9}
    assert shortfall(beside(reached)) == ""
    told = shortfall(beside(reached | {"network": 0.3333}))
    assert told == "the network (33.33% on test) is worse than random_forest (90.00%)"
    by_chance = beside(reached | {"network": 0.8999}, p_value=0.314)
    assert shortfall(by_chance).endswith("worse than random_forest (90.00%), which may be chance (p = 0.31)")


def test_a_network_below_the_probe_is_told_what_to_try():
    reached = {"linear_probe": 0.9, "nearest_neighbours": 0.8, "random_forest": 0.5, "network": 0.85}
    both, alone = settings(epochs=9, freeze_epochs=4), settings(epochs=9, freeze_epochs=9)
    assert "check" in remedy(beside(reached), both)
    for best in OF_FEATURES:
        assert "-S train.unfreeze_lr_factor=0.03," in remedy(beside(reached, best), both)
        assert remedy(beside(reached, best), both).endswith("-S train.epochs=4 -S train.freeze_epochs=4")
        assert "check" in remedy(beside(reached, best), alone)
    assert list(OF_FEATURES) == list(METHODS)
