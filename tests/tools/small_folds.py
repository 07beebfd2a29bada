"""A packed data set to be divided into folds, whose models train in an instant or not at all."""

import dataclasses
import functools

import numpy as np
import pandas as pd
import pytest

from darkroom.base import paths
from darkroom.base.files import replacing_folder, write_json, write_parquet
from darkroom.config.params import load
from darkroom.config.stage_files import TrainingFigures
from darkroom.config.stage_tables import HISTORY, PREDICTIONS
from darkroom.dataset import folds, scores
from darkroom.dataset.packed import labels_of, load_index
from darkroom.tools import fold_training
from tests import make, models

CLASSES = ["ant", "bee", "cow"]
IMAGES = 36


@pytest.fixture
def here(project, one_thread):
    """A project with 36 images of three classes, of which pairs are a group, and 4 without label."""
    project.add(path="x", image_size=8, unlabeled="new")
    put()
    make.edit(project.params, models.TRAINING | {"train.epochs": 1, "split.val": 0.34})
    return project


def put(**columns):
    """Write the packed images, with these columns of the index instead of the usual ones."""
    images, labels = models.blobs(IMAGES + 4)
    number = np.arange(IMAGES)
    groups = [f"g{pair}" for pair in (number // 6 * 3 + number % 3)] + [None] * 4
    index = make.index_of([*labels[:IMAGES], *[None] * 4], subsets=["train"] * IMAGES + ["unlabeled"] * 4)
    write_json(paths.CLASSES, CLASSES)
    np.save(paths.IMAGES, images)
    write_parquet(paths.INDEX, make.tied(index, groups).assign(**columns))


def split_of(number, count=3):
    settings = load()[0].split
    return folds.assign(load_index(), CLASSES, count, settings).split(number, settings, CLASSES)


@pytest.fixture
def untrained(monkeypatch):
    """Folds are predicted without any training: right, but for a share that the list holds; it notes the folds."""
    noted = []

    def train(split, number, unlabelled, trained):
        noted.append(number)
        write(split, number, unlabelled, trained)

    monkeypatch.setattr(fold_training, "train", train)
    return noted


facts = functools.cache(lambda: models.facts(classes=CLASSES))


def write(split, number, unlabelled, trained, wrong=(0,)):
    """What a fold leaves; the images at the places `wrong` of its test get another class."""
    rows = split.loc[split["split"] == "test", "row"].to_numpy()
    labels = labels_of(load_index(), rows)
    best = labels.copy()
    best[list(wrong)] = (labels[list(wrong)] + 1) % 3
    probabilities = np.full((len(rows), 3), 0.1, np.float32)
    probabilities[np.arange(len(rows)), best] = 0.8
    table = pd.DataFrame(
        {
            "row": rows, "split": f"fold {number}", "label": labels, "predicted": best, "confidence": 0.8,
            "loss": scores.losses(labels, probabilities), "probabilities": list(probabilities),
        }
    )  # fmt: skip
    with replacing_folder(trained.folder) as folder:
        dataclasses.replace(PREDICTIONS, path=folder / PREDICTIONS.path.name).write(table)
        history = pd.DataFrame([[1, 1.0, 0.5, 1.0, 0.5, 0.1]], columns=list(HISTORY.columns))
        dataclasses.replace(HISTORY, path=folder / HISTORY.path.name).write(history)
        write_json(folder / paths.MODEL.name, facts())
        TrainingFigures(
            epochs=1, best_epoch=1, stopped_early=False, parameters=7, train_loss=1, train_accuracy=0.5, val_loss=1,
            val_accuracy=0.5, temperature=1,
        ).write(folder / paths.TRAIN.name)  # fmt: skip
        if len(unlabelled):
            shares = np.full((len(unlabelled), 3), 0.2, np.float32)
            shares[:, number % 3] = 0.6
            np.save(folder / fold_training.UNLABELLED, shares)
