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
from darkroom.dataset.scores import MONITORED
from darkroom.network.normalisation import normalise
from darkroom.training.batches import Batches, Source
from darkroom.training.explanations import explained
from darkroom.training.frozen_phase import head_only
from darkroom.training.optimizers import AVERAGE_EVERY, Average, factor, set_rate
from darkroom.training.recipe import Recipe
from darkroom.training.step import Step

if TYPE_CHECKING:
    from lightning_fabric import Fabric

State = dict[str, Any]  # what a checkpoint holds: numbers, lists and tensors
Figures = dict[str, float]  # of one epoch
OnStep = Callable[[float, Step], object]  # after a step, with its learning rate


@dataclass
class Result:
    """The result of a training: figures for each epoch, and the weights of the best one."""

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
        """Whether the training stops, though epochs may be left."""
        return self.stopped_early or self.diverged


@dataclass(frozen=True)
class Phase:
    """Epochs with one optimiser and one learning-rate schedule: first the head alone, then everything."""

    first: int  # epoch, from 1
    last: int
    lr: float
    frozen: bool


@dataclass
class Progress:
    """How far the training has come."""

    epoch: int = 0  # the last one that is done
    waited: int = 0  # epochs since the best one
    lowered: float = 1.0  # the factor by which plateaus have lowered the learning rate


def phases(settings: Train) -> Iterator[Phase]:
    """The phases of a training, in their order."""
    if settings.freeze_epochs:
        yield Phase(1, settings.freeze_epochs, settings.lr, frozen=True)
        lr = settings.lr * settings.unfreeze_lr_factor
        if settings.epochs > settings.freeze_epochs:
            yield Phase(settings.freeze_epochs + 1, settings.epochs, lr, frozen=False)
    else:
        yield Phase(1, settings.epochs, settings.lr, frozen=False)


def fit(
    recipe: Recipe,
    train: Batches,
    val: Batches,
    *,
    resume: State | None = None,
    on_step: OnStep = lambda rate, step: None,
    on_epoch: Callable[[Figures, Callable[[], State]], object] = lambda figures, state: None,
) -> Result:
    """Train the recipe's network in place; return the history and the best weights.

    The best epoch is the one with the best `settings.monitor` on `val`; between equals the loss decides, or the
    accuracy where the loss is the monitor. The training stops early when the loss is no longer a number. `on_step` is
    called after each step, with its learning rate, `on_epoch` after each epoch, with its figures and a function that
    gives the state. A later `fit` with this state as `resume` goes on as if it had never stopped. With several
    processes, each calls `fit` with the same arguments and gets the same result.

    Raises UserError if the memory is too small, and if batch norm gets a single image.
    """
    with explained(recipe.settings):
        return _fit(recipe, train, val, resume, on_step, on_epoch)


def _fit(
    recipe: Recipe,
    train: Batches,
    val: Batches,
    resume: State | None,
    on_step: OnStep,
    on_epoch: Callable[[Figures, Callable[[], State]], object],
) -> Result:
    settings = recipe.settings
    result, progress = _restored(recipe, resume) if resume is not None else (Result(), Progress())
    for phase in phases(settings):
        if progress.epoch >= phase.last or result.ended:
            continue
        # 1. Where the head alone learns, it is given features, which the body makes once.
        head = head_only(recipe, train, val, phase.last - phase.first + 1) if phase.frozen else None
        taught, lessons, checked = (head.recipe, head.train, head.val) if head else (recipe, train, val)
        # 2. Each phase has its own optimiser and average; in a resumed phase they continue from the checkpoint.
        step, average = Step(taught, lessons, frozen=phase.frozen), Average(taught.network, settings.ema)
        if resume is not None and progress.epoch >= phase.first:
            step.optimizer.load_state_dict(resume["optimizer"])
            average.values = {name: value.to(recipe.fabric.device) for name, value in resume["average"].items()}
        elif progress.epoch < phase.first:
            progress.waited, progress.lowered = 0, 1.0  # a plateau of the head alone does not count
        while progress.epoch < phase.last and not result.ended:
            progress.epoch += 1
            started, worked = time.perf_counter(), time.process_time()
            # 3. Take a step on every batch of the training images.
            if head:
                head.start(progress.epoch)
            rate = _epoch(step, average, phase, progress, on_step)
            # 4. Validate the weights that would be kept: the average, if there is one.
            average.swap()
            reached = validate(taught, step.model, checked)
            sums = torch.stack([step.loss_sum, step.right])
            train_loss, train_accuracy = _means(recipe.fabric, sums, len(train))
            figures: Figures = {
                "epoch": progress.epoch,
                "train_loss": train_loss,
                "train_accuracy": train_accuracy,
                **reached,
                "lr": rate,
                "seconds": time.perf_counter() - started,
                "cpu_seconds": time.process_time() - worked,
            }
            # 5. Keep them if they are the best so far; else wait, lower the rate, or stop.
            _compare_with_best(result, figures, recipe, progress, phase)
            average.swap()
            # 6. Report the epoch, with the state from which a later run can resume.
            on_epoch(figures, partial(_state, recipe, result, dataclasses.asdict(progress), step, average))
    return result


