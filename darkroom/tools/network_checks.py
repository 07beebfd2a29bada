"""The checks of the network before any training: its logits, its first loss, its gradients.

Every check works on a copy of the network.
"""

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from darkroom.base.words import by, listed
from darkroom.network import architectures
from darkroom.tools.check import Check

HIGH, TOO_HIGH = 1.5, 3.0  # nats of the first loss above ln K, for a note and for a failure
LEAK = 0.5  # a first accuracy more than this share of the way from the largest class to 1 looks like a leak
SAME = 1e-4  # smaller differences of logits, relative to the largest one, are rounding
Batch = tuple[Tensor, Tensor]  # normalised images, N x channels x height x width, and int64 labels


@torch.no_grad()
def outputs(network: nn.Module, images: Tensor, classes: int) -> Check:
    """Whether there is a finite logit for each image and class, in evaluation mode."""
    logits = copy.deepcopy(network).eval()(images)
    wanted = (len(images), classes)
    if tuple(logits.shape) != wanted:
        seen = f"{by(logits.shape)} for {len(images)} images, but must be {by(wanted)} (images x classes)"
        return Check("output", False, f"{seen}: mend the last layer in darkroom/network/architectures.py")
    if not torch.isfinite(logits).all():
        return Check("output", False, "not all logits are finite: mend the first weights, or model.weights")
    return Check("output", True, f"{by(wanted)} logits (images x classes), all finite")


@torch.no_grad()
def independence(network: nn.Module, images: Tensor) -> Check:
    """Whether the logits of an image are the same whatever else is in its batch, in evaluation mode.

    The first, middle and last image are each put into another batch. (In training, batch norm mixes images by design.)
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
    """Mean cross-entropy (nats) and accuracy in training mode, as in the first step."""
    trial = copy.deepcopy(network).train()
    loss = right = count = 0.0
    for images, labels in batches:
        logits = trial(images).float()
        loss += float(functional.cross_entropy(logits, labels, reduction="sum"))
        right += float((logits.argmax(1) == labels).sum())
        count += len(labels)
    return loss / count, right / count


def first_loss(loss: float, accuracy: float, classes: int, largest: float) -> Check:
    """Whether the untrained network is as unsure as it should be: loss about ln K, accuracy about the largest class.

    Random weights give logits with some deviation s, which adds s**2 / 2 nats to ln K: up to 1.5 in the networks here.
    From 3 nats on, the first epoch is spent on unlearning the first weights. `classes` is K; `largest` is the share of
    the largest class.
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
    """Whether every trainable parameter gets a finite, non-zero gradient in training mode, summed over all batches.

    A note where most units of a layer get none.
    """
    # 1. The gradients, summed over the batches.
    trial = copy.deepcopy(network).train()
    trial.zero_grad(set_to_none=True)
    for images, labels in batches:
        loss = functional.cross_entropy(trial(images).float(), labels)
        if loss.requires_grad:  # false if no parameter reaches the loss
            loss.backward()  # type: ignore[no-untyped-call]
    # 2. Parameters whose gradient is missing, not finite, or zero.
    found = {name: one.grad for name, one in trial.named_parameters() if one.requires_grad}
    cut = [name for name, grad in found.items() if grad is None]
    present = {name: grad for name, grad in found.items() if grad is not None}
    wild = [name for name, grad in present.items() if not torch.isfinite(grad).all()]
    zero = [name for name, grad in present.items() if not grad.any()]
    wrong = []
    if cut:
        wrong.append(f"none reaches {listed(cut)}, cut off from the loss: look for detach, or a layer left out")
    if wild:
        wrong.append(f"that of {listed(wild)} is not finite: look for a division, log or root of 0")
    if zero:
        wrong.append(
            f"that of {listed(zero)} is zero: dead units (ReLU) or saturated ones; try model.batch_norm true, another "
            "model.init or model.activation gelu"
        )
    if wrong or not found:
        return Check("gradient", False, "; ".join(wrong) or "there is no trainable parameter")
    seen = (
        f"finite and not zero for all {len(found)} parameter tensors ({architectures.parameter_count(trial):,} numbers)"
    )
    # 3. Layers of which most units get no gradient.
    units = {name: grad.flatten(1).any(1) for name, grad in present.items() if grad.ndim > 1}
    asleep = [name for name, awake in units.items() if awake.float().mean() < 0.5]
    if asleep:
        return Check(
            "gradient", None, f"{seen}, but most units of {listed(asleep)} get none from {len(batches)} batches"
        )
    return Check("gradient", True, seen)
