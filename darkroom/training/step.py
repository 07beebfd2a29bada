"""The training step: augment, mix, forward, loss, backward; then clip, optimiser, norm limit.

The training, the range test of the learning rate, the smoke run and the folds all take their steps with this class.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from darkroom.augment.mixing import mix
from darkroom.augment.randomness import Draw
from darkroom.config.params import Train
from darkroom.training.batches import Source
from darkroom.training.optimizers import absolute_sum, limit_norms, make_optimizer
from darkroom.training.recipe import Recipe


class Batch(NamedTuple):
    """The images of one step."""

    positions: Tensor  # in the training split, of the whole batch: int64 on the CPU
    parts: list[Tensor]  # places in the batch, int64: this process's share, in parts that it works on one by one
    images: Iterator[Tensor]  # stored images, one item a part; all batches share it, so each takes one item a part


class Step:
    """Takes training steps on a network, from its present weights on, with an optimiser of its own.

    With `frozen` the body of the network stays as it is and only the head learns.
    """

    def __init__(self, recipe: Recipe, train: Source, *, frozen: bool) -> None:
        settings, network, fabric = recipe.settings, recipe.network, recipe.fabric
        for parameter in network.get_submodule("features").parameters():
            parameter.requires_grad_(not frozen)
        self.recipe, self.train, self._frozen, self._classes = recipe, train, frozen, recipe.classes
        self._device, self._world = fabric.device, fabric.world_size  # asked of Fabric, each costs microseconds
        self.optimizer = make_optimizer(network, settings, scaled=fabric.strategy.precision.precision == "16-mixed")
        compiled: nn.Module = torch.compile(network) if settings.compile else network  # type: ignore[assignment]
        self.model, self._stepper = fabric.setup(compiled, self.optimizer, move_to_device=False)
        self._class_weights = class_weights(train.labels, self._classes) if settings.class_weights else None
        self.start()

    def start(self) -> None:
        """Begin an epoch: set training mode, for validation has left it, and set the sums over images to 0.

        The sums stay on the device, for reading a number would wait for every step.
        """
        training_mode(self.recipe.network, self.recipe.settings, frozen=self._frozen)
        self.loss_sum = torch.zeros((), device=self._device)
        self.right = torch.zeros_like(self.loss_sum)
        self.seen = 0  # images that are in the sums

    def batches(self, positions: Sequence[Tensor]) -> Iterator[Batch]:
        """The batches at these positions, in their order, to be stepped on one after another."""
        rank, number = self.recipe.fabric.global_rank, self.recipe.settings.parts
        parts = [own_parts(len(batch), self._world, rank, number) for batch in positions]
        images = self.train.read([batch[part] for batch, own in zip(positions, parts, strict=True) for part in own])
        for batch, own in zip(positions, parts, strict=True):
            yield Batch(batch, own, images)

    def __call__(self, batch: Batch, generator: Generator, epoch: int) -> None:
        """Take one step at the optimiser's present rate; augmentation and mixing draw from `generator`."""
        fabric, network, settings = self.recipe.fabric, self.recipe.network, self.recipe.settings
        before = generator.get_state() if len(batch.parts) > 1 else None
        for part in batch.parts:
            if before is not None:
                generator.set_state(before)  # every part draws the numbers of the whole batch, and uses its own
            draw = Draw(generator, batch.positions, part, epoch, self._device)
            self._learn(next(batch.images), draw, last=part is batch.parts[-1])
        if settings.clip is not None:
            # A gradient that is not finite ends the training after the epoch; 16-mixed skips the step instead.
            fabric.clip_gradients(self.model, self._stepper, max_norm=settings.clip, error_if_nonfinite=False)
        self._stepper.step()
        self._stepper.zero_grad(set_to_none=True)
        if settings.max_norm is not None:
            limit_norms(network, settings.max_norm)

    def _learn(self, stored: Tensor, draw: Draw, *, last: bool) -> None:
        """Add the gradient of one part's images (uint8, N x H x W x C); `last` marks the step's last part."""
        recipe, settings, fabric = self.recipe, self.recipe.settings, self.recipe.fabric
        labels = self.train.labels[draw.ours()]
        # Float before augmentation; normalised after it, in place.
        images = recipe.augment(stored.permute(0, 3, 1, 2).to(recipe.mean.dtype), draw)
        images, targets = mix(images, labels, draw, settings, self._classes)
        with contextlib.nullcontext() if last else fabric.no_backward_sync(self.model):
            logits = self.model(images.sub(recipe.mean).div_(recipe.std))
            losses = functional.cross_entropy(
                logits, targets, self._class_weights, label_smoothing=settings.label_smoothing, reduction="none"
            )
            # Fabric averages the processes' gradients: times their number, this is the mean over the whole batch.
            loss = losses.sum() * (self._world / len(draw.positions))
            if settings.l1 and last:
                loss = loss + settings.l1 * absolute_sum(recipe.network)
            fabric.backward(loss)
        self.loss_sum += losses.detach().sum()
        self.seen += len(labels)
        self.right += (logits.detach().argmax(1) == labels).sum()


def training_mode(network: nn.Module, settings: Train, *, frozen: bool) -> None:
    """Set training mode for the head and, unless `frozen`, the body; `freeze_statistics` exempts its batch norms."""
    network.train()
    features = network.get_submodule("features").train(not frozen)
    if settings.freeze_statistics:
        for module in features.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()


def class_weights(labels: Tensor, classes: int) -> Tensor:
    """One weight per class (float32), inverse to its share of the labels; the mean over the labels is 1."""
    counts = torch.bincount(labels, minlength=classes).float()
    return torch.where(counts > 0, len(labels) / (counts.clamp(min=1) * (counts > 0).sum()), 0.0)


def own_parts(count: int, world: int, rank: int, accumulate: int) -> list[Tensor]:
    """This process's places in a batch of `count` images, in at most `accumulate` parts."""
    mine = torch.tensor_split(torch.arange(count), world)[rank]
    # The smallest share limits the number of parts, for all processes must have equally many.
    return list(torch.tensor_split(mine, max(1, min(accumulate, count // world))))
