"""Simple methods that a network has to beat: the majority class, and two models on pixels."""

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


def pixel_features(images: Images) -> NDArray[np.float32]:
    """The pixels of each image (uint8, N x height x width x channels) as one row: float32 in [0, 1], at most 32x32."""
    height, width = min(images.shape[1], SIDE), min(images.shape[2], SIDE)
    flat = np.empty((len(images), height * width * images.shape[3]), np.float32)
    for at, image in enumerate(images):
        if image.shape[:2] != (height, width):
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        flat[at] = image.reshape(-1)
    flat /= 255
    return flat


def sample(rows: Rows, labels: Labels, at_most: int, seed: int) -> Rows:
    """All rows, or `at_most` of them drawn at random, one of each class first; `labels` are those of `rows`."""
    if len(rows) <= at_most:
        return rows
    order = np.random.default_rng(seed).permutation(len(rows))
    first = np.unique(labels[order], return_index=True)[1]  # the first of each class
    others = np.delete(order, first)
    return np.sort(rows[np.concatenate([order[np.sort(first)], others])[:at_most]])


def fit(name: str, seed: int, images: NDArray[np.float32], labels: Labels) -> Any:
    """Fit one baseline, a scikit-learn classifier, to pixel features (N x width) and their labels."""
    model = MODELS[name](seed)
    with warnings.catch_warnings():
        # A baseline that has not converged is still a bar to beat.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(images, labels)


def predict(models: dict[str, Any], images: Images, rows: Rows) -> dict[str, Labels]:
    """The class numbers that each model predicts for the images at `rows`.

    The images come in chunks, as float32 features take four times the memory of the pixels.
    """
    found: dict[str, list[Labels]] = {name: [np.empty(0, np.int64)] for name in models}
    for _, part in chunks(images, rows):
        pixels = pixel_features(part)
        for name, model in models.items():
            found[name].append(model.predict(pixels))
    return {name: np.concatenate(parts) for name, parts in found.items()}
