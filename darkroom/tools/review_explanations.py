"""What the model adds to a picture under review: the nearest training images, and where it looks (Grad-CAM).

PyTorch is loaded when the first of them is asked for, so that the page stands at once.
"""

import time
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.config.model_facts import ModelFacts
from darkroom.dataset.packed import Images, Rows, images_if_like, load_split, sample
from darkroom.pictures.decoding import png

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from darkroom.classifier.trained_network import TrainedNetwork

COUNT = 6  # nearest training images
AT_MOST = 20_000  # training images among which they are sought
SECONDS = 30.0  # that their features may take; of a set that would take longer, a part is looked at
FIRST = 64  # images by which the time is measured
BATCH = 512


class Near(NamedTuple):
    """The rows of the nearest training images, among how many of all they were sought."""

    rows: list[int]
    among: int
    of: int


class Explanations:
    """The model at work on single pictures; several threads may ask."""

    def __init__(self) -> None:
        self._lock = Lock()  # PyTorch is loaded once, and one picture at a time is explained
        self._model: tuple[TrainedNetwork, Images, str | None] | None = None
        self._known: tuple[Rows, NDArray[np.float32], int] | None = None

    def nearest(self, row: int) -> Near:
        """The training images with the most similar features, without the picture itself.

        Raises UserError where the model is not here, or is not one of this data set.
        """
        with self._lock:
            network, images, _ = self._loaded()
            from darkroom.dataset.neighbours import nearest

            if self._known is None:
                self._known = _features(network.with_kept_features(ModelFacts.read(paths.MODEL)), images)
            rows, features, count = self._known
            found = nearest(network.features(images[[row]]), [(rows, features)], COUNT + 1, "cosine")
            near = [int(one) for one in found.rows[0] if one not in (-1, row)]
            return Near(near[:COUNT], len(rows), count)

    def heat(self, row: int, label: int) -> bytes | None:
        """A PNG file of the picture under its heat map for a class; None where the network has no feature map."""
        with self._lock:
            network, images, layer = self._loaded()
            if layer is None:
                return None
            from darkroom.analysis.gradcam import heat_maps
            from darkroom.tools.demo import overlay

            heat = heat_maps(network, layer, images[[row]], np.array([label]))[0]
            return png(overlay(images[row], np.nan_to_num(heat)))

    def _loaded(self) -> "tuple[TrainedNetwork, Images, str | None]":
        if self._model is None:
            from darkroom.base import torch_setup

            torch_setup.torch_for(threads=0, portable=False)
            from darkroom.analysis.gradcam import last_feature_map
            from darkroom.classifier.trained_network import TrainedNetwork

            network = TrainedNetwork.load(paths.MODEL.parent)
            images = images_if_like(network.classes, network.shape)
            if images is None:
                raise UserError("the model is not one of this data set: `dvc repro` makes it")
            self._model = network, images, last_feature_map(network.network, network.shape)
        return self._model


def _features(network: Any, images: Images) -> "tuple[Rows, NDArray[np.float32], int]":
    """Rows of training images, their features, and how many training images there are."""
    training = load_split("train")
    network.features(images[training[:1]])  # the first call costs more than the others
    start = time.monotonic()
    network.features(images[training[:FIRST]])
    each = (time.monotonic() - start) / max(1, len(training[:FIRST]))
    rows = sample(training, min(AT_MOST, max(FIRST, int(SECONDS / max(each, 1e-9)))), seed=0)
    parts = [network.features(images[rows[start : start + BATCH]]) for start in range(0, len(rows), BATCH)]
    return rows, np.concatenate(parts), len(training)
