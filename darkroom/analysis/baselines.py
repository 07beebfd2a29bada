"""What a model has to beat: the most frequent class, a random forest, and logistic regression on pixels."""

import warnings
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from darkroom.dataset.packed import Images, Labels, Rows, chunks

SIDE = 32  # larger images are shrunk to this: pixels are poor features at any size

MODELS: dict[str, Callable[[int], Any]] = {
    "majority_class": lambda seed: DummyClassifier(),
    "random_forest": lambda seed: RandomForestClassifier(n_estimators=10, max_depth=10, random_state=seed),
    "logistic_regression": lambda seed: make_pipeline(
        StandardScaler(), LogisticRegression(C=0.01, max_iter=200, random_state=seed)
    ),
}


def features(images: Images) -> NDArray[np.float32]:
    """Pixels in [0, 1] as one row an image, after shrinking to at most 32x32."""
    height, width = min(images.shape[1], SIDE), min(images.shape[2], SIDE)
    flat = np.empty((len(images), height * width * images.shape[3]), np.float32)
    for at, image in enumerate(images):
        if image.shape[:2] != (height, width):
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        flat[at] = image.reshape(-1)
    flat /= 255
    return flat


def choose(rows: Rows, labels: Labels, at_most: int, seed: int) -> Rows:
    """At most so many rows, drawn at random, with one of each class among them as far as there is room."""
    if len(rows) <= at_most:
        return rows
    order = np.random.default_rng(seed).permutation(len(rows))
    first = np.unique(labels[order], return_index=True)[1]  # of each class
    others = np.delete(order, first)
    return np.sort(rows[np.concatenate([order[np.sort(first)], others])[:at_most]])


def fit(name: str, seed: int, images: NDArray[np.float32], labels: Labels) -> Any:
    """One baseline, fitted to features and labels: a classifier of scikit-learn."""
    model = MODELS[name](seed)
    with warnings.catch_warnings():
        # A baseline that stopped at its number of iterations is still a bar to beat.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(images, labels)


def predictions(models: dict[str, Any], images: Images, rows: Rows) -> dict[str, Labels]:
    """The class numbers that each model predicts, worked out piece by piece: features take four times the pixels."""
    found: dict[str, list[Labels]] = {name: [np.empty(0, np.int64)] for name in models}
    for _, part in chunks(images, rows):
        pixels = features(part)
        for name, model in models.items():
            found[name].append(model.predict(pixels))
    return {name: np.concatenate(parts) for name, parts in found.items()}
