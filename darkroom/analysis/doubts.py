"""What the model got wrong on the test split, and which labels are doubted."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from darkroom.analysis import held_out, mistakes, suspects
from darkroom.base.console import progress
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.config.stage_files import ConfusedPair, ErrorFigures, ModelFacts, NearDuplicateCounts, SuspectCounts
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
    conflicts: pd.DataFrame  # of metrics/duplicates.csv

    def rows(self, split: str) -> Rows:
        """The rows of one split, ascending."""
        return self.splits.index[self.splits == split].to_numpy(np.int64)

    def tested(self) -> pd.DataFrame:
        """The predictions of the test split."""
        return self.predictions[self.predictions["split"] == "test"]


@dataclass(frozen=True)
class Doubts:
    """Tables of mistakes, near-duplicates and suspected labels."""

    mistakes: pd.DataFrame
    pairs: pd.DataFrame  # how often each class is taken for another
    nearest: Nearest  # training images to each mistake
    copies: pd.DataFrame
    reasons: dict[str, dict[int, int]]  # the suggested label by row, for each reason
    suspects: pd.DataFrame
    compared: tuple[int, int]  # how many images of val and test were compared with how many training images

    def figures(self, tested: int, pairs: int, grad_cam: str) -> ErrorFigures:
        """In numbers: `tested` is the number of test images, `pairs` how many pairs of classes are named."""
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
                by_reason={why: len(rows) for why, rows in self.reasons.items()},
            ),
            near_duplicates=NearDuplicateCounts(
                pairs=len(self.copies),
                under_two_labels=int((~self.copies["same_label"].astype(bool)).sum()),
                val_and_test_images=self.compared[0],
                training_images=self.compared[1],
            ),
        )


def find(data: Data, facts: ModelFacts, classifier: TrainedNetwork, folds: int) -> Doubts:
    """All doubts; with `folds`, also about the labels of the training images, by models that did not see them."""
    training = evenly_spaced(data.rows("train"))
    asked = evenly_spaced(np.sort(data.predictions["row"].to_numpy(np.int64)))
    # 1. The mistakes, each with the training images that look most like it to the network.
    wrong = mistakes.table(data.tested(), data.index, data.classes)
    near = _nearest(classifier, data.images, wrong["row"].to_numpy(np.int64)[:AT_MOST], training)
    wrong = mistakes.with_neighbours(wrong, near, data.labels, data.classes)
    # 2. Images of val and test that are nearly those of train.
    small = [near_duplicates.versions(data.images, rows) for rows in (asked, training)]
    copies = near_duplicates.pairs(asked, small[0], training, small[1], near_duplicates.scale(data.images))
    # 3. Labels that the model, an equal image or a nearly equal one contradicts.
    learned = [suspects.by_learning(data.predictions)]
    if folds:
        learned.append(suspects.by_learning(_held_out(data, facts, classifier, folds)))
    by_model = pd.concat(learned, ignore_index=True)
    groups = [group.tolist() for _, group in data.conflicts.groupby("group")["row"]]
    contradicted = suspects.by_copies(groups, data.labels), suspects.by_near_copies(copies, data.labels)
    reasons = suspects.by_reason(by_model, *contradicted)
    quality = by_model.set_index("row")["quality"]
    return Doubts(
        mistakes=wrong,
        pairs=mistakes.pairs(wrong),
        nearest=near,
        copies=near_duplicates.table(copies, data.index, data.splits, data.labels, data.classes),
        reasons=reasons,
        suspects=suspects.table(reasons, quality, data.index, data.splits, data.classes, facts.dataset),
        compared=(len(asked), len(training)),
    )


def _nearest(classifier: TrainedNetwork, images: Images, asked: Rows, training: Rows) -> Nearest:
    """The training images nearest to these rows, by the features that the last layer sees."""
    if not len(asked):
        return nearest(np.zeros((0, 1), np.float32), [], NEAREST, "cosine")
    parts = progress(chunks(images, training), what="nearest", unit="part")
    return nearest(
        np.concatenate([classifier.features(part) for _, part in chunks(images, asked)]),
        ((rows, classifier.features(part)) for rows, part in parts),
        NEAREST,
        "cosine",
    )


def _held_out(data: Data, facts: ModelFacts, classifier: TrainedNetwork, count: int) -> pd.DataFrame:
    """Predictions for the training images, by models that did not see them."""
    rows = {name: data.rows(name) for name in ("train", "val")}
    pixels = data.index["sha256"].to_numpy()[rows["train"]]
    labels = {name: data.labels[rows[name]] for name in rows}
    # Copies are held out together.
    part = held_out.deal(labels["train"], pixels, count, facts.train.seed)
    found = held_out.probabilities(facts, data.images, rows, labels, part, classifier.mean.device)
    return pd.DataFrame(
        {
            "row": rows["train"],
            "label": labels["train"],
            "predicted": found.argmax(axis=1),
            "probabilities": list(found),
        }
    )
