"""What a cross-validation leaves in `folds/NAME`, which Git ignores: figures, predictions, errors, suspects.

Each result has a folder of its own, so that several configurations can be compared later, image by image.
"""

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from darkroom.analysis import mistakes, suspects
from darkroom.base.files import replacing_folder, write_csv, write_parquet
from darkroom.classifier.submission import Predictions
from darkroom.classifier.wanted_table import WantedTable
from darkroom.config.stage_files import StageFile
from darkroom.config.stage_tables import PREDICTIONS, SUSPECTS
from darkroom.dataset.folds import Folds
from darkroom.dataset.packed import labels_of
from darkroom.dataset.scores import Probabilities
from darkroom.tools import fold_statistics
from darkroom.tools.fold_statistics import Figure
from darkroom.tools.fold_training import Trained

FOLDER = Path("folds")
FIGURES, ERRORS, SUBMISSION = "folds.json", "errors.csv", "submission.csv"
PART = 2**16  # unlabelled images whose probabilities are averaged at a time


class FoldFigures(StageFile):
    """One fold: its images, how its model was trained, and the figures of its predictions."""

    images: int
    train_images: int
    val_images: int
    epochs: int
    best_epoch: int
    figures: dict[str, float]


class Result(StageFile):
    """folds/NAME/folds.json.

    `division` is a hash of images, labels and folds: results with the same one can be compared image by image.
    `parameters` are those of params.yaml and of the data set's entry as they were written.
    """

    name: str
    dataset: str
    folds: int
    division: str
    images: int
    units: int
    test_images: int  # of the makers, left out
    figures: dict[str, Figure]
    by_fold: list[FoldFigures]
    mistakes: int
    suspects: int
    submission: bool
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Whole:
    """All that a result is made of."""

    name: str
    dataset: str
    classes: list[str]
    index: pd.DataFrame
    folds: Folds
    trained: Sequence[Trained]
    wanted: WantedTable
    parameters: dict[str, Any]


def division(folds: Folds, index: pd.DataFrame) -> str:
    """A hash of the pictures in the folds, their labels, their fold and what ties them."""
    digest = hashlib.sha256("\n".join(index["sha256"].iloc[folds.rows].astype(str)).encode())
    for values in (folds.rows, folds.labels, folds.fold, folds.units):
        digest.update(np.ascontiguousarray(values, np.int64).tobytes())
    return digest.hexdigest()[:32]


def write(whole: Whole, splits: Sequence[pd.DataFrame]) -> Result:
    """Write the folder of a result; `splits` are those of the folds, from `Folds.split`."""
    folds, classes = whole.folds, whole.classes
    predictions = pd.concat([each.predictions() for each in whole.trained]).sort_values("row", ignore_index=True)
    probabilities = np.stack(predictions["probabilities"].tolist())
    wrong = mistakes.table(predictions, whole.index, classes)
    held_out = predictions.set_index("row")["split"]
    wrong.insert(2, "fold", held_out.loc[wrong["row"]].to_numpy())
    doubted = _suspects(whole, predictions, held_out)
    result = Result(
        name=whole.name,
        dataset=whole.dataset,
        folds=folds.count,
        division=division(folds, whole.index),
        images=len(folds.rows),
        units=int(folds.units.max()) + 1,
        test_images=folds.test,
        figures=fold_statistics.with_intervals(folds.labels, probabilities, folds.units),
        by_fold=[
            _of_fold(each, split, folds, probabilities, number)
            for number, (each, split) in enumerate(zip(whole.trained, splits, strict=True), start=1)
        ],
        mistakes=len(wrong),
        suspects=len(doubted),
        submission=bool(len(whole.wanted.rows)),
        parameters=whole.parameters,
    )
    with replacing_folder(FOLDER / whole.name) as folder:
        write_parquet(folder / PREDICTIONS.path.name, predictions.assign(unit=folds.units))
        write_csv(folder / ERRORS, wrong)
        dataclasses.replace(SUSPECTS, path=folder / SUSPECTS.path.name).write(doubted)
        if result.submission:
            whole.wanted.write(folder / SUBMISSION, averaged(whole.trained, whole.wanted))
        result.write(folder / FIGURES)
    return result


def _of_fold(
    trained: Trained, split: pd.DataFrame, folds: Folds, probabilities: Probabilities, number: int
) -> FoldFigures:
    held, counts, training = folds.fold == number, split["split"].value_counts(), trained.figures()
    found = fold_statistics.figures(folds.labels[held], probabilities[held])
    return FoldFigures(
        images=int(held.sum()),
        train_images=int(counts["train"]),
        val_images=int(counts["val"]),
        epochs=training.epochs,
        best_epoch=training.best_epoch,
        figures={name: round(value, 6) for name, value in found.items()},
    )


def _suspects(whole: Whole, predictions: pd.DataFrame, held_out: "pd.Series[str]") -> pd.DataFrame:
    """The suspected labels among all images of the folds, as the stage `errors` lists them."""
    labels = labels_of(whole.index, np.arange(len(whole.index)))
    learned = suspects.by_confident_learning(predictions)
    quality = learned.set_index("row")["quality"]
    of_folds = pd.DataFrame({"row": whole.folds.rows, "pixels": whole.folds.pixels})
    groups = [group.tolist() for _, group in of_folds.groupby("pixels")["row"] if len(group) > 1]
    suggestions = suspects.by_reason(learned, suspects.by_copies(groups, labels), {})
    suggestions = suspects.without_undoing(suggestions, groups, labels, quality)
    return suspects.table(suggestions, quality, whole.index, held_out, whole.classes, whole.dataset)


def averaged(trained: Sequence[Trained], wanted: WantedTable) -> Predictions:
    """Predictions for the images without labels by the mean of the models' calibrated probabilities."""
    each = [one.unlabelled() for one in trained]
    best, confidence, kept = [], [], []
    for start in range(0, len(wanted.rows), PART):
        parts = np.stack([one[start : start + PART] for one in each])
        mean: Probabilities = parts.mean(axis=0, dtype=np.float64).astype(np.float32)
        best.append(mean.argmax(axis=1))
        confidence.append(mean.max(axis=1))
        kept.append(mean[:, list(wanted.classes)])
    return Predictions(np.concatenate(best), np.concatenate(confidence), np.concatenate(kept))
