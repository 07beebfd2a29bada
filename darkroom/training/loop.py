"""The training loop: phases of epochs, epochs of steps (`darkroom.training.step`)."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from darkroom.augment.randomness import seed_of, to_device
from darkroom.config.params import Train
from darkroom.network.normalisation import normalise
from darkroom.training.batches import Batches
from darkroom.training.explanations import explained
from darkroom.training.optimizers import AVERAGE_EVERY, Average, factor, set_rate
from darkroom.training.recipe import Recipe
from darkroom.training.step import Step

if TYPE_CHECKING:
    from lightning_fabric import Fabric

State = dict[str, Any]  # what a checkpoint holds: numbers, lists and tensors
Figures = dict[str, float]  # of one epoch


@dataclass
class Result:
    """What training left: a row of figures per epoch, and the weights of the best one."""

    history: list[Figures] = field(default_factory=list)
    weights: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0
    stopped_early: bool = False

    @property
    def diverged(self) -> bool:
        """Whether the loss is no longer a number."""
        return bool(self.history) and not math.isfinite(self.history[-1]["train_loss"])

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to train, though epochs may be left."""
        return self.stopped_early or self.diverged


@dataclass(frozen=True)
class Phase:
    """Epochs with one optimiser and one course of the learning rate: the head alone, then everything."""

    first: int
    last: int
    lr: float
    frozen: bool


@dataclass
class Place:
    """How far the training has come."""

    epoch: int = 0  # the last one that is done
    waited: int = 0  # epochs since the best one
    lowered: float = 1.0  # factor of the plateaus on the learning rate


def phases(settings: Train) -> Iterator[Phase]:
    """The phases of a training, in their order."""
    if settings.freeze_epochs:
        yield Phase(1, settings.freeze_epochs, settings.lr, frozen=True)
        lr = settings.lr * settings.unfreeze_lr_factor
        if settings.epochs > settings.freeze_epochs:
            yield Phase(settings.freeze_epochs + 1, settings.epochs, lr, frozen=False)
    else:
        yield Phase(1, settings.epochs, settings.lr, frozen=False)


@explained()
def fit(
    recipe: Recipe,
    train: Batches,
    val: Batches,
    *,
    resume: State | None = None,
    on_step: Callable[[], object] = lambda: None,
    on_epoch: Callable[[Figures, Callable[[], State]], object] = lambda figures, state: None,
) -> Result:
    """Train the recipe's network in place; return the history and the best weights.

    Best is the epoch with the best `settings.monitor` on `val`, the other figure deciding between equals. Training ends
    early when the loss is no longer a number. `on_step` is called after each step, `on_epoch` after each epoch with its
    figures and a function that gives the state: a later `fit` that gets it as `resume` goes on as if nothing had
    happened. With several processes each calls `fit` with the same arguments and gets the same result.

    Raises UserError where a GPU's memory is too small, and where batch norm gets one image alone.
    """
    settings = recipe.settings
    result, place = _taken_up(recipe, resume) if resume is not None else (Result(), Place())
    for phase in phases(settings):
        if place.epoch >= phase.last or result.ended:
            continue
        # 1. A phase has an optimiser and an average of its own, taken up where a killed training left them.
        step, average = Step(recipe, train, frozen=phase.frozen), Average(recipe.network, settings.ema)
        if resume is not None and place.epoch >= phase.first:
            step.optimizer.load_state_dict(resume["optimizer"])
            average.values = {name: value.to(recipe.fabric.device) for name, value in resume["average"].items()}
        elif place.epoch < phase.first:
            place.waited, place.lowered = 0, 1.0  # a plateau of the head is none of the whole network
        while place.epoch < phase.last and not result.ended:
            place.epoch += 1
            started, worked = time.perf_counter(), time.process_time()
            # 2. A step on every batch of the training images.
            rate = _epoch(step, average, phase, place, on_step)
            # 3. Validation of the weights that would be kept.
            average.swap()
            val_loss, val_accuracy = validate(recipe, step.model, val)
            sums = torch.stack([step.loss_sum, step.right])
            train_loss, train_accuracy = _shared(recipe.fabric, sums, len(train))
            figures: Figures = {
                "epoch": place.epoch,
                "train_loss": train_loss,
                "train_accuracy": train_accuracy,
                "val_loss": val_loss,
                "val_accuracy": val_accuracy,
                "lr": rate,
                "seconds": time.perf_counter() - started,
                "cpu_seconds": time.process_time() - worked,
            }
            # 4. Keep them if they are the best so far; else wait, lower the rate, or stop.
            _judge(result, figures, recipe, place, phase)
            average.swap()
            # 5. Tell, with all that a later run needs to go on from here.
            on_epoch(figures, partial(_state, recipe, result, dataclasses.asdict(place), step, average))
    return result


def _taken_up(recipe: Recipe, state: State) -> tuple[Result, Place]:
    """Put the network where a killed training had brought it; give what that had reached."""
    recipe.network.load_state_dict(state["network"])
    recipe.fabric.strategy.precision.load_state_dict(state["precision"])
    result = Result(state["history"], state["weights"], state["best_epoch"], state["stopped_early"])
    return result, Place(state["epoch"], state["waited"], state["lowered"])


