"""What is told of disk and time when a training begins."""

from types import SimpleNamespace

import pytest

from darkroom.training import forecast
from darkroom.training.memory_plan import Plan
from tests.ddp import settings

TAKEN = Plan(
    16, 1, images=0, weights=10**6, network=3 * 10**6, checkpoint=0, step=1, room=10, known="", fitting=1, chosen=False
)


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(forecast, "time", SimpleNamespace(perf_counter=lambda: now.seconds))
    return now


def told(clock, steps, each, images, after=0, quick=0, **changes):
    """What is told by so many steps of `each` second, the first of which takes a minute more."""
    said = []
    pace = forecast.Pace(settings(**changes), images, after, quick, said.append)
    clock.seconds += 60
    for _ in range(steps):
        clock.seconds += each
        pace()
    return said


def test_the_time_is_told_once_and_without_the_first_step(clock):
    said = told(clock, 50, 0.5, {"train": 1600, "val": 480}, epochs=10)
    # 10 epochs of 100 steps of 0.5 s, and validations of 30 batches, at a third of a step
    assert said == ["about 9.2 min to train: 10 epochs of 100 steps, by the speed of the first 5"]


def test_a_training_of_moments_says_nothing(clock):
    assert told(clock, 100, 0.01, {"train": 1600, "val": 480}) == []


def test_slow_steps_are_told_after_the_second_one(clock):
    assert told(clock, 2, 36.0, {"train": 160, "val": 16}, epochs=1) == [
        "about 6.2 min to train: 1 epoch of 10 steps, by the speed of the first 2"
    ]


def test_a_resumed_training_counts_what_is_left(clock):
    (said,) = told(clock, 9, 0.5, {"train": 1600, "val": 16}, after=8, epochs=10)
    assert said.startswith("about 1.7 min to train: 2 epochs of 100 steps")


def test_epochs_of_the_head_alone_are_a_third_of_the_others(clock):
    (said,) = told(clock, 9, 0.5, {"train": 1600, "val": 16}, epochs=3, freeze_epochs=1)
    # a third is 50 s; so are three validations of a step and two whole epochs of 150 s each
    assert said.startswith("about 5.9 min to train: 3 epochs")


@pytest.mark.parametrize("after", [0, 1])
def test_epochs_on_kept_features_are_not_timed(clock, after):
    done = told(clock, 100 * (2 - after), 0.001, {"train": 1600, "val": 16}, after, 2, epochs=12, freeze_epochs=2)
    assert done == []
    said = []
    pace = forecast.Pace(settings(epochs=12, freeze_epochs=2), {"train": 1600, "val": 16}, after, 2, said.append)
    for step in range(100 * (2 - after) + 10):
        clock.seconds += 0.001 if step < 100 * (2 - after) else 0.5
        pace()
    assert said == ["about 8.4 min to train: 10 epochs of 100 steps, by the speed of the first 5"]


def test_validations_that_were_timed_are_not_added(clock):
    (said,) = told(clock, 50, 0.5, {"train": 16, "val": 1600}, epochs=100)
    assert said.startswith("about 50 s to train: 100 epochs of 1 step,")


@pytest.mark.parametrize(("keep", "models", "checkpoints"), [(False, "1.0", "6.0"), (True, "5.0", "10.0")])
def test_the_disk_that_weights_and_checkpoints_take(monkeypatch, keep, models, checkpoints):
    monkeypatch.setattr(forecast.shutil, "disk_usage", lambda path: SimpleNamespace(free=10**9))
    assert forecast.disk(TAKEN, settings(epochs=4, keep_epochs=keep)) == (
        f"disk: {models} MB for the weights in models, at most {checkpoints} MB in .checkpoints until the training has "
        "ended; 1.0 GB are free"
    )


def test_a_disk_too_small_is_warned_of(monkeypatch):
    monkeypatch.setattr(forecast.shutil, "disk_usage", lambda path: SimpleNamespace(free=7 * 10**6 - 1))
    assert forecast.disk(TAKEN, settings()).startswith("warning: the disk is too small for this training; disk: 1.0 MB")