def _restored(recipe: Recipe, state: State) -> tuple[Result, Progress]:
    """Put the state of a killed training into the network; return its result so far and its progress."""
    recipe.network.load_state_dict(state["network"])
    recipe.fabric.strategy.precision.load_state_dict(state["precision"])
    result = Result(state["history"], state["weights"], state["best_epoch"], state["stopped_early"])
    return result, Progress(state["epoch"], state["waited"], state["lowered"])


def _state(recipe: Recipe, result: Result, progress: State, step: Step, average: Average) -> State:
    return progress | {
        "stopped_early": result.stopped_early,
        "history": result.history,
        "best_epoch": result.best_epoch,
        "weights": result.weights,
        "network": recipe.network.state_dict(),
        "optimizer": step.optimizer.state_dict(),
        "average": average.values,
        "precision": recipe.fabric.strategy.precision.state_dict(),  # 16-mixed keeps the scale of the loss here
    }


def _epoch(step: Step, average: Average, phase: Phase, progress: Progress, on_step: OnStep) -> float:
    """Take a step on every batch; return the last learning rate. `step` sums up loss and right predictions."""
    recipe, train = step.recipe, step.train
    settings = recipe.settings
    steps_each = math.ceil(len(train) / settings.batch_size)
    steps, done = steps_each * (phase.last - phase.first + 1), steps_each * (progress.epoch - phase.first)
    # Seed and epoch decide everything random in an epoch, so a resumed run needs no state of a generator.
    generator = torch.Generator().manual_seed(seed_of(settings.seed, progress.epoch))
    torch.manual_seed(seed_of(settings.seed, progress.epoch, recipe.fabric.global_rank))
    step.start()
    rate = 0.0
    # Batches of nearly equal size.
    positions = torch.tensor_split(train.order(generator, balance=settings.balanced), steps_each)
    for batch in step.batches(positions):
        rate = phase.lr * progress.lowered * factor(settings, done, steps)
        set_rate(step.optimizer, settings, rate, done, steps)
        step(batch, generator, progress.epoch)
        done += 1
        if settings.ema and done >= steps // 2 and done % AVERAGE_EVERY == 0:
            average.update()
        on_step(rate, step)
    return rate


def _compare_with_best(result: Result, figures: Figures, recipe: Recipe, progress: Progress, phase: Phase) -> None:
    """Add an epoch to the history; keep its weights if it is the best, else perhaps lower the rate, or stop."""
    settings = recipe.settings
    best = result.history[result.best_epoch - 1] if result.history else None
    better = best is None or _rank(figures, settings) > _rank(best, settings)
    result.history.append(figures)
    progress.waited = 0 if better else progress.waited + 1
    if better:
        result.best_epoch = progress.epoch
        result.weights = {name: value.detach().clone() for name, value in recipe.network.state_dict().items()}
    if settings.schedule == "plateau" and progress.waited and progress.waited % settings.plateau_epochs == 0:
        progress.lowered *= settings.gamma
    result.stopped_early = settings.patience is not None and progress.waited >= settings.patience and not phase.frozen


