"""The learning-rate range test: train while the rate grows, and see where the loss falls and where it rises.

Smith 2017, "Cyclical Learning Rates for Training Neural Networks", arXiv:1506.01186, section 3.3.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from darkroom.augment.mixing import mix
from darkroom.augment.pipeline import Change
from darkroom.augment.randomness import seed_of, whole
from darkroom.config.params import Train
from darkroom.training import loop
from darkroom.training.batches import Batches
from darkroom.training.optimizers import absolute_sum, limit_norms, make_optimizer

if TYPE_CHECKING:
    from lightning_fabric import Fabric

RANGE = {"sgd": (1e-5, 10.0), "adam": (1e-6, 1.0), "adamw": (1e-6, 1.0)}  # learning rates of the test, by optimiser
STEPS = 100
DIVERGED = 4  # times the lowest smoothed loss
FALL = 0.05  # of the smoothed loss, without which no rate is suggested


@dataclass(frozen=True)
class Setup:
    """A training that is ready to start, as `stages.train` sets it up, in one process."""

    fabric: "Fabric"
    network: nn.Sequential
    train: Batches
    val: Batches
    mean: Tensor
    std: Tensor
    settings: Train
    change: Change
    classes: int


@dataclass(frozen=True)
class RangeTest:
    """Loss by learning rate, step after step."""

    rates: list[float]
    losses: list[float]

    @property
    def smoothed(self) -> NDArray[np.float64]:
        """The losses, averaged over their neighbours with Gaussian weights of three steps' deviation."""
        steps = np.arange(len(self.losses))
        weights = np.exp(-0.5 * ((steps[:, None] - steps) / 3) ** 2)
        averaged: NDArray[np.float64] = weights @ np.array(self.losses, float) / weights.sum(axis=1)
        return averaged

    @property
    def suggestion(self) -> tuple[float, float] | None:
        """The rates between which to look, to two digits; None where no rate lowered the loss.

        The lower one, for a constant rate, is a tenth of the rate with the lowest smoothed loss (Howard and Gugger
        2020, Deep Learning for Coders with fastai and PyTorch, chapter 5). The upper one is that rate itself, where
        the loss begins to rise: the peak of a schedule that rises and falls (Smith 2017, section 3.3).
        """
        smoothed = self.smoothed
        if not len(smoothed) or smoothed.min() > (1 - FALL) * smoothed[0]:
            return None
        lowest = self.rates[int(smoothed.argmin())]
        return float(f"{lowest / 10:.2g}"), float(f"{lowest:.2g}")


def range_test(setup: Setup, on_step: Callable[[], object] = lambda: None) -> RangeTest:
    """Train with a learning rate that grows exponentially, step by step, and note the loss (Smith 2017).

    Batches, augmentation, loss, optimiser and penalties are those of the training; with `train.freeze_epochs` those of
    its first phase, for that is where `train.lr` holds. Momentum stays the same, also where onecycle would change it.
    It ends when the smoothed loss is four times its lowest value, or no longer a number.
    """
    settings, train, device = setup.settings, setup.train, setup.fabric.device
    network = copy.deepcopy(setup.network)
    features, classes = network.get_submodule("features"), setup.classes
    for parameter in features.parameters():
        parameter.requires_grad_(not settings.freeze_epochs)
    loop.training_mode(network, settings, frozen=bool(settings.freeze_epochs))
    optimizer = make_optimizer(network, settings, scaled=setup.fabric.strategy.precision.precision == "16-mixed")
    model, stepper = setup.fabric.setup(network, optimizer, move_to_device=False)
    weights = loop.class_weights(train.labels, classes) if settings.class_weights else None
    generator = torch.Generator().manual_seed(seed_of(settings.seed, 0))
    torch.manual_seed(seed_of(settings.seed, 0))

    low, high = RANGE[settings.optimizer]
    rates = np.geomspace(min(low, settings.lr / 10), max(high, settings.lr * 10), STEPS).tolist()
    batches = _batches(train, settings, generator)
    parts = [batch.tensor_split(min(settings.accumulate, len(batch))) for batch in batches]
    source = train.read([part for batch in parts for part in batch])
    test = RangeTest([], [])
    for rate, batch in zip(rates, parts, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate
        count, total = sum(map(len, batch)), 0.0
        for part in batch:
            draw = whole(generator, part, device)
            labels = train.labels[part.to(device)]
            images = setup.change(next(source).permute(0, 3, 1, 2).to(setup.mean.dtype), draw)
            images, targets = mix(images, labels, draw, settings, classes)
            logits = model(images.sub(setup.mean).div_(setup.std))
            loss = functional.cross_entropy(
                logits, targets, weights, label_smoothing=settings.label_smoothing, reduction="none"
            ).sum()
            total += float(loss.detach()) / count
            penalty = settings.l1 * absolute_sum(network) if settings.l1 and part is batch[-1] else 0.0
            setup.fabric.backward(loss / count + penalty)
        if not math.isfinite(total):
            break
        test.rates.append(rate)
        test.losses.append(total)
        smoothed = test.smoothed
        if smoothed[-1] > DIVERGED * smoothed.min():
            break
        if settings.clip is not None:
            setup.fabric.clip_gradients(model, stepper, max_norm=settings.clip, error_if_nonfinite=False)
        stepper.step()
        stepper.zero_grad(set_to_none=True)
        if settings.max_norm is not None:
            limit_norms(network, settings.max_norm)
        on_step()
    return test


def _batches(train: Batches, settings: Train, generator: torch.Generator) -> list[Tensor]:
    """Positions of the batches of the range test: pass after pass over the training images, as in training."""
    each = math.ceil(len(train) / settings.batch_size)
    found: list[Tensor] = []
    while len(found) < STEPS:
        found += torch.tensor_split(train.order(generator, balance=settings.balanced), each)
    return found[:STEPS]
