"""What a model has to beat: the most frequent class, a random forest, and logistic regression on pixels."""

import warnings
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from darkroom.dataset import Images, Labels, Rows

SIDE = 32  # larger images are shrunk to this: pixels are poor features at any size

MODELS: dict[str, Callable[[int], object]] = {
    "majority_class": lambda seed: DummyClassifier(),
    "random_forest": lambda seed: RandomForestClassifier(n_estimators=10, max_depth=10, random_state=seed),
    "logistic_regression": lambda seed: make_pipeline(
        StandardScaler(), LogisticRegression(C=0.01, max_iter=200, random_state=seed)
    ),
}


def features(images: Images, rows: Rows) -> NDArray[np.float32]:
    """Pixels in [0, 1] as one row an image, after shrinking to at most 32x32."""
    height, width = min(images.shape[1], SIDE), min(images.shape[2], SIDE)
    flat = np.empty((len(rows), height * width * images.shape[3]), np.float32)
    for at, row in enumerate(rows):
        image = images[row]
        if image.shape[:2] != (height, width):
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        flat[at] = image.reshape(-1)
    flat /= 255
    return flat


def choose(rows: Rows, at_most: int, seed: int) -> Rows:
    """At most so many rows, drawn at random."""
    if len(rows) <= at_most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, at_most, replace=False))


def predictions(
    name: str, seed: int, train: tuple[NDArray[np.float32], Labels], others: dict[str, NDArray[np.float32]]
) -> dict[str, Labels]:
    """Fit one baseline to features and labels, and return the class numbers that it predicts on other features."""
    model = MODELS[name](seed)
    with warnings.catch_warnings():
        # A baseline that stopped at its number of iterations is still a bar to beat.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(*train)  # type: ignore[attr-defined]
    return {split: model.predict(x) for split, x in others.items()}  # type: ignore[attr-defined]
