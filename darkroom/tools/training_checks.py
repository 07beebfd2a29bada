"""The checks that train for a short while: one batch, a smoke run, the learning rate.

Every check works on a copy of the network.
"""

import copy
import math
from collections.abc import Callable, Mapping
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from darkroom.base.words import counted, duration
from darkroom.config.params import Train
from darkroom.dataset.packed import Images, Labels, Rows
from darkroom.tools.check import Check
from darkroom.tools.learning_rate_search import RangeTest
from darkroom.training import frozen_phase, loop
from darkroom.training.batches import Batches, balanced
from darkroom.training.memory_plan import Plan
from darkroom.training.recipe import Recipe

ADAM = (1e-3, 1e-4, 1e-2)  # Adam's learning rates that are tried on one batch, in turn
STEPS = 200  # with each of these rates
EPOCHS, SMOKE_STEPS = 3, 60  # of the smoke run, at least: epochs, and steps
SMOKE_TRAIN, SMOKE_VAL = 10_000, 1_000  # images of the smoke run: train at most, val at least
FACTOR = 10  # train.lr is near the suggested rates if it is within this factor of them


def memory(taken: Plan) -> Check:
    """What the training will take of the memory: a note where the batch is divided, a failure where it does not fit."""
    says = "; ".join(line.removeprefix("memory: ").removeprefix("warning: ") for line in taken.in_words())
    return Check("memory", None if taken.fits and taken.parts > 1 else taken.fits, says)


def distinct(images: Images, rows: Rows, labels: Labels, count: int, seed: int) -> list[int]:
    """Positions in the split of up to `count` images with different pixels, spread evenly over the classes.

    Copies are left out, because two copies with different labels could not both be learned.
    """
    order = balanced(torch.from_numpy(labels), torch.Generator().manual_seed(seed))
    found: dict[bytes, int] = {}
    for position in dict.fromkeys(order[: 8 * count].tolist()):
        found.setdefault(images[rows[position]].tobytes(), position)
        if len(found) == count:
            break
    return list(found.values())


def one_batch(
    network: nn.Module, images: Tensor, labels: Tensor, on_step: Callable[[], object] = lambda: None
) -> Check:
    """Whether the network can learn one batch by heart (every image right) without dropout or stochastic depth.

    It trains with Adam, which is robust to the scale of gradients (Kingma and Ba 2015, arXiv:1412.6980), for up to 200
    steps at each of three learning rates. `images` are normalised, N x channels x height x width.
    """
    best, count = 0, len(labels)
    for rate in ADAM:
        trial = copy.deepcopy(network).train()
        for module in trial.modules():
            if isinstance(module, nn.modules.dropout._DropoutNd) or type(module).__name__ == "StochasticDepth":
                module.eval()
        optimizer = torch.optim.Adam(trial.parameters(), lr=rate)
        for step in range(STEPS + 1):
            logits = trial(images).float()
            best = max(best, int((logits.argmax(1) == labels).sum()))
            if best == count:
                kinds = counted(len(torch.unique(labels)), "class", "classes")
                seen = f"{count} images of {kinds} all right after {counted(step, 'step')} of Adam ({rate:g})"
                return Check("one batch", True, seen)
            loss = functional.cross_entropy(logits, labels)
            if step == STEPS or not loss.requires_grad or not torch.isfinite(loss):
                break
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            on_step()
    return Check(
        "one batch", False, f"at best {best} of {count} images right after {STEPS} steps of Adam at any of "
        f"{', '.join(f'{rate:g}' for rate in ADAM)}: the network cannot learn even these; give it more width "
        "(model.layers, model.hidden), model.batch_norm true or model.activation relu",
    )  # fmt: skip


def smoke_rows(train: Rows, val: Rows, seed: int) -> dict[str, Rows]:
    """The rows of the smoke run: at most 10,000 of train, and the same share of val, but at least 1,000 of it."""
    share = min(1.0, SMOKE_TRAIN / len(train))
    sizes = {"train": round(share * len(train)), "val": max(round(share * len(val)), min(SMOKE_VAL, len(val)))}
    generator = np.random.default_rng(seed)
    return {
        name: np.sort(generator.permutation(rows)[: sizes[name]]) for name, rows in (("train", train), ("val", val))
    }


