"""What each line of the check-list looks at; the list itself is `darkroom.tools.checklist`.

The list is Karpathy's, "A Recipe for Training Neural Networks" (2019, https://karpathy.github.io/2019/04/25/recipe/);
the learning-rate range test is Smith's (2017, arXiv:1506.01186). Every check works on a copy of the network.
"""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from darkroom.base import paths
from darkroom.config.params import Train
from darkroom.dataset.packed import Images, Labels, Rows
from darkroom.network import architectures
from darkroom.tools.learning_rate_search import RangeTest
from darkroom.training import loop
from darkroom.training.batches import Batches, balanced
from darkroom.training.recipe import Recipe

NORMAL = 0.2  # of a normalised channel: distance of mean from 0 and of deviation from 1, in a sample
UNEVEN = 10  # times as many images in the largest class as in the smallest
HIGH, TOO_HIGH = 1.5, 3.0  # nats of the first loss above ln K
LEAK = 0.5  # first accuracy above that of the largest class, as a share of what is left to 1
SAME = 1e-4  # of the largest logit: differences that are rounding
ADAM = (1e-3, 1e-4, 1e-2)  # learning rates with which one batch is tried, in turn
STEPS = 200  # for each of them
EPOCHS, SMOKE_STEPS = 3, 60  # of the smoke run: so many epochs, or as many as make so many steps
SMOKE_TRAIN, SMOKE_VAL = 10_000, 1_000  # images: of larger sets a share is taken, of val at least so many
FACTOR = 10  # beyond the suggested rates, within which the present one counts as near

Batch = tuple[Tensor, Tensor]  # normalised images, N x channels x height x width, and int64 labels


@dataclass(frozen=True)
class Check:
    """What one check found; `passed` is None for a note, which is neither good nor bad."""

    name: str
    passed: bool | None
    text: str

    def __str__(self) -> str:
        word = {True: "pass", False: "FAIL", None: "note"}[self.passed]
        return f"{word}  {self.name:<13}  {self.text}"


def shapes(images: Images, shape: tuple[int, int, int], train: int, val: int) -> Check:
    """Whether the stored images (uint8, N x height x width x channels) have the shape that the catalogue names."""
    seen = f"{train:,} train and {val:,} val images, {_by(images.shape[1:])} {images.dtype}"
    if images.shape[1:] != shape or images.dtype != np.uint8:
        wanted = f"{_by(shape)} uint8 (height x width x channels)"
        return Check("data", False, f"{seen}, but datasets.yaml asks for {wanted}: run `dvc repro stats`")
    if not train or not val:
        return Check("data", False, f"{seen}: both must be there; change split.val and run `dvc repro stats`")
    return Check("data", True, seen)


def class_counts(train: Labels, val: Labels, names: Sequence[str]) -> Check:
    """Whether all labels name a class, and every class has training images; a note where they are very uneven."""
    lowest, highest = min(train.min(), val.min()), max(train.max(), val.max())
    if lowest < 0 or highest >= len(names):
        seen = f"labels go from {lowest} to {highest}, but must go from 0 to {len(names) - 1}"
        return Check("labels", False, f"{seen}: run `dvc repro stats`")
    counts = np.bincount(train, minlength=len(names))
    empty = [name for name, count in zip(names, counts, strict=True) if not count]
    if empty:
        return Check(
            "labels", False, f"no training image of {_listed(empty)}: add some, or take the class out of the data set"
        )
    if len(names) < 2:
        return Check("labels", False, f"{names[0]} is the only class: there is nothing to tell apart")
    few, many = (int(at) for at in (counts.argmin(), counts.argmax()))
    seen = f"{len(names)} classes of {counts[few]:,} ({names[few]}) to {counts[many]:,} ({names[many]}) training images"
    if counts[many] >= UNEVEN * counts[few]:
        return Check("labels", None, f"{seen}: train.balanced or train.class_weights help rare ones; look at macro F1")
    return Check("labels", True, seen)


