"""The scores by which trainings, experiments and folds are ranked, each under one name.

Functions of the true classes and the predicted probabilities (N x classes). They are written in numpy: a training needs
one after each epoch, and importing scikit-learn costs a second. What each means, and its source: docs/evaluation.md.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darkroom.dataset.packed import Labels

Probabilities = NDArray[np.float32] | NDArray[np.float64]
TINY = 1e-12  # a probability below it counts as this much, so that no loss is infinite


def losses(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    """Cross-entropy of each image in nats."""
    clipped = probabilities.astype(np.float64).clip(TINY)
    chosen = clipped[np.arange(len(labels)), labels] / clipped.sum(axis=1)
    result: NDArray[np.float64] = -np.log(chosen)
    return result


def areas(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    """ROC AUC of each class against all others; NaN where a class has no images, or all of them.

    It is the chance that an image of the class gets a higher probability for it than one of another class; an equal one
    counts half (Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747).
    """
    found = np.full(probabilities.shape[1], np.nan)
    for label in np.unique(labels):
        of_class = labels == label
        inside = int(of_class.sum())
        outside = len(labels) - inside
        if outside and np.isfinite(probabilities[:, label]).all():
            # 1. The rank of each image by its probability; equal ones share the mean of their ranks.
            _, places, counts = np.unique(probabilities[:, label], return_inverse=True, return_counts=True)
            ranks = (counts.cumsum() - (counts - 1) / 2)[places]
            # 2. The sum of the ranks of the class's images counts the pairs in the right order (Mann and Whitney).
            found[label] = (ranks[of_class].sum() - inside * (inside + 1) / 2) / (inside * outside)
    return found


def accuracy(labels: Labels, probabilities: Probabilities) -> float:
    """Share of the images whose most probable class is the true one."""
    return float((probabilities.argmax(axis=1) == labels).mean())


def log_loss(labels: Labels, probabilities: Probabilities) -> float:
    """Mean cross-entropy in nats."""
    return float(losses(labels, probabilities).mean())


def macro_f1(labels: Labels, probabilities: Probabilities) -> float:
    """Mean F1 of the classes that have images; 0 for one that is never predicted."""
    true, predicted, right = _counts(labels, probabilities)
    present = true > 0
    return float((2 * right[present] / (true + predicted)[present]).mean())


def balanced_accuracy(labels: Labels, probabilities: Probabilities) -> float:
    """Mean recall of the classes that have images."""
    true, _, right = _counts(labels, probabilities)
    return float((right[true > 0] / true[true > 0]).mean())


def auc(labels: Labels, probabilities: Probabilities) -> float:
    """Mean of `areas` over the classes that have images; of two classes the one area. NaN if there is but one class."""
    found = areas(labels, probabilities)
    if len(found) == 2:
        return float(found[1])
    known = found[~np.isnan(found)]
    return float(known.mean()) if len(known) and np.isfinite(probabilities).all() else np.nan


def quadratic_kappa(labels: Labels, probabilities: Probabilities) -> float:
    """Agreement beyond chance, a mistake weighing as the square of its distance in class numbers.

    It means something only where the classes are ordered (Cohen 1968, doi:10.1037/h0026256). NaN where labels and
    predictions are all of one class.
    """
    predicted = probabilities.argmax(axis=1)
    # Summed over all pairs of a label and a prediction, by the binomial formula; exact, for these are whole numbers.
    by_chance = len(labels) * int((labels**2 + predicted**2).sum()) - 2 * int(labels.sum()) * int(predicted.sum())
    return 1 - len(labels) * int(((labels - predicted) ** 2).sum()) / by_chance if by_chance else np.nan


def _counts(labels: Labels, probabilities: Probabilities) -> tuple[Labels, Labels, Labels]:
    """The numbers of images by true class, by predicted class, and by true class of those that are right."""
    predicted, classes = probabilities.argmax(axis=1), probabilities.shape[1]
    of_right = labels[labels == predicted]
    true, found, right = (np.bincount(of, minlength=classes) for of in (labels, predicted, of_right))
    return true, found, right


@dataclass(frozen=True)
class Score:
    """One score: `of` gives it for labels and probabilities, NaN where it is undefined."""

    of: Callable[[Labels, Probabilities], float]
    figure: str  # its key in metrics/evaluate.json
    title: str
    lower_is_better: bool = False
    needs_two_classes: bool = False  # it is undefined where all labels are of one class


SCORES = {
    "accuracy": Score(accuracy, "accuracy", "accuracy"),
    "loss": Score(log_loss, "log_loss", "log loss", lower_is_better=True),
    "macro_f1": Score(macro_f1, "macro_f1", "macro F1"),
    "balanced_accuracy": Score(balanced_accuracy, "balanced_accuracy", "balanced accuracy"),
    "auc": Score(auc, "roc_auc", "AUC", needs_two_classes=True),
    "kappa": Score(quadratic_kappa, "quadratic_kappa", "quadratic kappa", needs_two_classes=True),
}
# By what an epoch may be judged beside its loss and accuracy, as `train.monitor` names it.
MONITORED = {f"val_{name}": score for name, score in SCORES.items() if name not in ("accuracy", "loss")}
