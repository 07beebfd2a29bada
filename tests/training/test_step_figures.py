"""Figures of single steps: every so many, over the steps in between, and none where nobody asks."""

from types import SimpleNamespace

import pytest
import torch

from darkroom.training.step_figures import StepTrace


def steps(trace, losses, images=4):
    """Take a step for each mean loss, in an epoch of its own."""
    step = SimpleNamespace(loss_sum=torch.zeros(()), seen=0)
    for number, loss in enumerate(losses, start=1):
        step.loss_sum += loss * images
        step.seen += images
        trace(0.1 * number, step)
    return trace.taken()


def test_every_so_many_steps_give_their_mean_loss_and_the_last_rate():
    trace = StepTrace(2, done=0)
    assert steps(trace, [1.0, 3.0, 5.0, 6.0, 9.0]) == [
        {"step": 2, "step_lr": pytest.approx(0.2), "step_train_loss": pytest.approx(2.0)},
        {"step": 4, "step_lr": pytest.approx(0.4), "step_train_loss": pytest.approx(5.5)},
    ]
    # The next epoch starts its sums anew, and goes on counting.
    assert [(one["step"], one["step_train_loss"]) for one in steps(trace, [7.0, 8.0])] == [(6, pytest.approx(7.0))]


def test_a_training_that_goes_on_counts_from_where_it_was():
    assert [one["step"] for one in steps(StepTrace(3, done=4), [1.0] * 6)] == [6, 9]


def test_nobody_asks():
    assert steps(StepTrace(None, done=0), [1.0] * 6) == []
