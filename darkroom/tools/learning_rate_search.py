"""The learning-rate range test: train while the rate grows, and find where the loss falls and where it rises.

Smith 2017, "Cyclical Learning Rates for Training Neural Networks", arXiv:1506.01186, section 3.3.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from darkroom.augment.randomness import seed_of
from darkroom.config.params import Train
from darkroom.training.batches import Batches
from darkroom.training.recipe import Recipe
from darkroom.training.step import Step

RANGE = {"sgd": (1e-5, 10.0), "adam": (1e-6, 1.0), "adamw": (1e-6, 1.0)}  # learning rates of the test, by optimiser
STEPS = 100  # of the test, one batch and one rate each
DIVERGED = 4  # times the lowest smoothed loss: the test ends beyond it
FALL = 0.05  # of the smoothed loss, as a share; without such a fall no rate is suggested


@dataclass(frozen=True)
class RangeTest:
    """The learning rate and the loss (cross-entropy, nats) of each step."""

    rates: list[float]
    losses: list[float]

    @property
    def smoothed(self) -> NDArray[np.float64]:
        """The losses, smoothed by a Gaussian with a standard deviation of three steps."""
        steps = np.arange(len(self.losses))
        weights = np.exp(-0.5 * ((steps[:, None] - steps) / 3) ** 2)
        averaged: NDArray[np.float64] = weights @ np.array(self.losses, float) / weights.sum(axis=1)
        return averaged

    @property
    def suggestion(self) -> tuple[float, float] | None:
        """The suggested range of rates, to two digits; None where no rate lowered the loss.

        The upper end is the rate with the lowest smoothed loss, beyond which the loss rises: a peak for schedules that
        rise and fall (Smith 2017, section 3.3). The lower end, for a constant rate, is a tenth of it (Howard and Gugger
        2020, Deep Learning for Coders with fastai and PyTorch, chapter 5).
        """
        smoothed = self.smoothed
        if not len(smoothed) or smoothed.min() > (1 - FALL) * smoothed[0]:
            return None
        lowest = self.rates[int(smoothed.argmin())]
        return float(f"{lowest / 10:.2g}"), float(f"{lowest:.2g}")


def range_test(recipe: Recipe, train: Batches, on_step: Callable[[], object] = lambda: None) -> RangeTest:
    """Train with a learning rate that grows exponentially, step by step, and record the loss (Smith 2017).

    The steps are those of the training (compiled, if it is); with `train.freeze_epochs` those of its first phase, in
    which `train.lr` holds. Momentum stays constant, even if onecycle would change it. The test ends early when the
    smoothed loss exceeds four times its lowest value, or the loss is no longer finite.
    """
    recipe = recipe.on_a_copy()
    settings = recipe.settings
    step = Step(recipe, train, frozen=bool(settings.freeze_epochs))
    generator = torch.Generator().manual_seed(seed_of(settings.seed, 0))
    torch.manual_seed(seed_of(settings.seed, 0))
    low, high = RANGE[settings.optimizer]
    rates = np.geomspace(min(low, settings.lr / 10), max(high, settings.lr * 10), STEPS).tolist()
    test = RangeTest([], [])
    for rate, batch in zip(rates, step.batches(_batches(train, settings, generator)), strict=True):
        for group in step.optimizer.param_groups:
            group["lr"] = rate
        step.start()
        step(batch, generator, epoch=1)
        loss = float(step.loss_sum) / len(batch.positions)
        if not math.isfinite(loss):
            break
        test.rates.append(rate)
        test.losses.append(loss)
        smoothed = test.smoothed
        if smoothed[-1] > DIVERGED * smoothed.min():
            break
        on_step()
    return test


def _batches(train: Batches, settings: Train, generator: torch.Generator) -> list[Tensor]:
    """The positions of each batch: pass after pass over the training images, in the order of the training."""
    each = math.ceil(len(train) / settings.batch_size)
    found: list[Tensor] = []
    while len(found) < STEPS:
        found += torch.tensor_split(train.order(generator, balance=settings.balanced), each)
    return found[:STEPS]