def _rank(figures: Figures, settings: Train) -> tuple[float, float]:
    """The rank of an epoch: the higher, the better."""
    loss = figures["val_loss"] if math.isfinite(figures["val_loss"]) else math.inf  # nan cannot be compared
    if settings.monitor == "val_loss":
        return -loss, figures["val_accuracy"]
    reached = figures[settings.monitor]
    return reached if math.isfinite(reached) else -math.inf, -loss


@torch.no_grad()
def validate(recipe: Recipe, model: nn.Module, data: Source) -> Figures:
    """`val_loss` and `val_accuracy` over all images, and the monitored score if it is another; processes divide them.

    The loss is the mean cross-entropy without label smoothing. For a score each process holds the logits of all images,
    in float32. `model` is the recipe's network as the training runs it: perhaps compiled, perhaps wrapped for several
    processes.
    """
    model.eval()
    fabric = recipe.fabric
    ours = torch.tensor_split(torch.arange(len(data)), fabric.world_size)[fabric.global_rank]
    parts = torch.split(ours, recipe.settings.at_a_time)
    exact = torch.float32 if data.device.type == "mps" else torch.float64  # an Apple GPU has no float64
    sums = torch.zeros(2, dtype=exact, device=data.device)
    monitor = recipe.settings.monitor
    kept = torch.zeros(len(data), recipe.classes, device=data.device) if monitor in MONITORED else None
    for part, images in zip(parts, data.read(parts), strict=True):
        logits = model(normalise(images, recipe.mean, recipe.std)).float()
        places = to_device(part, data.device)
        labels = data.labels[places]
        sums[0] += functional.cross_entropy(logits, labels, reduction="none").to(exact).sum()
        sums[1] += (logits.argmax(1) == labels).sum()
        if kept is not None:
            kept[places] = logits
    loss, accuracy = _means(fabric, sums, len(data))
    figures = {"val_loss": loss, "val_accuracy": accuracy}
    return figures if kept is None else figures | {monitor: _score(recipe, kept, data.labels)}


def _score(recipe: Recipe, kept: Tensor, labels: Tensor) -> float:
    """The monitored score of all images; each process has `kept` its share of the logits, and zeros elsewhere."""
    fabric = recipe.fabric
    everyone = fabric.all_reduce(kept, reduce_op="sum")
    assert isinstance(everyone, Tensor)
    # In float64, where few probabilities are equal by rounding; the first process decides for all.
    probabilities = everyone.cpu().double().softmax(1).numpy()
    score: float = fabric.broadcast(MONITORED[recipe.settings.monitor].of(labels.cpu().numpy(), probabilities))
    return score


@torch.inference_mode()
def logits(recipe: Recipe, images: Batches) -> Tensor:
    """The logits of all images of a split, in evaluation mode: float32, N x classes, on the CPU.

    This process computes all of them, in float32 whatever `train.precision` is, just as `TrainedNetwork` does.
    """
    data: Source = images
    if recipe.settings.freeze_epochs >= recipe.settings.epochs and (head := head_only(recipe, images, images, 1)):
        head.val.start(None, 0)
        recipe, data = head.recipe, head.val
    recipe.network.eval()
    parts = torch.split(torch.arange(len(data)), recipe.settings.at_a_time)
    batches = data.read(parts)
    return torch.cat([recipe.network(normalise(images, recipe.mean, recipe.std)).cpu() for images in batches])


def _means(fabric: "Fabric", sums: Tensor, count: int) -> tuple[float, float]:
    """Add two sums (loss, right predictions) over all processes and divide them by the `count` of images."""
    total = fabric.all_reduce(sums, reduce_op="sum")
    assert isinstance(total, Tensor)
    loss, right = total.tolist()
    return loss / count, right / count
