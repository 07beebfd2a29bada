"""The classes of images without labels, a part of the data set."""

import numpy as np
from numpy.typing import NDArray

from darkroom.base.console import bar
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.dataset.packed import Images, Labels, Rows, chunks


def classify(classifier: TrainedNetwork, images: Images, rows: Rows) -> tuple[Labels, NDArray[np.float32]]:
    """The number of the most probable class of the images at these rows, and its calibrated probability."""
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