def smoke_epochs(settings: Train, images: int) -> int:
    """At least three epochs and 60 steps (small sets have few in an epoch), but never more than `train.epochs`."""
    each = math.ceil(images / settings.batch_size)
    return min(settings.epochs, max(EPOCHS, math.ceil(SMOKE_STEPS / each)))


def smoke_run(
    recipe: Recipe,
    data: Mapping[str, Batches],
    before: float,
    whole: int,
    on_step: Callable[[], object] = lambda: None,
) -> Check:
    """Whether a few epochs of the real recipe lower the training loss and beat the majority class on val.

    The schedule is shortened to these epochs. `before` is the loss before training, with which a single epoch is
    compared. `whole` is the number of images in the training split, from which the training time is estimated. Raises
    UserError where batch norm gets a single image.
    """
    # 1. Train for a few epochs.
    wanted, train, val = recipe.settings, data["train"], data["val"]
    epochs = smoke_epochs(wanted, len(train))
    frozen = epochs if wanted.freeze_epochs == wanted.epochs else min(wanted.freeze_epochs, epochs - 1)
    trial = recipe.on_a_copy(epochs=epochs, freeze_epochs=frozen, patience=None)
    result = loop.fit(trial, train, val, on_step=lambda rate, step: on_step())
    history = result.history
    # 2. Compare with the majority class and with the first loss.
    majority = int(torch.bincount(train.labels).argmax())
    chance = float((val.labels == majority).float().mean())
    losses = [row["train_loss"] for row in history] if epochs > 1 else [before, history[0]["train_loss"]]
    best = max(row["val_accuracy"] for row in history)
    share = "" if len(train) == whole else f" on {len(train):,} of {whole:,} images"
    seen = (
        f"{counted(epochs, 'epoch')}{share}: training loss {losses[0]:.3f} → {losses[-1]:.3f}, "
        f"val accuracy {best:.1%} (majority class {chance:.1%})"
    )
    if result.diverged:
        return Check(
            "smoke run", False, f"{seen}: the loss is no longer a number; lower train.lr or raise train.warmup"
        )
    if losses[-1] >= losses[0]:
        return Check("smoke run", False, f"{seen}: the loss must fall; lower train.lr, or weaken augment")
    if best <= chance:
        advice = "it must beat the majority class; see train.lr, train.balanced and train.class_weights"
        return Check("smoke run", False, f"{seen}: {advice}")
    # 3. Estimate the training time. Frozen epochs are left out, as they are faster, and so is the first epoch after
    #    them, which also warms up.
    each = median(row["seconds"] for row in history[frozen + 1 :] or history[-1:]) * whole / len(train)
    # On kept features, epochs of the head alone are over in no time.
    quick = wanted.freeze_epochs if recipe.views and not frozen_phase.why_not(recipe, len(train) + len(val)) else 0
    total = duration(each * max(1, wanted.epochs - quick))
    estimate = f"{duration(each)} an epoch, about {total} for train.epochs {wanted.epochs}"
    return Check("smoke run", True, f"{seen}; {estimate}")


def learning_rate(test: RangeTest, settings: Train) -> Check:
    """What the range test says about `train.lr`; only a note, because a long warm-up allows higher rates."""
    if test.suggestion is None:
        return Check("learning rate", None, "no rate lowered the loss within the test, so none is suggested")
    low, high = test.suggestion
    lr = settings.lr
    seen = f"{low:g} (constant) to {high:g} (peak after a warm-up) suggested; train.lr {lr:g} is "
    if lr > FACTOR * high:
        return Check("learning rate", None, f"{seen}{lr / high:.0f} times as high: training may diverge")
    if lr < low / FACTOR:
        return Check("learning rate", None, f"{seen}{low / lr:.0f} times as low: training is slower than it could be")
    near = "between them" if low <= lr <= high else f"within a factor of {FACTOR}"
    return Check("learning rate", None, f"{seen}{near}")
