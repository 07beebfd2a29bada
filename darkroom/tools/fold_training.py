"""Trains the model of one fold just as the stage `train` would, and lets it predict the fold that it never saw.

A fold is trained in a folder of its own, which looks like the project to the training: `data/images` and
`data/pretrained` are links, the split and the statistics are the fold's. So the code is that of the stage, with its
checkpoints, and no file of the pipeline is touched.
"""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkroom.analysis import evaluation
from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.base.files import remove, replacing_folder
from darkroom.classifier import voting
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.config.catalogue import Entry
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import Params, load
from darkroom.config.stage_files import TrainingFigures
from darkroom.config.stage_tables import HISTORY, PREDICTIONS, SPLIT
from darkroom.dataset import channel_statistics
from darkroom.dataset.packed import Rows, load_images, load_index
from darkroom.network import devices
from darkroom.tracking.recording import Run
from darkroom.training import trainer

UNLABELLED = "unlabelled.npy"


@dataclass(frozen=True)
class Trained:
    """What a finished fold leaves in its folder."""

    folder: Path

    @property
    def done(self) -> bool:
        """Whether the fold is finished."""
        return self.folder.is_dir()

    def predictions(self) -> pd.DataFrame:
        """Those of the held-out fold, with the columns of data/predictions.parquet."""
        return dataclasses.replace(PREDICTIONS, path=self.folder / PREDICTIONS.path.name).read()

    def history(self) -> pd.DataFrame:
        """The epochs of its training."""
        return dataclasses.replace(HISTORY, path=self.folder / HISTORY.path.name).read()

    def facts(self) -> ModelFacts:
        """The facts of its model."""
        return ModelFacts.read(self.folder / paths.MODEL.name)

    def figures(self) -> TrainingFigures:
        """The figures of its training."""
        return TrainingFigures.read(self.folder / paths.TRAIN.name)

    def unlabelled(self) -> NDArray[np.float32]:
        """Its probabilities (N x classes) of the images without labels, memory-mapped."""
        found: NDArray[np.float32] = np.load(self.folder / UNLABELLED, mmap_mode="r")
        return found


def train(split: pd.DataFrame, number: int, unlabelled: Rows, trained: Trained) -> None:
    """Train on a fold's `split`, predict its test and the images at the rows `unlabelled`, and leave all in `trained`.

    What was cut off goes on after its last saved epoch, or with the predictions. Raises UserError as
    `trainer.train` does.
    """
    # 1. Settings that are auto follow from the number of training images.
    rows = split.loc[split["split"] == "train", "row"].to_numpy(np.int64)
    params, entry = load(images=len(rows))
    _check_alone(params.train.devices * params.train.num_nodes)
    # 2. Train and predict in a folder that holds nothing else.
    working = trained.folder.with_name(f"training-{number}")
    with _as_project(working):
        SPLIT.write(split)
        channel_statistics.measure(load_images(), rows).write(paths.STATS)
        if not paths.TRAIN.is_file():  # else its training had ended when it was cut off
            _train(params, entry, number)
        facts = ModelFacts.read(paths.MODEL)
        loaded = TrainedNetwork.load(paths.MODEL.parent, devices.device_after_training(facts.train))
        classifier = loaded.with_kept_features(facts)
        measured = evaluation.measure(classifier, load_images(), load_index("label"), "test", facts, params.evaluate)
        PREDICTIONS.write(measured.predictions(f"fold {number}"))
        vote = voting.vote_of(facts, params.evaluate, classifier)
        if len(unlabelled):
            _predict(classifier, unlabelled, vote)
        devices.release_gpus()
    # 3. The fold is finished when its folder is there.
    with replacing_folder(trained.folder) as folder:
        left = [
            PREDICTIONS.path,
            HISTORY.path,
            paths.MODEL,
            paths.TRAIN,
            *([Path(UNLABELLED)] if len(unlabelled) else []),
        ]
        for file in left:
            shutil.copyfile(working / file, folder / file.name)
    remove(working)


def _train(params: Params, entry: Entry, number: int) -> None:
    """Run the training of the stage in the working folder; MLflow hears of it when all folds are finished."""
    try:
        trainer.train(params, entry, lambda facts, layers, run_id: nullcontext(Run(None)))
    except UserError as error:
        raise UserError(f"fold {number}: {error}") from None
    finally:
        devices.release_gpus()


def _check_alone(processes: int) -> None:
    if processes > 1:
        raise UserError(
            f"params.yaml: train.devices times train.num_nodes is {processes}, but folds are trained by one process "
            "on one device: set both to 1"
        )


def _predict(classifier: TrainedNetwork, rows: Rows, vote: voting.Vote) -> None:
    """Write the calibrated probabilities of the images at `rows`, a part at a time."""
    shape = len(rows), len(classifier.classes)
    found = np.lib.format.open_memmap(UNLABELLED, mode="w+", dtype=np.float32, shape=shape)
    at = 0
    for votes in voting.by_parts(classifier, load_images(), rows, vote, "predict"):
        found[at : at + len(votes)] = voting.tempered(votes, classifier.temperature)
        at += len(votes)
    found.flush()


@contextlib.contextmanager
def _as_project(folder: Path) -> Iterator[None]:
    """Work in `folder`, where the project's images and pretrained weights seem to lie, and nothing else of it.

    DVC_ROOT names the project meanwhile, so that checkpoints and what else outlives a run lie where they always do.
    """
    for path in (paths.DATA, paths.PRETRAINED):
        link = folder / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(path.absolute(), target_is_directory=True)
    before = os.environ.get("DVC_ROOT")
    os.environ["DVC_ROOT"] = str(paths.root())
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        if before is None:
            del os.environ["DVC_ROOT"]
        else:
            os.environ["DVC_ROOT"] = before
