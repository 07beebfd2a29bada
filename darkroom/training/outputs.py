"""The files that a training leaves: history, weights, facts, figures, some augmented images, epochs that were kept."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file
from torch import nn

from darkroom.augment import pipeline
from darkroom.augment.randomness import seed_of, whole
from darkroom.base import paths
from darkroom.base.files import replacing, replacing_folder, write_csv
from darkroom.config.image_sizes import middle
from darkroom.config.model_facts import ModelFacts
from darkroom.config.stage_files import TrainingFigures
from darkroom.config.stage_tables import HISTORY
from darkroom.dataset.packed import Images, Rows
from darkroom.dataset.scores import MONITORED
from darkroom.training.loop import Figures, Result

SHOWN = 32  # images that show what the augmentation does


def write_history(history: Sequence[Figures]) -> None:
    """Write the epochs so far; `dvc plots show` can draw them while the training runs."""
    HISTORY.write(table_of(history))


def table_of(history: Sequence[Figures]) -> pd.DataFrame:
    """The epochs with the columns of metrics/history.csv, rounded to 6 digits."""
    table = pd.DataFrame(history)
    return table[[*HISTORY.columns, *(name for name in table if name in MONITORED)]].round(6)


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
        **{name: round(float(best[name]), 4) for name in MONITORED if name in best},
    ).write(paths.TRAIN)
    with replacing_folder(paths.EPOCHS) as folder:
        # The folder is never empty, for DVC warns of an empty output.
        write_csv(folder / "index.csv", history if facts.train.keep_epochs else history.head(0))
        for file in kept.glob("*.safetensors") if facts.train.keep_epochs else []:
            (folder / file.name).write_bytes(file.read_bytes())


def write_augmented(facts: ModelFacts, images: Images, rows: Rows) -> None:
    """Write some training images (at `rows`) as they are stored, then as the network gets them.

    Of a stored image the middle is shown, where the network sees no more of it.

    One array, uint8, 2 x N x height x width x channels. The stage `curves` draws it without importing torch.
    """
    generator = torch.Generator().manual_seed(seed_of(facts.train.seed, 0))
    positions = torch.randperm(len(rows), generator=generator)[:SHOWN]
    chosen = images[rows[positions.numpy()]]
    # On the CPU whatever the training ran on, so that the file is the same.
    border, mean = (torch.tensor(values).mul(255) for values in (facts.border, facts.mean))  # the scale of the bytes
    augment = pipeline.build(facts.augment, border, mean, facts.part)
    stored = torch.from_numpy(chosen).permute(0, 3, 1, 2).float()
    augmented = augment(stored, whole(generator, positions, torch.device("cpu"))).permute(0, 2, 3, 1)
    after = augmented.round().clamp(0, 255).to(torch.uint8).numpy()
    with replacing(paths.AUGMENTED) as partial, partial.open("wb") as file:
        np.save(file, np.stack([chosen[:, *middle(facts.shape, facts.seen)], after]))


def save_weights(path: Path, network: nn.Module) -> None:
    """Write a network's weights and statistics."""
    with replacing(path) as partial:
        save_file({name: value.contiguous().cpu() for name, value in network.state_dict().items()}, partial)
