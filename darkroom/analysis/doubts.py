"""The model's mistakes on the test split, and the labels that may be wrong."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from darkroom.analysis import held_out, mistakes, suspects
from darkroom.base.console import progress
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.config.model_facts import ModelFacts
from darkroom.config.stage_files import ConfusedPair, ErrorFigures, NearDuplicateCounts, SuspectCounts
from darkroom.dataset import near_duplicates
from darkroom.dataset.neighbours import AT_MOST, NEAREST, Nearest, evenly_spaced, nearest
from darkroom.dataset.packed import SPLITS, Images, Labels, Rows, chunks


@dataclass(frozen=True)
class Data:
    """The packed data set with the model's predictions (data/predictions.parquet) and the conflicting copies."""

    images: Images
    index: pd.DataFrame
    labels: Labels  # of all rows, -1 for none
    classes: list[str]
    splits: "pd.Series[str]"  # by row
    predictions: pd.DataFrame
    conflicts: pd.DataFrame  # rows of metrics/duplicates.csv: equal pixels under two labels

    def rows(self, split: str) -> Rows:
        """The rows of one split, ascending."""
        return self.splits.index[self.splits == split].to_numpy(np.int64)

    def tested(self) -> pd.DataFrame:
        """The predictions for the test split."""
        return self.predictions[self.predictions["split"] == "test"]


@dataclass(frozen=True)
class Doubts:
    """Tables of mistakes, near-duplicates and suspected labels."""

    mistakes: pd.DataFrame
    pairs: pd.DataFrame  # how often each class is taken for another
    nearest: Nearest  # the training images nearest to each mistake
    near_duplicates: pd.DataFrame
    suggestions: dict[str, dict[int, int]]  # by reason, then by row: the suggested label
    suspects: pd.DataFrame
    compared: tuple[int, int]  # number of val and test images, and of training images that they were compared with

    def figures(self, tested: int, pairs: int, grad_cam: str) -> ErrorFigures:
        """The content of metrics/errors.json.

        `tested` is the number of test images, `pairs` the number of class pairs to list, `grad_cam` the explained
        layer or why there is none.
        """
        return ErrorFigures(
            split="test",
            images=tested,
            mistakes=len(self.mistakes),
            error_rate=round(len(self.mistakes) / max(1, tested), 4),
            most_confused=[ConfusedPair.model_validate(pair) for pair in self.pairs.head(pairs).to_dict("records")],
            grad_cam=grad_cam,
            suspects=SuspectCounts(
                images=len(self.suspects),
                by_split={name: int((self.suspects["split"] == name).sum()) for name in SPLITS},
                by_reason={reason: len(rows) for reason, rows in self.suggestions.items()},
            ),
            near_duplicates=NearDuplicateCounts(
                pairs=len(self.near_duplicates),
                under_two_labels=int((~self.near_duplicates["same_label"].astype(bool)).sum()),
                val_and_test_images=self.compared[0],
                training_images=self.compared[1],
            ),
        )


def find(data: Data, facts: ModelFacts, classifier: TrainedNetwork, folds: int) -> Doubts:
    """Look for mistakes, near-duplicates and wrong labels.

    With `folds` above 0, training labels are doubted too: so many models each predict the part that they did not see.
    """
    training = evenly_spaced(data.rows("train"))
    asked = evenly_spaced(np.sort(data.predictions["row"].to_numpy(np.int64)))
    # 1. The mistakes, each with the training images that are nearest in the network's features.
    wrong = mistakes.table(data.tested(), data.index, data.classes)
    near = _nearest(classifier, data.images, wrong["row"].to_numpy(np.int64)[:AT_MOST], training)
    wrong = mistakes.with_neighbours(wrong, near, data.labels, data.classes)
    # 2. Images of val and test that are nearly equal to a training image.
    small = [near_duplicates.versions(data.images, rows) for rows in (asked, training)]
    copies = near_duplicates.pairs(asked, small[0], training, small[1], near_duplicates.scale(data.images))
    # 3. Labels that contradict the model, an equal image or a nearly equal one.
    learned = [suspects.by_confident_learning(data.predictions)]
    if folds:
        out_of_sample = _predict_training_images(data, facts, classifier, folds)
        learned.append(suspects.by_confident_learning(out_of_sample))
    by_model = pd.concat(learned, ignore_index=True)
    groups = [group.tolist() for _, group in data.conflicts.groupby("group")["row"]]
    contradicted = suspects.by_copies(groups, data.labels), suspects.by_near_copies(copies, data.labels)
    quality = by_model.set_index("row")["quality"]
    alike = groups + copies[["row", "train_row"]].to_numpy(np.int64).tolist()
    suggestions = suspects.by_reason(by_model, *contradicted)
    suggestions = suspects.without_undoing(suggestions, alike, data.labels, quality)
    return Doubts(
        mistakes=wrong,
        pairs=mistakes.confused_pairs(wrong),
        nearest=near,
        near_duplicates=near_duplicates.table(copies, data.index, data.splits, data.labels, data.classes),
        suggestions=suggestions,
        suspects=suspects.table(suggestions, quality, data.index, data.splits, data.classes, facts.dataset),
        compared=(len(asked), len(training)),
    )


def _nearest(classifier: TrainedNetwork, images: Images, asked: Rows, training: Rows) -> Nearest:
    """The training images nearest to the images at `asked`, by cosine distance of the last layer's inputs."""
    if not len(asked):
        return nearest(np.zeros((0, 1), np.float32), [], NEAREST, "cosine")
    parts = progress(chunks(images, training), what="nearest", unit="part")
    return nearest(
        np.concatenate([classifier.features(part) for _, part in chunks(images, asked)]),
        ((rows, classifier.features(part)) for rows, part in parts),
        NEAREST,
        "cosine",
    )


def _predict_training_images(data: Data, facts: ModelFacts, classifier: TrainedNetwork, folds: int) -> pd.DataFrame:
    """Predictions for the training images, each by a model that did not see it."""
    rows = {name: data.rows(name) for name in ("train", "val")}
    pixels = data.index["sha256"].to_numpy()[rows["train"]]
    labels = {name: data.labels[rows[name]] for name in rows}
    # Copies share a fold: a model must not have seen a copy of what it predicts.
    part = held_out.assign_folds(labels["train"], pixels, folds, facts.train.seed)
    found = held_out.probabilities(facts, data.images, rows, labels, part, classifier.mean.device)
    return pd.DataFrame(
        {
            "row": rows["train"],
            "label": labels["train"],
            "predicted": found.argmax(axis=1),
            "probabilities": list(found),
        }
    )
