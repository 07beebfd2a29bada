"""The training loop: every step of it, in one place."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from darkroom.augment.mixing import mix
from darkroom.augment.pipeline import Change
from darkroom.augment.randomness import Draw, brought, seed_of
from darkroom.base.errors import UserError
from darkroom.config.params import Train
from darkroom.network.normalisation import normalise
from darkroom.training.batches import Batches
from darkroom.training.optimizers import (
    AVERAGE_EVERY,
    Average,
    absolute_sum,
    factor,
    limit_norms,
    make_optimizer,
    set_rate,
)

if TYPE_CHECKING:
    from lightning_fabric import Fabric

State = dict[str, Any]  # what a checkpoint holds: numbers, lists and tensors


@dataclass
class Result:
    """What training left: a row of figures per epoch, and the weights of the best one."""

    history: list[dict[str, float]] = field(default_factory=list)
    weights: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0
    stopped_early: bool = False

    @property
    def diverged(self) -> bool:
        """Whether the loss is no longer a number."""
        return bool(self.history) and not math.isfinite(self.history[-1]["train_loss"])


@dataclass(frozen=True)
class Phase:
    """Epochs with one optimiser and one course of the learning rate: the head alone, then everything."""

    first: int
    last: int
    lr: float
    frozen: bool


def phases(settings: Train) -> Iterator[Phase]:
    """The phases of a training, in their order."""
    if settings.freeze_epochs:
        yield Phase(1, settings.freeze_epochs, settings.lr, frozen=True)
        lr = settings.lr * settings.unfreeze_lr_factor
        if settings.epochs > settings.freeze_epochs:
            yield Phase(settings.freeze_epochs + 1, settings.epochs, lr, frozen=False)
    else:
        yield Phase(1, settings.epochs, settings.lr, frozen=False)


def training_mode(network: nn.Module, settings: Train, *, frozen: bool) -> None:
    """Training mode for the head and, unless `frozen`, the body; what keeps its statistics stays in evaluation mode."""
    network.train()
    features = network.get_submodule("features").train(not frozen)
    if settings.freeze_statistics:
        for module in features.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """PyTorch's complaints about a batch of one image and about memory, in our words."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise UserError(
            "the GPU's memory is too small for this training: lower train.batch_size, raise train.accumulate, or lower "
            "train.memory_share"
        ) from None
    except (ValueError, RuntimeError) as error:  # torch.compile wraps the ValueError
        if "more than 1 value per channel" not in str(error):
            raise
        raise UserError(
            "batch norm cannot work on one image at a time: raise train.batch_size, lower train.accumulate, or set "
            "model.batch_norm to false"
        ) from None


