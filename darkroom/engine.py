"""The training loop: every step of it, in one place."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from darkroom.augment import Change
from darkroom.console import UserError
from darkroom.dataset import Images, Labels
from darkroom.models import decayed, normalise
from darkroom.params import Train


@dataclass(frozen=True)
class Data:
    """One split on the training device, whole: uint8 images (N x height x width x channels) and class numbers."""

    images: Tensor
    labels: Tensor

    @classmethod
    def on(cls, device: torch.device, images: Images, labels: Labels) -> "Data":
        return cls(torch.from_numpy(np.ascontiguousarray(images)).to(device), torch.from_numpy(labels).to(device))


@dataclass
class Result:
    """What training left: a row of figures per epoch, and the weights of the best one."""

    history: list[dict[str, float]] = field(default_factory=list)
    weights: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0
    stopped_early: bool = False


def choose_device(wish: str, *, portable: bool) -> torch.device:
    """The device that is asked for; `auto` is the GPU if there is one, and the CPU in portable mode.

    Raises UserError for a device that is not there.
    """
    if wish == "auto" and portable:
        return torch.device("cpu")
    if wish == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(wish)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"train.device is {wish}, but PyTorch sees {torch.cuda.device_count()} CUDA devices: use auto")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("train.device is mps, but PyTorch sees no Apple GPU: use auto or cpu")
    return device


def fit(
    model: nn.Module,
    train: Data,
    val: Data,
    mean: Tensor,
    std: Tensor,
    settings: Train,
    augment: Change,
    *,
    on_step: Callable[[], object],
    on_epoch: Callable[[dict[str, float]], object],
) -> Result:
    """Train `model` in place and return the history and the best weights.

    `mean` and `std` have the shape channels x 1 x 1 and the scale of the stored bytes. Best is the epoch with the
    highest accuracy on `val`, the lower loss deciding between equals. Training ends early when the loss is no longer
    a number. `on_step` is called after each step, `on_epoch` with each epoch's figures.
    """
    count, device = len(train.labels), train.labels.device
    steps = math.ceil(count / settings.batch_size)
    optimizer = make_optimizer(model, settings)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule(settings, steps * settings.epochs))
    # Order and augmentation are drawn on the CPU, so that a run on a GPU sees the same images.
    generator = torch.Generator().manual_seed(settings.seed)
    result = Result()
    best, waited, lowest = (-1.0, -math.inf), 0, math.inf
    for epoch in range(1, settings.epochs + 1):
        started = time.perf_counter()
        model.train()
        loss_sum = torch.zeros((), device=device)
        right = torch.zeros((), device=device)
        order = torch.randperm(count, generator=generator).to(device)
        for batch in torch.split(order, settings.batch_size):
            labels = train.labels[batch]
            # Float before augmentation; normalised after it, in place.
            images = augment(train.images[batch].permute(0, 3, 1, 2).to(mean.dtype), generator)
            logits = model((images - mean).div_(std))
            loss = functional.cross_entropy(logits, labels, label_smoothing=settings.label_smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            rate.step()
            # Sums stay on the device: asking for a number would wait for every step.
            loss_sum += loss.detach() * len(labels)
            right += (logits.detach().argmax(1) == labels).sum()
            on_step()
        val_loss, val_accuracy = validate(model, val, mean, std, settings.batch_size)
        figures: dict[str, float] = {
            "epoch": epoch,
            "train_loss": loss_sum.item() / count,
            "train_accuracy": right.item() / count,
            "val_loss": val_loss,
            "val_accuracy": val_accuracy,
            "lr": float(rate.get_last_lr()[0]),
            "seconds": time.perf_counter() - started,
        }
        result.history.append(figures)
        on_epoch(figures)
        if (val_accuracy, -val_loss) > best:
            best, result.best_epoch = (val_accuracy, -val_loss), epoch
            result.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}
        waited = 0 if val_loss < lowest else waited + 1
        lowest = min(lowest, val_loss)
        if not math.isfinite(figures["train_loss"]):
            break
        if settings.patience is not None and waited >= settings.patience:
            result.stopped_early = True
            break
    return result


def validate(model: nn.Module, data: Data, mean: Tensor, std: Tensor, batch_size: int) -> tuple[float, float]:
    """Mean cross-entropy, without label smoothing, and accuracy."""
    logits = predict(model, data.images, mean, std, batch_size)
    loss = functional.cross_entropy(logits, data.labels).item()
    return loss, (logits.argmax(1) == data.labels).double().mean().item()


@torch.inference_mode()
def predict(model: nn.Module, images: Tensor, mean: Tensor, std: Tensor, batch_size: int) -> Tensor:
    """Logits (N x classes) of stored images (uint8, N x height x width x channels), in evaluation mode."""
    model.eval()
    return torch.cat([model(normalise(part.to(mean.device), mean, std)) for part in torch.split(images, batch_size)])


def make_optimizer(model: nn.Module, settings: Train) -> torch.optim.Optimizer:
    """The optimiser that is asked for; weight decay on weights alone."""
    common: dict[str, Any] = {"lr": settings.lr, "weight_decay": settings.weight_decay}
    groups = decayed(model)
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=settings.momentum, nesterov=settings.momentum > 0, **common)
    if settings.optimizer == "adam":
        return torch.optim.Adam(groups, **common)
    return torch.optim.AdamW(groups, **common)


def schedule(settings: Train, steps: int) -> Callable[[int], float]:
    """The factor on the learning rate at each step: a linear rise, then constant or half a cosine down to zero.

    Cosine: Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts.
    """
    rise = settings.warmup * steps

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / (rise + 1)
        if settings.schedule == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1.0, steps - rise))))

    return factor
