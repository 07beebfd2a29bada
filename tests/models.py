"""Small models with random weights."""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from torch import nn

from darkroom.base import paths
from darkroom.classifier.inference import Classifier
from darkroom.config.params import Model, load
from darkroom.config.stage_files import Stats, TrainingFigures
from darkroom.network import architectures
from darkroom.network.normalisation import to_bytes_scale
from tests import make

ROOT = Path(__file__).resolve().parent.parent
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
    "input_size": None,
}
TRAINING = {
    "train.epochs": 4, "train.batch_size": 16, "train.precision": "32", "train.threads": 1, "model.layers": "4P-6",
    "augment": [], "tracking.enabled": False,
}  # fmt: skip


def facts(shape=(8, 8, 1), classes=3, **changes):
    """The content of model.json for such a model."""
    height, width, channels = shape
    params, _ = load(ROOT / "params.yaml", ROOT / "datasets.yaml")
    content = {
        "dataset": "tiny",
        "classes": [f"class {number}" for number in range(classes)] if isinstance(classes, int) else classes,
        "height": height,
        "width": width,
        "channels": channels,
        "mean": [0.5] * channels,
        "std": [0.25] * channels,
        "border": [0.0] * channels,
        "model": SETTINGS,
        "parameters": 7,
        "augment": [],
        "train": params.train.model_dump() | {"portable": True, "threads": 1, "device": "cpu", "precision": "32"},
    }
    return content | changes


def training_figures(best_epoch=1):
    """The content of metrics/train.json for a training of three epochs."""
    figures = {"train_loss": 0.5, "train_accuracy": 0.7, "val_loss": 0.4, "val_accuracy": 0.75, "temperature": 1.0}
    return TrainingFigures(epochs=3, best_epoch=best_epoch, stopped_early=False, parameters=7, **figures)


def classifier(shape=(8, 8, 1), classes=3, familiarity=None, **settings):
    """A classifier of random weights, always the same ones."""
    torch.manual_seed(0)
    network = architectures.build(Model.model_validate(SETTINGS | settings), shape, classes).eval()
    scale = [to_bytes_scale([0.5] * shape[2]), to_bytes_scale([0.25] * shape[2])]
    names = [f"class {number}" for number in range(classes)]
    return Classifier(network, names, shape, *scale, border=[0.0] * shape[2], familiarity=familiarity)


def modern(name, side=32, classes=3):
    """A classifier of random weights whose body is one of timm's tiny networks for tests, as `test_vit`."""
    import timm

    torch.manual_seed(0)
    sized = {"img_size": side} if "vit" in name else {}
    body = timm.create_model(name, num_classes=0, **sized).eval()
    head = nn.Sequential(OrderedDict(classes=nn.Linear(body(torch.zeros(1, 3, side, side)).shape[1], classes)))
    network = nn.Sequential(OrderedDict(features=body, head=head)).eval()
    scale = [to_bytes_scale([0.5] * 3), to_bytes_scale([0.25] * 3)]
    return Classifier(network, [f"class {number}" for number in range(classes)], (side, side, 3), *scale)


def to_train(project):
    """The project gets a packed and split data set, its statistics, and settings of a training of an instant."""
    project.add(path="x", image_size=8)
    images, labels = blobs(60)
    make.packed(images, labels.tolist(), ["train"] * 45 + ["val"] * 15, ["ant", "bee", "cow"])
    Stats(mean=[0.2], std=[0.3], border=[0.0], split="train").write(paths.STATS)
    make.edit(project.params, TRAINING)


def blobs(count=60, classes=3, side=8, seed=0):
    """Images of bright dots, a class to each place, with some noise; and their labels."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    images = random.integers(0, 20, (count, side, side, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2:5, 2 * label : 2 * label + 2] = random.integers(180, 255)
    return images, labels