@explained()
def fit(
    fabric: "Fabric",
    network: nn.Sequential,
    train: Batches,
    val: Batches,
    mean: Tensor,
    std: Tensor,
    settings: Train,
    augment: Change,
    *,
    resume: State | None = None,
    on_step: Callable[[], object] = lambda: None,
    on_epoch: Callable[[dict[str, float], Callable[[], State]], object] = lambda figures, state: None,
) -> Result:
    """Train `network` (children `features` and `head`) in place; return the history and the best weights.

    `mean` and `std` have the shape channels x 1 x 1 and the scale of the stored bytes. Best is the epoch with the best
    `settings.monitor` on `val`, the other figure deciding between equals. Training ends early when the loss is no
    longer a number. `on_step` is called after each step, `on_epoch` after each epoch with its figures and a function
    that gives the state: a later `fit` that gets it as `resume` goes on as if nothing had happened. With several
    processes each calls `fit` with the same arguments and gets the same result.

    Raises UserError where a GPU's memory is too small, and where batch norm gets one image alone.
    """
    device, world, rank = fabric.device, fabric.world_size, fabric.global_rank
    features, classes = network.get_submodule("features"), _classes(network)
    result, epoch, waited, lowered = Result(), 0, 0, 1.0
    if resume is not None:
        network.load_state_dict(resume["network"])
        fabric.strategy.precision.load_state_dict(resume["precision"])
        result = Result(resume["history"], resume["weights"], resume["best_epoch"], resume["stopped_early"])
        epoch, waited, lowered = resume["epoch"], resume["waited"], resume["lowered"]
    steps_each = math.ceil(len(train) / settings.batch_size)
    weights = class_weights(train.labels, classes) if settings.class_weights else None

    for phase in phases(settings):
        if epoch >= phase.last or result.stopped_early or result.diverged:
            continue
        if epoch < phase.first:
            waited, lowered = 0, 1.0  # a plateau of the head is none of the whole network
        for parameter in features.parameters():
            parameter.requires_grad_(not phase.frozen)
        optimizer = make_optimizer(network, settings, scaled=fabric.strategy.precision.precision == "16-mixed")
        average = Average(network, settings.ema)
        if resume is not None and epoch >= phase.first:
            optimizer.load_state_dict(resume["optimizer"])
            average.values = {name: value.to(device) for name, value in resume["average"].items()}
        compiled: nn.Module = torch.compile(network) if settings.compile else network  # type: ignore[assignment]
        model, stepper = fabric.setup(compiled, optimizer, move_to_device=False)
        steps = steps_each * (phase.last - phase.first + 1)
        step = steps_each * max(0, epoch - phase.first + 1)

        while epoch < phase.last:
            epoch, started, worked = epoch + 1, time.perf_counter(), time.process_time()
            # Everything random in an epoch follows from seed and epoch: a resumed run needs no generator's state.
            generator = torch.Generator().manual_seed(seed_of(settings.seed, epoch))
            torch.manual_seed(seed_of(settings.seed, epoch, rank))
            training_mode(network, settings, frozen=phase.frozen)
            loss_sum, right = torch.zeros((), device=device), torch.zeros((), device=device)
            # Batches of nearly equal size; each is cut into one part for each process and accumulation.
            whole = torch.tensor_split(train.order(generator, balance=settings.balanced), steps_each)
            own = [_own_parts(len(batch), world, rank, settings.accumulate) for batch in whole]
            source = train.read([batch[part] for batch, parts in zip(whole, own, strict=True) for part in parts])
            for batch, parts in zip(whole, own, strict=True):
                rate = phase.lr * lowered * factor(settings, step, steps)
                set_rate(optimizer, settings, rate, step, steps)
                before = generator.get_state() if len(parts) > 1 else None
                for part in parts:
                    if before is not None:
                        generator.set_state(before)  # every part draws the numbers of the whole batch, and uses its own
                    draw = Draw(generator, batch, part, epoch, device)
                    labels = train.labels[draw.ours()]
                    # Float before augmentation; normalised after it, in place.
                    images = augment(next(source).permute(0, 3, 1, 2).to(mean.dtype), draw)
                    images, targets = mix(images, labels, draw, settings, classes)
                    last = part is parts[-1]
                    with contextlib.nullcontext() if last else fabric.no_backward_sync(model):
                        logits = model(images.sub(mean).div_(std))
                        losses = functional.cross_entropy(
                            logits, targets, weights, label_smoothing=settings.label_smoothing, reduction="none"
                        )
                        # Processes' gradients are averaged: times `world`, the sum is over the whole batch.
                        loss = losses.sum() * (world / len(batch))
                        if settings.l1 and last:
                            loss = loss + settings.l1 * absolute_sum(network)
                        fabric.backward(loss)
                    # Sums stay on the device: asking for a number would wait for every step.
                    loss_sum += losses.detach().sum()
                    right += (logits.detach().argmax(1) == labels).sum()
                if settings.clip is not None:
                    # A gradient that is no number ends the training after the epoch, or is skipped by 16-mixed.
                    fabric.clip_gradients(model, stepper, max_norm=settings.clip, error_if_nonfinite=False)
                stepper.step()
                stepper.zero_grad(set_to_none=True)
                if settings.max_norm is not None:
                    limit_norms(network, settings.max_norm)
                step += 1
                if settings.ema and step >= steps // 2 and step % AVERAGE_EVERY == 0:
                    average.update()
                on_step()

            average.swap()
            val_loss, val_accuracy = validate(fabric, model, val, mean, std, settings.batch_size)
            train_loss, train_accuracy = _shared(fabric, torch.stack([loss_sum, right]), len(train))
            figures: dict[str, float] = {
                "epoch": epoch,
                "train_loss": train_loss,
                "train_accuracy": train_accuracy,
                "val_loss": val_loss,
                "val_accuracy": val_accuracy,
                "lr": rate,
                "seconds": time.perf_counter() - started,
                "cpu_seconds": time.process_time() - worked,
            }
            best = result.history[result.best_epoch - 1] if result.history else None
            better = best is None or _rank(figures, settings) > _rank(best, settings)
            result.history.append(figures)
            waited = 0 if better else waited + 1
            if better:
                result.best_epoch = epoch
                result.weights = {name: value.detach().clone() for name, value in network.state_dict().items()}
            average.swap()
            if settings.schedule == "plateau" and waited and waited % settings.plateau_epochs == 0:
                lowered *= settings.gamma
            result.stopped_early = settings.patience is not None and waited >= settings.patience and not phase.frozen

            here = {"epoch": epoch, "waited": waited, "lowered": lowered}
            on_epoch(figures, partial(_state, fabric, result, here, network, optimizer, average))
            if result.stopped_early or result.diverged:
                return result
    return result