def normalisation(images: Tensor) -> Check:
    """Whether each channel of the normalised images has mean 0 and deviation 1, to within 0.2 for a sample."""
    deviations, means = torch.std_mean(images.float(), (0, 2, 3), correction=0)
    of_means, of_deviations = ("/".join(f"{round(v, 2) + 0:.2f}" for v in t.tolist()) for t in (means, deviations))
    seen = f"mean {of_means}, deviation {of_deviations} by channel, {len(images):,} training images"
    # `not <=` catches a NaN too.
    if not bool((means.abs() <= NORMAL).all() and ((deviations - 1).abs() <= NORMAL).all()):
        return Check(
            "normalisation", False, f"{seen}, but must be near 0 and 1: {paths.STATS} is of other images "
            "(`dvc repro stats`), or a channel holds a single value",
        )  # fmt: skip
    return Check("normalisation", True, seen)


@torch.no_grad()
def outputs(network: nn.Module, images: Tensor, classes: int) -> Check:
    """Whether there is a finite logit for each image and class, in evaluation mode."""
    logits = copy.deepcopy(network).eval()(images)
    wanted = (len(images), classes)
    if tuple(logits.shape) != wanted:
        seen = f"{_by(logits.shape)} for {len(images)} images, but must be {_by(wanted)} (images x classes)"
        return Check("output", False, f"{seen}: mend the last layer in darkroom/network/architectures.py")
    if not torch.isfinite(logits).all():
        return Check("output", False, "not all logits are finite: mend the first weights, or model.weights")
    return Check("output", True, f"{_by(wanted)} logits (images x classes), all finite")


