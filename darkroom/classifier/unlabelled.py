"""Classify the images of the data set that have no label."""

from collections.abc import Sequence

import numpy as np

from darkroom.classifier import voting
from darkroom.classifier.submission import Predictions
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.classifier.voting import Vote
from darkroom.dataset.packed import Images, Rows


def classify(
    classifier: TrainedNetwork, images: Images, rows: Rows, vote: Vote, wanted: Sequence[int] = ()
) -> Predictions:
    """Classify the images at `rows` by the vote; `wanted` are the classes whose probabilities are kept."""
    best, confidence = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.float32)
    kept = np.zeros((len(rows), len(wanted)), np.float32)
    at = 0
    for votes in voting.by_parts(classifier, images, rows, vote, "predict"):
        probabilities = voting.tempered(votes, classifier.temperature)
        part = slice(at, at + len(votes))
        best[part], confidence[part] = probabilities.argmax(axis=1), probabilities.max(axis=1)
        kept[part] = probabilities[:, list(wanted)]
        at += len(votes)
    return Predictions(best, confidence, kept)
