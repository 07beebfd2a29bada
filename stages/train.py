"""Train the network, and keep the weights of the epoch that is best on validation."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from darkroom.base import paths, torch_setup
from darkroom.base.console import bar, done, run
from darkroom.base.errors import UserError
from darkroom.base.files import replacing, replacing_folder, sha256, write_csv, write_text
from darkroom.config import own_code
from darkroom.config.catalogue import Entry
from darkroom.config.params import Params, load
from darkroom.config.stage_files import ModelFacts, Stats, TrainingFigures
from darkroom.config.stage_tables import HISTORY
from darkroom.dataset.packed import Images, labels_of, load_classes, load_images, load_index, load_split

if TYPE_CHECKING:
    from torch.nn import Module

    from darkroom.tracking.recording import Run
    from darkroom.training.checkpoint import Checkpoint
    from darkroom.training.loop import Figures, Result
    from darkroom.training.recipe import Recipe

# Every file in them is part of the fingerprint of a checkpoint: a killed training is never taken up by changed code.
DECISIVE_ROOMS = ("base", "config", "dataset", "augment", "network", "training")
SAVE_SECONDS = 5  # between checkpoints, at least


def main() -> None:
    params, entry = load(images=len(load_split("train")))
    settings = params.train
    # Before any import of torch: some settings are read when it loads.
    torch_setup.torch_for(threads=settings.threads, portable=settings.portable, processes=settings.devices)
    train(params, entry)


def train(params: Params, entry: Entry) -> None:
    """Train on the packed data set and write model and figures; record the run.

    With several processes each runs this, and only the first writes.
    """
    import torch

    from darkroom.network import architectures, layer_table
    from darkroom.tracking import recording
    from darkroom.training import loop
    from darkroom.training.calibration import fit_temperature
    from darkroom.training.checkpoint import Checkpoint, fingerprint
    from darkroom.training.recipe import from_parameters

    images, index, classes = checked_images(entry), load_index("label"), load_classes()
    recipe, facts = from_parameters(params, entry, classes, Stats.read(paths.STATS))
    settings, fabric = recipe.settings, recipe.fabric
    rows = {name: load_split(name) for name in ("train", "val")}
    labels = {name: labels_of(index, rows[name]) for name in rows}
    data = recipe.data(images, rows, labels)
    if not fabric.is_global_zero:
        loop.fit(recipe, data["train"], data["val"], resume=fabric.broadcast(None))
        return
    checkpoint = Checkpoint(fingerprint([facts.model_dump(), torch.__version__], decisive_files()))
    resume = fabric.broadcast(checkpoint.load())
    # Several processes have put norms of their own into the network.
    plain = recipe.network if fabric.world_size == 1 else architectures.build(params.model, entry.shape, len(classes))
    layers = layer_table.table(plain, entry.shape)
    print(layers)
    history = list(resume["history"]) if resume else []
    if resume:
        print(f"an earlier run of this training was cut off: going on after epoch {resume['epoch']}")
        write_history(history)
    steps = settings.epochs * -(-len(data["train"]) // settings.batch_size)
    with (
        recording.training(params, facts, layers, run_id=resume["run_id"] if resume else None) as record,
        bar(what="train", unit="step", total=steps, initial=steps // settings.epochs * len(history)) as shown,
    ):
        after = AfterEpoch(history, recipe, checkpoint, record, shown)
        try:
            result = loop.fit(recipe, data["train"], data["val"], resume=resume, on_step=shown.update, on_epoch=after)
        except KeyboardInterrupt:
            if history:
                epochs = f"{len(history)} epoch{'s' * (len(history) > 1)}"
                shown.write(f"{paths.HISTORY} has what was done: {epochs}", file=sys.stderr)
            raise
        if result.diverged:
            checkpoint.clear()
            raise UserError(
                f"training diverged: the loss is no longer a number after epoch {len(history)}. Lower train.lr, "
                f"or raise train.warmup; {paths.HISTORY} has the epochs up to there, no model was written"
            )
        recipe.network.load_state_dict(result.weights)
        temperature = fit_temperature(data["val"].labels.cpu().numpy(), loop.logits(recipe, data["val"]).numpy())
        write(facts.model_copy(update={"temperature": temperature}), result, recipe.network, checkpoint.folder)
        write_text(paths.LAYERS, layers + "\n")
        record.trained(sha256(paths.WEIGHTS), params.tracking.register_as)
    checkpoint.clear()
    done(
        f"wrote {paths.WEIGHTS} ({facts.parameters:,} parameters, best of {len(history)} epochs: {result.best_epoch}, "
        f"{history[result.best_epoch - 1]['val_accuracy']:.2%} on val) and {paths.MODEL}",
        "dvc repro evaluate, or dvc repro curves for what the training looked like",
    )


def checked_images(entry: Entry) -> Images:
    """The packed images. Raises UserError where they are of another shape than the catalogue asks for."""
    images = load_images()
    if images.shape[1:] != entry.shape:
        raise UserError(
            f"the images in {paths.IMAGES} are {images.shape[1:]} (height, width, channels), but {paths.DATASETS} asks "
            f"for {entry.shape}: `dvc repro` brings them to it"
        )
    return images


@dataclass
class AfterEpoch:
    """What is done after each epoch: the history is written, the record and the bar are told, the state is saved."""

    history: "list[Figures]"
    recipe: "Recipe"
    checkpoint: "Checkpoint"
    record: "Run"
    shown: Any  # the bar
    saved: float = field(default_factory=time.monotonic)

    def __call__(self, figures: "Figures", state: Callable[[], dict[str, Any]]) -> None:
        settings = self.recipe.settings
        self.history.append(figures)
        epoch = len(self.history)
        write_history(self.history)
        self.record.epoch(figures)
        self.shown.set_description(f"epoch {epoch}/{settings.epochs}, val {figures['val_accuracy']:.2%}")
        if settings.keep_epochs:
            save_weights(self.checkpoint.folder / "epochs" / f"epoch-{epoch:03}.safetensors", self.recipe.network)
        if epoch == settings.epochs or time.monotonic() - self.saved >= SAVE_SECONDS:
            self.checkpoint.save(state() | {"run_id": self.record.run_id})
            self.saved = time.monotonic()


def write_history(history: "list[Figures]") -> None:
    """Write the epochs so far, whole: `dvc plots show` draws them while the training runs."""
    HISTORY.write(table_of(history))


def table_of(history: "list[Figures]") -> pd.DataFrame:
    """The epochs as metrics/history.csv has them."""
    return pd.DataFrame(history)[list(HISTORY.columns)].round(6)


def write(facts: ModelFacts, result: "Result", network: "Module", kept: Path) -> None:
    """Write the model, its facts and the figures of its training; the epochs that were kept come from `kept`."""
    history = table_of(result.history)
    best = history.iloc[result.best_epoch - 1]
    save_weights(paths.WEIGHTS, network)
    facts.write(paths.MODEL)
    TrainingFigures(
        epochs=len(result.history),
        best_epoch=result.best_epoch,
        stopped_early=result.stopped_early,
        parameters=facts.parameters,
        train_loss=round(float(best["train_loss"]), 4),
        train_accuracy=round(float(best["train_accuracy"]), 4),
        val_loss=round(float(best["val_loss"]), 4),
        val_accuracy=round(float(best["val_accuracy"]), 4),
        temperature=facts.temperature,
    ).write(paths.TRAIN)
    with replacing_folder(paths.EPOCHS) as folder:
        # Never empty, for DVC warns of an empty output.
        write_csv(folder / "index.csv", history if facts.train.keep_epochs else history.head(0))
        for file in (kept / "epochs").glob("*.safetensors") if facts.train.keep_epochs else []:
            (folder / file.name).write_bytes(file.read_bytes())


def save_weights(path: Path, network: "Module") -> None:
    """Write a network's weights and statistics."""
    from safetensors.torch import save_file

    with replacing(path) as partial:
        save_file({name: value.contiguous().cpu() for name, value in network.state_dict().items()}, partial)


def decisive_files() -> list[Path]:
    """Files that decide what a training gives, besides its parameters."""
    files = [paths.INDEX, paths.CLASSES, paths.SPLIT, paths.STATS, Path(__file__)]
    package = Path(torch_setup.__file__).parents[1]
    for room in DECISIVE_ROOMS:
        files += (package / room).rglob("*.py")
    return files + own_code.files()


if __name__ == "__main__":
    run(main)