@torch.no_grad()
def independence(network: nn.Module, images: Tensor) -> Check:
    """Whether the logits of an image are the same whatever else is in its batch, in evaluation mode.

    In training, batch norm mixes images by design. The first, middle and last image are each put among others.
    """
    trial = copy.deepcopy(network).eval()
    logits = trial(images)
    for place in {0, len(images) // 2, len(images) - 1}:
        others = 1 - images
        others[place] = images[place]
        if (trial(others)[place] - logits[place]).abs().max() > SAME * (1 + logits.abs().max()):
            advice = "look in darkroom/network/architectures.py for a reshape, mean or norm over the first axis"
            return Check("independence", False, f"logits of an image change with the others in its batch: {advice}")
    return Check("independence", True, "logits of an image do not depend on the others in its batch")


@torch.no_grad()
def measure(network: nn.Module, batches: Sequence[Batch]) -> tuple[float, float]:
    """Mean cross-entropy and accuracy in training mode, as the first step meets them."""
    trial = copy.deepcopy(network).train()
    loss = right = count = 0.0
    for images, labels in batches:
        logits = trial(images).float()
        loss += float(functional.cross_entropy(logits, labels, reduction="sum"))
        right += float((logits.argmax(1) == labels).sum())
        count += len(labels)
    return loss / count, right / count


def first_loss(loss: float, accuracy: float, classes: int, largest: float) -> Check:
    """Whether the untrained network is as unsure as it should be: loss ln K, and no better than the largest class.

    Random weights give logits of some deviation s, which costs s**2 / 2 nats above ln K, or up to 1.5 in the networks
    here; from 3 nats on, the first epoch goes into unlearning the first weights. `largest` is the share of the largest
    class.
    """
    even = math.log(classes)
    seen = (
        f"{loss:.2f} before training (ln {classes} = {even:.2f}), accuracy {accuracy:.1%} "
        f"(chance {1 / classes:.1%}, largest class {largest:.1%})"
    )
    if not loss <= even + TOO_HIGH:
        advice = "the first weights are badly scaled: model.init default, model.batch_norm true or model.pooling mean"
        return Check("first loss", False, f"{seen}: {advice}")
    if accuracy > largest + LEAK * (1 - largest):
        return Check(
            "first loss", None, f"{seen}: an untrained network that knows the labels; do the images show them?"
        )
    if loss > even + HIGH:
        return Check("first loss", None, f"{seen}: high, so the first steps only shrink the logits; see model.init")
    return Check("first loss", True, seen)


def gradients(network: nn.Module, batches: Sequence[Batch]) -> Check:
    """Whether every trainable parameter gets a finite gradient that is not zero, in training mode, over all batches.

    A note where most units of a layer get none.
    """
    trial = copy.deepcopy(network).train()
    trial.zero_grad(set_to_none=True)
    for images, labels in batches:
        loss = functional.cross_entropy(trial(images).float(), labels)
        if loss.requires_grad:  # not so where all is cut off
            loss.backward()  # type: ignore[no-untyped-call]
    found = {name: one.grad for name, one in trial.named_parameters() if one.requires_grad}
    cut = [name for name, grad in found.items() if grad is None]
    present = {name: grad for name, grad in found.items() if grad is not None}
    wild = [name for name, grad in present.items() if not torch.isfinite(grad).all()]
    zero = [name for name, grad in present.items() if not grad.any()]
    wrong = []
    if cut:
        wrong.append(f"none reaches {_listed(cut)}, cut off from the loss: look for detach, or a layer left out")
    if wild:
        wrong.append(f"that of {_listed(wild)} is not finite: look for a division, log or root of 0")
    if zero:
        wrong.append(
            f"that of {_listed(zero)} is zero: dead units (ReLU) or saturated ones; try model.batch_norm true, another "
            "model.init or model.activation gelu"
        )
    if wrong or not found:
        return Check("gradient", False, "; ".join(wrong) or "there is no trainable parameter")
    seen = (
        f"finite and not zero for all {len(found)} parameter tensors ({architectures.parameter_count(trial):,} numbers)"
    )
    units = {name: grad.flatten(1).any(1) for name, grad in present.items() if grad.ndim > 1}
    asleep = [name for name, awake in units.items() if awake.float().mean() < 0.5]
    if asleep:
        return Check(
            "gradient", None, f"{seen}, but most units of {_listed(asleep)} get none from {len(batches)} batches"
        )
    return Check("gradient", True, seen)


def distinct(images: Images, rows: Rows, labels: Labels, count: int, seed: int) -> list[int]:
    """Positions in the split of up to `count` images, no two alike in pixels, of all classes equally often.

    Two copies with different labels could not both be learned.
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
    """Whether one batch can be learned by heart, every image right, without dropout or any other regularisation.

    With Adam, which is robust to the scale of gradients (Kingma and Ba 2015, arXiv:1412.6980), at up to three
    learning rates of up to 200 steps each.
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
                kinds, steps = len(torch.unique(labels)), f"{step} step{'s' * (step != 1)}"
                seen = (
                    f"{count} images of {kinds} class{'es' * (kinds != 1)} all right after {steps} of Adam ({rate:g})"
                )
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
    """The rows of the smoke run: all, or of more than 10,000 training images so many, and the same share of val.

    Of val at least 1,000, where there are so many.
    """
    share = min(1.0, SMOKE_TRAIN / len(train))
    sizes = {"train": round(share * len(train)), "val": max(round(share * len(val)), min(SMOKE_VAL, len(val)))}
    generator = np.random.default_rng(seed)
    return {
        name: np.sort(generator.permutation(rows)[: sizes[name]]) for name, rows in (("train", train), ("val", val))
    }


def smoke_epochs(settings: Train, images: int) -> int:
    """Three, or as many as make 60 steps, for small sets have few in an epoch; never more than `train.epochs`."""
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

    The schedule is drawn together over these epochs. `before` is the loss before training, which a single epoch is
    compared with; `whole` is the number of images in the training split, for the estimate of the time. Raises
    UserError where batch norm gets a single image.
    """
    wanted, train, val = recipe.settings, data["train"], data["val"]
    epochs = smoke_epochs(wanted, len(train))
    frozen = epochs if wanted.freeze_epochs == wanted.epochs else min(wanted.freeze_epochs, epochs - 1)
    trial = recipe.on_a_copy(epochs=epochs, freeze_epochs=frozen, patience=None)
    result = loop.fit(trial, train, val, on_step=on_step)
    history = result.history
    majority = int(torch.bincount(train.labels).argmax())
    chance = float((val.labels == majority).float().mean())
    losses = [row["train_loss"] for row in history] if epochs > 1 else [before, history[0]["train_loss"]]
    best = max(row["val_accuracy"] for row in history)
    share = "" if len(train) == whole else f" on {len(train):,} of {whole:,} images"
    seen = (
        f"{epochs} epoch{'s' if epochs > 1 else ''}{share}: training loss {losses[0]:.3f} → {losses[-1]:.3f}, "
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
    # The first epoch of each phase also warms up; frozen ones are faster than those that follow.
    each = median(row["seconds"] for row in history[frozen + 1 :] or history[-1:]) * whole / len(train)
    estimate = f"{_duration(each)} an epoch, about {_duration(each * wanted.epochs)} for train.epochs {wanted.epochs}"
    return Check("smoke run", True, f"{seen}; {estimate}")


def learning_rate(test: RangeTest, settings: Train) -> Check:
    """What the range test says of `train.lr`; a note, for a long warm-up bears more."""
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


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
