"""Writes the files of a training: history, weights, facts, figures, and the weights of each epoch if wanted."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from safetensors.torch import save_file
from torch import nn

from darkroom.base import paths
from darkroom.base.files import replacing, replacing_folder, write_csv
from darkroom.config.stage_files import ModelFacts, TrainingFigures
from darkroom.config.stage_tables import HISTORY
from darkroom.training.loop import Figures, Result


def write_history(history: Sequence[Figures]) -> None:
    """Write the epochs so far; `dvc plots show` can draw them while the training runs."""
    HISTORY.write(table_of(history))


def table_of(history: Sequence[Figures]) -> pd.DataFrame:
    """The epochs with the columns of metrics/history.csv, rounded to 6 digits."""
    return pd.DataFrame(history)[list(HISTORY.columns)].round(6)


def write(facts: ModelFacts, result: Result, network: nn.Module, kept: Path) -> None:
    """Write the model, its facts and the figures of its training.

    `kept` is the folder with the weights of each epoch, which exist if `train.keep_epochs` is true.
    """
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
        # The folder is never empty, for DVC warns of an empty output.
        write_csv(folder / "index.csv", history if facts.train.keep_epochs else history.head(0))
        for file in kept.glob("*.safetensors") if facts.train.keep_epochs else []:
            (folder / file.name).write_bytes(file.read_bytes())


def save_weights(path: Path, network: nn.Module) -> None:
    """Write a network's weights and statistics."""
    with replacing(path) as partial:
        save_file({name: value.contiguous().cpu() for name, value in network.state_dict().items()}, partial)
