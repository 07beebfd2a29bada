"""Runs one training from parameters to files; it resumes a killed training, and reports after each epoch."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch

from darkroom.base import paths
from darkroom.base.console import bar
from darkroom.base.errors import UserError
from darkroom.base.files import fingerprint, sha256, write_text
from darkroom.base.words import counted
from darkroom.config.catalogue import Entry
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import Params, Train
from darkroom.config.stage_files import Stats
from darkroom.dataset import fraction
from darkroom.dataset.packed import Images, Labels, Rows, labels_of, load_classes, load_images, load_index, load_split
from darkroom.dataset.scores import MONITORED
from darkroom.network import architectures, devices, layer_table
from darkroom.training import agreement, forecast, frozen_phase, loop, memory_plan, outputs
from darkroom.training.batches import Batches
from darkroom.training.calibration import fit_temperature
from darkroom.training.checkpoint import Checkpoint, decisive_files, parts_of
from darkroom.training.loop import Figures, Result, State
from darkroom.training.recipe import Recipe, from_parameters
from darkroom.training.step import Step
from darkroom.training.step_figures import StepFigures, StepTrace

SAVE_SECONDS = 5  # between checkpoints, at least


class Record(Protocol):
    """What a training needs of its record in MLflow; `darkroom.tracking` implements it."""

    @property
    def run_id(self) -> str | None: ...
    def epoch(self, figures: Figures, steps: Sequence[StepFigures]) -> None: ...
    def trained(self, digest: str, register_as: str | None) -> None: ...


# Opens a record for these facts and this table of layers, or continues the one with this run_id.
OpenRecord = Callable[[ModelFacts, str, str | None], AbstractContextManager[Record]]


@dataclass(frozen=True)
class Trained:
    """A finished training."""

    facts: ModelFacts
    result: Result
    images: int  # trained on

    def in_words(self) -> str:
        """What was written, in one line."""
        history, number = self.result.history, self.result.best_epoch
        best = history[number - 1]
        return (
            f"wrote {paths.WEIGHTS} ({self.facts.parameters:,} parameters, best of {len(history)} epochs: {number}, "
            f"{best['val_accuracy']:.2%}{monitored(best)} on val) and {paths.MODEL}{self._quick_look()}"
        )

    def _quick_look(self) -> str:
        share = self.facts.train.fraction
        if share == 1:
            return ""
        return f"\na quick look: trained on {counted(self.images, 'image')} alone, for train.fraction is {share:g}"


def train(params: Params, entry: Entry, open_record: OpenRecord) -> Trained | None:
    """Train on the packed data set, write model and figures, and record them.

    With several processes each calls this function; only the first writes, and the others return None. Raises UserError
    if the packed images do not have the catalogue's shape, if processes disagree, if the training diverges, and as
    `from_parameters` does.
    """
    # 1. Build network, augmentation and data, and check that all processes have the same.
    images, index, classes = checked_images(entry), load_index("label"), load_classes()
    rows = {"train": training_rows(params.train), "val": load_split("val")}
    decisive = decisive_files()
    asked = fingerprint([params.model_dump(), torch.__version__], decisive)
    device = devices.device_of_training(params.train)
    held = sum(map(len, rows.values())) * images[0].nbytes
    taken = memory_plan.plan(params, entry.shape, len(classes), device, held, parts_of(asked))
    params = params.model_copy(update={"train": params.train.model_copy(update={"accumulate": taken.parts})})
    recipe, facts = from_parameters(params, entry, classes, Stats.read(paths.STATS), device)
    agreement.require(facts, decisive)
    labels = {name: labels_of(index, rows[name]) for name in rows}
    _check_monitor(params.train.monitor, labels["val"], classes)
    data = recipe.data(images, rows, labels)
    if not recipe.fabric.is_global_zero:
        loop.fit(recipe, data["train"], data["val"], resume=recipe.fabric.broadcast(None))
        return None
    # 2. Load the checkpoint of the same training, if one was killed.
    checkpoint = Checkpoint(fingerprint([facts.model_dump(), torch.__version__], decisive))
    resume = recipe.fabric.broadcast(checkpoint.load())
    checkpoint.note_parts(asked, taken.parts)
    of_features = frozen_phase.in_words(recipe, sum(map(len, rows.values())))
    print(*taken.in_words(), forecast.disk(taken, params.train), *of_features, sep="\n", flush=True)
    # With several processes the network has shared batch norms, which the table of layers must not show.
    alone = recipe.fabric.world_size == 1
    plain = recipe.network if alone else architectures.build(params.model, entry.shape, len(classes))
    layers = layer_table.table(plain, facts.seen)
    # 3. Train, and write the files.
    with open_record(facts, layers, resume["run_id"] if resume else None) as record:
        result = _run_loop(recipe, data, checkpoint, record, resume, params.tracking.steps)
        recipe.network.load_state_dict(result.weights)
        temperature = fit_temperature(data["val"].labels.cpu().numpy(), loop.logits(recipe, data["val"]).numpy())
        facts = facts.model_copy(update={"temperature": temperature})
        outputs.write(facts, result, recipe.network, checkpoint.folder / "epochs")
        outputs.write_augmented(facts, images, rows["train"])
        write_text(paths.LAYERS, layers + "\n")
        record.trained(sha256(paths.WEIGHTS), params.tracking.register_as)
    checkpoint.clear()
    return Trained(facts, result, len(rows["train"]))


def training_rows(settings: Train) -> Rows:
    """The rows to train on: the split train, or the share of it that the settings ask for."""
    rows = load_split("train")
    if settings.fraction == 1:
        return rows
    return fraction.take(load_index("row", "label", "sha256", "group"), rows, settings.fraction, settings.seed)


def checked_images(entry: Entry) -> Images:
    """The packed images. Raises UserError if the catalogue asks for another shape."""
    images = load_images()
    if images.shape[1:] != entry.shape:
        raise UserError(
            f"the images in {paths.IMAGES} are {images.shape[1:]} (height, width, channels), but {paths.DATASETS} asks "
            f"for {entry.shape}: `dvc repro` brings them to it"
        )
    return images


def _check_monitor(monitor: str, labels: Labels, classes: list[str]) -> None:
    """Raise UserError if the monitored figure is undefined for the `labels` of val."""
    if monitor in MONITORED and MONITORED[monitor].needs_two_classes and len(np.unique(labels)) == 1:
        raise UserError(
            f"train.monitor is {monitor}, which is undefined where all images are of one class, and those of val are "
            f"all {classes[labels[0]]!r}: set it to val_loss, or give val images of other classes"
        )


def _run_loop(
    recipe: Recipe,
    data: dict[str, Batches],
    checkpoint: Checkpoint,
    record: Record,
    resume: State | None,
    every: int | None,
) -> Result:
    """Run the loop with a progress bar; trace `every` so many steps. Raises UserError if the training diverges."""
    history: list[Figures] = list(resume["history"]) if resume else []
    if resume:
        print(f"an earlier run of this training was cut off: going on after epoch {resume['epoch']}")
        outputs.write_history(history)
    settings = recipe.settings
    each = -(-len(data["train"]) // settings.batch_size)
    trace = StepTrace(every, done=each * len(history))
    with bar(what="train", unit="step", total=settings.epochs * each, initial=each * len(history)) as shown:
        after = AfterEpoch(history, recipe, checkpoint, record, trace, shown)
        images = {name: len(data[name]) for name in data}
        quick = 0 if frozen_phase.why_not(recipe, sum(images.values())) else settings.freeze_epochs
        pace = forecast.Pace(settings, images, len(history), quick, shown.write)

        def on_step(rate: float, step: Step) -> None:
            shown.update()
            pace()
            trace(rate, step)

        try:
            result = loop.fit(recipe, data["train"], data["val"], resume=resume, on_step=on_step, on_epoch=after)
        except KeyboardInterrupt:
            if history:
                shown.write(f"{paths.HISTORY} has what was done: {counted(len(history), 'epoch')}", file=sys.stderr)
            raise
    if result.diverged:
        checkpoint.clear()
        raise UserError(
            f"training diverged: the loss is no longer a number after epoch {len(history)}. Lower train.lr, "
            f"or raise train.warmup; {paths.HISTORY} has the epochs up to there, no model was written"
        )
    return result


@dataclass
class AfterEpoch:
    """After each epoch: writes the history, tells the user and the record, and saves the state."""

    history: list[Figures]
    recipe: Recipe
    checkpoint: Checkpoint
    record: Record
    trace: StepTrace
    shown: Any  # the bar
    saved: float = field(default_factory=time.monotonic)

    def __call__(self, figures: Figures, state: Callable[[], State]) -> None:
        settings = self.recipe.settings
        self.history.append(figures)
        epoch = len(self.history)
        outputs.write_history(self.history)
        self.record.epoch(figures, self.trace.taken())
        self.shown.write(line_of(figures, settings.epochs))
        sys.stdout.flush()  # else a file or a pipe would get the lines only at the end
        if settings.keep_epochs:
            outputs.save_weights(
                self.checkpoint.folder / "epochs" / f"epoch-{epoch:03}.safetensors", self.recipe.network
            )
        if epoch == settings.epochs or time.monotonic() - self.saved >= SAVE_SECONDS:
            self.checkpoint.save(state() | {"run_id": self.record.run_id})
            self.saved = time.monotonic()


def line_of(figures: Figures, epochs: int) -> str:
    """One epoch in words. Losses are in nats; the training loss includes augmentation and label smoothing."""
    number = f"{figures['epoch']:.0f}".rjust(len(str(epochs)))
    train, val = (
        f"{name} loss {figures[f'{name}_loss']:.4f}, accuracy {figures[f'{name}_accuracy']:.2%}"
        for name in ("train", "val")
    )
    return f"epoch {number}/{epochs}  {train}  {val}{monitored(figures)}  {figures['seconds']:.1f} s"


def monitored(figures: Figures) -> str:
    """The monitored score in words, as `, macro F1 0.8123`; empty if it is the loss or the accuracy."""
    return "".join(f", {score.title} {figures[name]:.4f}" for name, score in MONITORED.items() if name in figures)