def _state(
    fabric: "Fabric",
    result: Result,
    here: State,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: Average,
) -> State:
    return here | {
        "stopped_early": result.stopped_early,
        "history": result.history,
        "best_epoch": result.best_epoch,
        "weights": result.weights,
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "average": average.values,
        "precision": fabric.strategy.precision.state_dict(),  # of 16-mixed: the scale of the loss
    }


@torch.no_grad()
def validate(
    fabric: "Fabric", model: nn.Module, data: Batches, mean: Tensor, std: Tensor, batch_size: int
) -> tuple[float, float]:
    """Mean cross-entropy, without label smoothing, and accuracy; each image counts once over all processes."""
    model.eval()
    ours = torch.tensor_split(torch.arange(len(data)), fabric.world_size)[fabric.global_rank]
    parts = torch.split(ours, batch_size)
    exact = torch.float32 if data.device.type == "mps" else torch.float64  # which an Apple GPU does not have
    sums = torch.zeros(2, dtype=exact, device=data.device)
    for part, images in zip(parts, data.read(parts), strict=True):
        logits = model(normalise(images, mean, std)).float()
        labels = data.labels[brought(part, data.device)]
        sums[0] += functional.cross_entropy(logits, labels, reduction="none").to(exact).sum()
        sums[1] += (logits.argmax(1) == labels).sum()
    return _shared(fabric, sums, len(data))


@torch.inference_mode()
def logits(network: nn.Module, data: Batches, mean: Tensor, std: Tensor, batch_size: int) -> Tensor:
    """What the network, in evaluation mode, makes of all images of a split: float32, N x classes, on the CPU.

    In this process alone, and in float32 whatever the precision of the training was, as `Classifier` works.
    """
    network.eval()
    parts = torch.split(torch.arange(len(data)), batch_size)
    return torch.cat([network(normalise(images, mean, std)).cpu() for images in data.read(parts)])


def _shared(fabric: "Fabric", sums: Tensor, count: int) -> tuple[float, float]:
    """Sums over all processes, as means over `count` images."""
    total = fabric.all_reduce(sums, reduce_op="sum")
    assert isinstance(total, Tensor)
    loss, right = total.tolist()
    return loss / count, right / count


def _classes(network: nn.Module) -> int:
    *_, last = network.modules()
    assert isinstance(last, nn.Linear)
    return last.out_features


def class_weights(labels: Tensor, classes: int) -> Tensor:
    """Weights inverse to the classes' shares of the labels; their mean over the labels is 1."""
    counts = torch.bincount(labels, minlength=classes).float()
    return torch.where(counts > 0, len(labels) / (counts.clamp(min=1) * (counts > 0).sum()), 0.0)


def _own_parts(count: int, world: int, rank: int, accumulate: int) -> list[Tensor]:
    """This process's places in a batch, in as many parts as are worked off one after another."""
    mine = torch.tensor_split(torch.arange(count), world)[rank]
    # As many as the smallest share allows: processes that wait for one another must have equally many.
    return list(torch.tensor_split(mine, max(1, min(accumulate, count // world))))


def _rank(figures: dict[str, float], settings: Train) -> tuple[float, float]:
    """Epochs compare by this: the higher, the better."""
    loss = figures["val_loss"] if math.isfinite(figures["val_loss"]) else math.inf  # nan is neither more nor less
    if settings.monitor == "val_loss":
        return -loss, figures["val_accuracy"]
    return figures["val_accuracy"], -loss
