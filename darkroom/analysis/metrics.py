"""Figures of merit: pure functions of the true classes and the predicted probabilities (N x classes).

What each means, and its source: docs/evaluation.md. Means over classes leave out those without images in the split.
The figures by which anything is ranked are in `darkroom.dataset.scores`.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest  # type: ignore[import-untyped]
from sklearn import metrics as sk

from darkroom.dataset import scores
from darkroom.dataset.packed import Labels
from darkroom.dataset.scores import Probabilities

Figures = dict[str, float | None]
TOP_K = 3
BINS = 15  # of the confidence, as in Guo et al. 2017
RESAMPLES = 10_000
POINTS = 50  # of the coverage curve


def summary(
    labels: Labels, probabilities: Probabilities, uncalibrated: Probabilities, ranking: pd.DataFrame
) -> Figures:
    """All figures of one split, rounded to four digits; None where one is undefined.

    `uncalibrated` are the probabilities before temperature scaling; their calibration error is among the figures.
    `ranking` is the result of the function `ranking`, which the caller needs too and which is slow with many classes.
    """
    present, predicted = np.unique(labels), probabilities.argmax(axis=1)
    right = predicted == labels
    low, high = accuracy_interval(int(right.sum()), len(labels))
    top = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP_K]
    first = (top == labels[:, None]).any(axis=1).mean() if probabilities.shape[1] > TOP_K else np.nan
    figures = {score.figure: score.of(labels, probabilities) for score in scores.SCORES.values()} | {
        "accuracy_low": low,
        "accuracy_high": high,
        "weighted_f1": sk.f1_score(labels, predicted, labels=present, average="weighted", zero_division=0),
        f"top{TOP_K}_accuracy": first,
        "cohen_kappa": sk.cohen_kappa_score(labels, predicted) if len(np.union1d(labels, predicted)) > 1 else np.nan,
        "average_precision": ranking["average_precision"].mean(),
        "ece_uncalibrated": calibration_error(reliability(labels, uncalibrated)),
        "ece": calibration_error(reliability(labels, probabilities)),
    }
    return {"images": len(labels)} | {name: _figure(value) for name, value in figures.items()}


def accuracy_interval(right: int, images: int, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of an accuracy: percentile bootstrap over images (Efron 1979, doi:10.1214/aos/1176344552).

    The number of right images in a resample has a binomial distribution, so it is drawn from that. Where all images
    are right, or none, all resamples are equal: the result is then Wilson's interval.
    """
    if right in (0, images):
        return wilson_interval(right, images)
    drawn = np.random.default_rng(seed).binomial(images, right / images, RESAMPLES) / images
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def wilson_interval(right: int, images: int) -> tuple[float, float]:
    """The 95 % interval of an accuracy, sound for few images too (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    interval = binomtest(right, images).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def ranking(labels: Labels, probabilities: Probabilities) -> pd.DataFrame:
    """ROC AUC and average precision of each class against all others: columns roc_auc and average_precision.

    One row a class, NaN where the class has no images, or all of them.
    """
    table = pd.DataFrame({"roc_auc": scores.areas(labels, probabilities), "average_precision": np.nan})
    for label in np.unique(labels):
        of_class = labels == label
        if not of_class.all():
            table.loc[label, "average_precision"] = sk.average_precision_score(of_class, probabilities[:, label])
    return table


def reliability(labels: Labels, probabilities: Probabilities) -> pd.DataFrame:
    """The reliability diagram: images in 15 bins (low, high] of equal width by the predicted class's probability.

    Columns: low, high, images, confidence and accuracy (means over the bin; NaN where it is empty).
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    edges = np.linspace(0, 1, BINS + 1)
    # A confidence is above 0, but rounding may lift it above 1.
    places = (np.searchsorted(edges, confidence, side="left") - 1).clip(0, BINS - 1)
    counts = np.bincount(places, minlength=BINS)
    right = probabilities.argmax(axis=1) == labels
    sums = [np.bincount(places, values, minlength=BINS) for values in (confidence, right)]
    means = [np.divide(total, counts, out=np.full(BINS, np.nan), where=counts > 0) for total in sums]
    return pd.DataFrame(
        {"low": edges[:-1], "high": edges[1:], "images": counts, "confidence": means[0], "accuracy": means[1]}
    )


