"""Small models with random weights."""

import numpy as np
import torch

from darkroom.classifier.inference import Classifier
from darkroom.config.params import Model
from darkroom.network import architectures
from darkroom.network.normalisation import to_bytes_scale

SETTINGS = {
    "name": "cnn",
    "weights": None,
    "layers": "4P-6",
    "kernel": 3,
    "batch_norm": True,
    "activation": "relu",
    "pooling": "max",
    "hidden": [],
    "hidden_activation": "relu",
    "dropout": 0.0,
    "init": "default",
}


def classifier(shape=(8, 8, 1), classes=3, familiarity=None, **settings):
    """A classifier of random weights, always the same ones."""
    torch.manual_seed(0)
    network = architectures.build(Model.model_validate(SETTINGS | settings), shape, classes).eval()
    scale = [to_bytes_scale([0.5] * shape[2]), to_bytes_scale([0.25] * shape[2])]
    names = [f"class {number}" for number in range(classes)]
    return Classifier(network, names, shape, *scale, border=[0.0] * shape[2], familiarity=familiarity)


def blobs(count=60, classes=3, side=8, seed=0):
    """Images of bright dots, a class to each place, with some noise; and their labels."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    images = random.integers(0, 20, (count, side, side, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2:5, 2 * label : 2 * label + 2] = random.integers(180, 255)
    return images, labels
