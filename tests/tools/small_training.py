"""A small network, three classes that it can learn, and a training of both."""

from collections import OrderedDict

import numpy as np
import torch
from torch import nn

from darkroom.augment import pipeline
from darkroom.base import paths
from darkroom.config.augmentations import Augmentation
from darkroom.config.params import load
from darkroom.tools import learning_rate_search
from darkroom.tools.learning_rate_search import RangeTest
from darkroom.training import processes
from darkroom.training.batches import Batches
from darkroom.training.recipe import Recipe
from tests.conftest import ROOT

CPU = torch.device("cpu")


CLASSES = 3


TRAIN = load(ROOT / paths.PARAMS, ROOT / paths.DATASETS)[0].train


def pictures(count=60, seed=0):
    """Images of three classes, told apart by which rows are bright, and their labels."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    images = generator.integers(0, 90, (count, 9, 9, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[3 * label : 3 * label + 3] += 120
    return images, labels


def batch(count=24, seed=0):
    images, labels = pictures(count, seed)
    return (torch.from_numpy(images).permute(0, 3, 1, 2).float() - 80) / 60, torch.from_numpy(labels)


def net(*features, head=None, seed=0, width=16):
    """A small convolutional network; `features` stand between its convolution and its head."""
    torch.manual_seed(seed)
    body = nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), *features, nn.AdaptiveMaxPool2d((3, 1)), nn.Flatten()
    )
    return nn.Sequential(OrderedDict(features=body, head=head or nn.Linear(3 * width, CLASSES)))


class Of(nn.Module):
    """Any function as a layer."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, values):
        return self.function(values)


def unchanged(network, before):
    now = network.state_dict()
    return all(torch.equal(now[name], value) for name, value in before.items())


def copied(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def settings(project, **changes):
    chosen = {
        "epochs": 2, "batch_size": 16, "optimizer": "sgd", "lr": 0.05, "weight_decay": 0.0, "schedule": "cosine",
        "warmup": 0.2, "label_smoothing": 0.0, "mixup": 0.0, "ema": 0.0, "freeze_epochs": 0, "device": "cpu",
        "threads": 1, "portable": False, "precision": "32",
    } | changes  # fmt: skip
    project.set(**{f"train__{key}": value for key, value in chosen.items()})
    return load()[0].train


def ready(project, *, changes=(), turned=False, **chosen):
    """A training of the small network on the three classes; `turned` gives val labels that are always wrong."""
    wanted = settings(project, **chosen)
    images, labels = pictures(96)
    rows = {"train": np.arange(72), "val": np.arange(72, 96)}
    labels = {"train": labels[:72], "val": (labels[72:] + turned) % CLASSES}
    data = {name: Batches(images, rows[name], labels[name], CPU, memory_share=0.5) for name in rows}
    fabric = processes.fabric(wanted, CPU, "32")
    grey = torch.tensor([80.0])
    change = pipeline.build([Augmentation.model_validate(item) for item in changes], grey, grey)
    mean, std = torch.full((1, 1, 1), 80.0), torch.full((1, 1, 1), 60.0)
    network = net(nn.BatchNorm2d(16), nn.Dropout(0.1))
    return Recipe(fabric, network, mean, std, wanted, change), data


def range_test(recipe, data, *on_step):
    return learning_rate_search.range_test(recipe, data["train"], *on_step)


def parabola(lowest, deep=1.0):
    """A loss over six decades with its minimum at this rate."""
    rates = np.geomspace(1e-5, 10, 100)
    return RangeTest(rates.tolist(), (3 - deep + deep * 0.1 * np.log10(rates / lowest) ** 2).tolist())
