"""Classify the images of the data set that have no label."""

import numpy as np
from numpy.typing import NDArray

from darkroom.base.console import bar
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.dataset.packed import Images, Labels, Rows, chunks


def classify(classifier: TrainedNetwork, images: Images, rows: Rows) -> tuple[Labels, NDArray[np.float32]]:
    """For the images at `rows`: the number of the most probable class (int64), and its calibrated probability."""
    best, confidence = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.float32)
    at = 0
    with bar(what="predict", unit="image", total=len(rows)) as shown:
        for part, pictures in chunks(images, rows):
            probabilities = classifier.probabilities(pictures)
            best[at : at + len(part)] = probabilities.argmax(axis=1)
            confidence[at : at + len(part)] = probabilities.max(axis=1)
            at += len(part)
            shown.update(len(part))
    return best, confidence