def calibration_error(reliability: pd.DataFrame) -> float:
    """Expected calibration error: the mean of |confidence - accuracy| over the bins, weighted by their images.

    Naeini et al. 2015, doi:10.1609/aaai.v29i1.9602, with the bins of Guo et al. 2017, arXiv:1706.04599.
    """
    distance = (reliability["confidence"] - reliability["accuracy"]).abs().fillna(0)
    return float((distance * reliability["images"]).sum() / reliability["images"].sum())


def coverage(labels: Labels, probabilities: Probabilities) -> pd.DataFrame:
    """Selective classification: the accuracy on the images whose confidence reaches a threshold.

    It shows what is gained if a person decides the other images. El-Yaniv and Wiener 2010, "On the Foundations of
    Noise-free Selective Classification", JMLR 11. Columns: threshold (6 digits), coverage (share of images kept),
    accuracy; at most 50 rows, evenly spaced in coverage, the first one with all images.
    """
    order = np.argsort(probabilities.max(axis=1), kind="stable")
    confidence = probabilities.max(axis=1)[order].astype(np.float64)
    right = (probabilities.argmax(axis=1) == labels)[order]
    chosen = confidence[np.arange(POINTS) * len(right) // POINTS]
    thresholds = np.unique(np.floor(chosen * 1e6) / 1e6)
    kept = len(right) - np.searchsorted(confidence, thresholds, side="left")
    right_kept = right[::-1].cumsum()[kept - 1]
    return pd.DataFrame({"threshold": thresholds, "coverage": kept / len(right), "accuracy": right_kept / kept}).round(
        6
    )


def mcnemar(ours: NDArray[np.bool_], other: NDArray[np.bool_]) -> dict[str, float]:
    """McNemar's test of whether two classifiers differ, from the images on which only one of them is right.

    `ours` and `other` flag the images that each gets right. McNemar 1947, doi:10.1007/BF02295996, as an exact binomial
    test: p is the probability of a difference at least as large, if both are right equally often.
    """
    ahead, behind = int((ours & ~other).sum()), int((other & ~ours).sum())
    p = binomtest(ahead, ahead + behind).pvalue if ahead + behind else 1.0
    return {"only_ours_right": ahead, "only_other_right": behind, "p_value": float(f"{p:.3g}")}


def report(labels: Labels, probabilities: Probabilities, classes: list[str]) -> tuple[dict[str, Any], str]:
    """scikit-learn's classification report, as a dictionary and as text, with four digits."""
    options = {"labels": range(len(classes)), "target_names": classes, "zero_division": 0, "digits": 4}
    predicted = probabilities.argmax(axis=1)
    figures = sk.classification_report(labels, predicted, output_dict=True, **options)
    return _rounded(figures), sk.classification_report(labels, predicted, **options)


def per_class(labels: Labels, probabilities: Probabilities, ranking: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """Precision, recall, F1 and number of images of each class, joined with the columns of `ranking`.

    It does not read `report`, where the overall accuracy would overwrite a class called accuracy.
    """
    predicted = probabilities.argmax(axis=1)
    figures = sk.precision_recall_fscore_support(labels, predicted, labels=range(len(classes)), zero_division=0)
    columns = {name: map(_figure, values) for name, values in zip(("precision", "recall", "f1"), figures, strict=False)}
    return pd.DataFrame({"class": classes, **columns, "images": figures[3]}).join(ranking.round(4))


def confusion(labels: Labels, probabilities: Probabilities) -> NDArray[np.int64]:
    """The confusion matrix: numbers of images by true class (rows) and predicted class (columns)."""
    classes = np.arange(probabilities.shape[1])
    matrix: NDArray[np.int64] = sk.confusion_matrix(labels, probabilities.argmax(axis=1), labels=classes)
    return matrix


def _figure(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return round(float(value), 4) if not float(value).is_integer() else int(value)
