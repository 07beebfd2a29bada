"""Figures of merit: pure functions of the true classes and the predicted probabilities (N x classes)."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import classification_report, confusion_matrix, f1_score, log_loss

from darkroom.dataset import Labels

Probabilities = NDArray[np.float32]
TOP_K = 3


def summary(labels: Labels, probabilities: Probabilities) -> dict[str, float]:
    """Accuracy, macro F1, log loss (nats) and top-3 accuracy, rounded to the digits that mean something."""
    classes = np.arange(probabilities.shape[1])
    predicted = probabilities.argmax(axis=1)
    top = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP_K]
    figures = {
        "accuracy": (predicted == labels).mean(),
        "macro_f1": f1_score(labels, predicted, labels=classes, average="macro", zero_division=0),
        "log_loss": log_loss(labels, _proper(probabilities), labels=classes),
        f"top{TOP_K}_accuracy": (top == labels[:, None]).any(axis=1).mean(),
    }
    return {"images": len(labels)} | {name: round(float(value), 4) for name, value in figures.items()}


def report(labels: Labels, probabilities: Probabilities, classes: list[str]) -> tuple[dict[str, Any], str]:
    """scikit-learn's classification report, as a dictionary and as text, with four digits."""
    options = {"labels": range(len(classes)), "target_names": classes, "zero_division": 0, "digits": 4}
    predicted = probabilities.argmax(axis=1)
    figures = classification_report(labels, predicted, output_dict=True, **options)
    return _rounded(figures), classification_report(labels, predicted, **options)


def per_class(report: dict[str, Any], classes: list[str]) -> pd.DataFrame:
    """Precision, recall, F1 and number of images of each class, from `report`."""
    rows = [{"class": name, **report[name]} for name in classes]
    table = pd.DataFrame(rows).rename(columns={"f1-score": "f1", "support": "images"})
    return table.astype({"images": int})


def confusion(labels: Labels, probabilities: Probabilities) -> NDArray[np.int64]:
    """Images by true class (rows) and predicted class (columns)."""
    classes = np.arange(probabilities.shape[1])
    matrix: NDArray[np.int64] = confusion_matrix(labels, probabilities.argmax(axis=1), labels=classes)
    return matrix


def losses(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    """Cross-entropy of each image in nats."""
    chosen = _proper(probabilities)[np.arange(len(labels)), labels]
    result: NDArray[np.float64] = -np.log(chosen)
    return result


def _proper(probabilities: Probabilities) -> NDArray[np.float64]:
    """Probabilities in double precision that sum to one and are never zero."""
    clipped = probabilities.astype(np.float64).clip(1e-12)
    result: NDArray[np.float64] = clipped / clipped.sum(axis=1, keepdims=True)
    return result


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return round(float(value), 4) if not float(value).is_integer() else int(value)