def _state(recipe: Recipe, result: Result, place: State, step: Step, average: Average) -> State:
    return place | {
        "stopped_early": result.stopped_early,
        "history": result.history,
        "best_epoch": result.best_epoch,
        "weights": result.weights,
        "network": recipe.network.state_dict(),
        "optimizer": step.optimizer.state_dict(),
        "average": average.values,
        "precision": recipe.fabric.strategy.precision.state_dict(),  # of 16-mixed: the scale of the loss
    }


def _epoch(step: Step, average: Average, phase: Phase, place: Place, on_step: Callable[[], object]) -> float:
    """A step on every batch; gives the last learning rate. The sums of loss and right answers stay with `step`."""
    recipe, train = step.recipe, step.train
    settings = recipe.settings
    steps_each = math.ceil(len(train) / settings.batch_size)
    steps, done = steps_each * (phase.last - phase.first + 1), steps_each * (place.epoch - phase.first)
    # Everything random in an epoch follows from seed and epoch: a resumed run needs no generator's state.
    generator = torch.Generator().manual_seed(seed_of(settings.seed, place.epoch))
    torch.manual_seed(seed_of(settings.seed, place.epoch, recipe.fabric.global_rank))
    step.start()
    rate = 0.0
    # Batches of nearly equal size.
    positions = torch.tensor_split(train.order(generator, balance=settings.balanced), steps_each)
    for batch in step.batches(positions):
        rate = phase.lr * place.lowered * factor(settings, done, steps)
        set_rate(step.optimizer, settings, rate, done, steps)
        step(batch, generator, place.epoch)
        done += 1
        if settings.ema and done >= steps // 2 and done % AVERAGE_EVERY == 0:
            average.update()
        on_step()
    return rate


def _judge(result: Result, figures: Figures, recipe: Recipe, place: Place, phase: Phase) -> None:
    """Add an epoch to the history; keep its weights if it is the best, else wait: for a lower rate, or for the end."""
    settings = recipe.settings
    best = result.history[result.best_epoch - 1] if result.history else None
    better = best is None or _rank(figures, settings) > _rank(best, settings)
    result.history.append(figures)
    place.waited = 0 if better else place.waited + 1
    if better:
        result.best_epoch = place.epoch
        result.weights = {name: value.detach().clone() for name, value in recipe.network.state_dict().items()}
    if settings.schedule == "plateau" and place.waited and place.waited % settings.plateau_epochs == 0:
        place.lowered *= settings.gamma
    result.stopped_early = settings.patience is not None and place.waited >= settings.patience and not phase.frozen


def _rank(figures: Figures, settings: Train) -> tuple[float, float]:
    """Epochs compare by this: the higher, the better."""
    loss = figures["val_loss"] if math.isfinite(figures["val_loss"]) else math.inf  # nan is neither more nor less
    if settings.monitor == "val_loss":
        return -loss, figures["val_accuracy"]
    return figures["val_accuracy"], -loss


@torch.no_grad()
def validate(recipe: Recipe, model: nn.Module, data: Batches) -> tuple[float, float]:
    """Mean cross-entropy, without label smoothing, and accuracy; each image counts once over all processes.

    `model` is the recipe's network as the training runs it, compiled or spread over processes.
    """
    model.eval()
    fabric = recipe.fabric
    ours = torch.tensor_split(torch.arange(len(data)), fabric.world_size)[fabric.global_rank]
    parts = torch.split(ours, recipe.settings.batch_size)
    exact = torch.float32 if data.device.type == "mps" else torch.float64  # which an Apple GPU does not have
    sums = torch.zeros(2, dtype=exact, device=data.device)
    for part, images in zip(parts, data.read(parts), strict=True):
        logits = model(normalise(images, recipe.mean, recipe.std)).float()
        labels = data.labels[to_device(part, data.device)]
        sums[0] += functional.cross_entropy(logits, labels, reduction="none").to(exact).sum()
        sums[1] += (logits.argmax(1) == labels).sum()
    return _shared(fabric, sums, len(data))


@torch.inference_mode()
def logits(recipe: Recipe, data: Batches) -> Tensor:
    """What the network, in evaluation mode, makes of all images of a split: float32, N x classes, on the CPU.

    In this process alone, and in float32 whatever the precision of the training was, as `TrainedNetwork` works.
    """
    recipe.network.eval()
    parts = torch.split(torch.arange(len(data)), recipe.settings.batch_size)
    batches = data.read(parts)
    return torch.cat([recipe.network(normalise(images, recipe.mean, recipe.std)).cpu() for images in batches])


def _shared(fabric: "Fabric", sums: Tensor, count: int) -> tuple[float, float]:
    """Sums over all processes, as means over `count` images."""
    total = fabric.all_reduce(sums, reduce_op="sum")
    assert isinstance(total, Tensor)
    loss, right = total.tolist()
    return loss / count, right / count
