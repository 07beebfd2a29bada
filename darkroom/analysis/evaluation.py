"""Measure the model on one split, and compare it with the baselines."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkroom.analysis import metrics
from darkroom.classifier import voting
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import Evaluate
from darkroom.config.stage_files import Baselines, Comparison, Figures, McNemar
from darkroom.dataset import scores
from darkroom.dataset.packed import Images, Labels, Rows, SplitName, labels_of, load_split


@dataclass(frozen=True)
class Measured:
    """One split: its rows, their labels, and the model's probabilities (N x classes)."""

    rows: Rows
    labels: Labels
    uncalibrated: NDArray[np.float32]  # means over an image and its changed copies
    probabilities: NDArray[np.float32]  # the same after temperature scaling
    ranking: pd.DataFrame  # from `metrics.ranking`

    @property
    def predicted(self) -> Labels:
        """The number of the most probable class of each image."""
        best: Labels = self.probabilities.argmax(axis=1)
        return best

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each prediction equals the label."""
        same: NDArray[np.bool_] = self.predicted == self.labels
        return same

    def figures(self) -> Figures:
        """All figures of merit, as metrics/evaluate.json holds them."""
        found = metrics.summary(self.labels, self.probabilities, self.uncalibrated, self.ranking)
        return Figures.model_validate(found)

    def predictions(self, split: str) -> pd.DataFrame:
        """One row an image, as data/predictions.parquet holds them."""
        return pd.DataFrame(
            {
                "row": self.rows,
                "split": split,
                "label": self.labels,
                "predicted": self.predicted,
                "confidence": self.probabilities.max(axis=1),
                "loss": scores.losses(self.labels, self.probabilities).round(6),
                "probabilities": list(self.probabilities),
            }
        )

    def calibration(self) -> pd.DataFrame:
        """Reliability before and after temperature scaling, in the same bins."""
        before, after = (metrics.reliability(self.labels, each) for each in (self.uncalibrated, self.probabilities))
        return before.merge(after, on=["low", "high"], suffixes=("_uncalibrated", "")).round(4)


def measure(
    classifier: TrainedNetwork,
    images: Images,
    index: pd.DataFrame,
    split: SplitName,
    facts: ModelFacts,
    settings: Evaluate,
) -> Measured:
    """Classify the images of one split. Raises UserError as `voting.vote_of` does."""
    rows = load_split(split)
    labels = labels_of(index, rows)
    vote = voting.vote_of(facts, settings, classifier)
    votes = np.concatenate(list(voting.by_parts(classifier, images, rows, vote, split)))
    probabilities = voting.tempered(votes, classifier.temperature)
    return Measured(rows, labels, votes, probabilities, metrics.ranking(labels, probabilities))


def compare_with_baselines(measured: Measured, reached: Baselines, predictions: pd.DataFrame) -> Comparison:
    """The test accuracy of network and baselines, and McNemar's test against the baseline that is best on val.

    `measured` is the test split; `predictions` has a column of class numbers for each baseline, in the same order.
    """
    methods = reached.methods
    best = max(methods, key=lambda name: methods[name].val_accuracy)
    accuracy = {name: method.test_accuracy for name, method in methods.items()}
    return Comparison(
        test_accuracy=accuracy | {"network": round(float(measured.right.mean()), 4)},
        best=best,
        mcnemar=McNemar.model_validate(
            metrics.mcnemar(measured.right, predictions[best].to_numpy() == measured.labels)
        ),
    )
