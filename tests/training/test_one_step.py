"""Whoever takes a training step takes the same one: the training, the smoke run, the range test and the folds.

For every key that changes a step, one step of each equals one step of `fit` on a recipe that is put together here.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import load_file, save_file

from darkroom.analysis import held_out
from darkroom.augment import pipeline
from darkroom.augment.randomness import seed_of
from darkroom.base import paths
from darkroom.config.augmentations import Augmentation
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import Model, Train, load
from darkroom.config.stage_files import Stats
from darkroom.dataset.packed import labels_of, load_index
from darkroom.network import architectures, bring_weights, torchvision_bodies, weight_files
from darkroom.network.normalisation import to_bytes_scale
from darkroom.tools import checklist, learning_rate_search, training_checks
from darkroom.tools.check import Check
from darkroom.training import loop, processes
from darkroom.training.recipe import Recipe
from stages.train import train as train_stage
from tests import make
from tests.conftest import ROOT

pytestmark = pytest.mark.usefixtures("one_thread")

LR = 0.05
SHAPE, CLASSES = (8, 8, 1), ["ant", "bee", "cow"]
STATS = Stats(mean=[0.4], std=[0.3], border=[0.2], split="train")
PLAIN = {
    "train.seed": 3, "train.epochs": 1, "train.batch_size": 64, "train.optimizer": "sgd", "train.lr": LR,
    "train.schedule": "constant", "train.warmup": 0.0, "train.weight_decay": 0.0, "train.label_smoothing": 0.0,
    "train.mixup": 0.0, "train.ema": 0.0, "train.freeze_epochs": 0, "train.freeze_statistics": False,
    "train.precision": "32", "train.threads": 1, "train.portable": False, "train.device": "cpu",
    "model.name": "cnn", "model.layers": "4P-6", "model.hidden": [8], "augment": [], "tracking.enabled": False,
}  # fmt: skip
WEIGHTS = "weights.safetensors"
OTHER_NETWORK = {"model.name": "shufflenet_v2_x0_5", "model.hidden": []}
STEPS = {
    "train.seed": {"train.seed": 4},
    "train.lr": {"train.lr": 2 * LR},
    "train.accumulate": {"train.accumulate": 3, "augment": [{"shift": {"pixels": 2}}]},
    "train.optimizer, adam": {"train.optimizer": "adam"},
    "train.optimizer, adamw": {"train.optimizer": "adamw"},
    "train.momentum": {"train.momentum": 0.5},
    "train.nesterov": {"train.nesterov": False},
    "train.weight_decay": {"train.weight_decay": 0.2},
    "train.l1": {"train.l1": 0.01},
    "train.max_norm": {"train.max_norm": 0.3},
    "train.clip": {"train.clip": 0.01},
    "train.label_smoothing": {"train.label_smoothing": 0.2},
    "train.class_weights": {"train.class_weights": True},
    "train.balanced": {"train.balanced": True},
    "train.mixup": {"train.mixup": 0.4},
    "train.cutmix": {"train.cutmix": 1.0},
    "train.freeze_epochs": {"train.freeze_epochs": 1},
    "train.freeze_statistics": {"train.freeze_statistics": True, "model.weights": WEIGHTS} | OTHER_NETWORK,
    "train.precision": {"train.precision": "bf16-mixed"},
    "train.portable": {"train.portable": True, "train.clip": 0.01},  # it decides whether a clipped step is fused
    "model.name": {"model.name": "mlp"},
    "model.weights": {"model.weights": WEIGHTS} | OTHER_NETWORK,
    "model.input_size": {"model.input_size": 6, "augment": [{"shift": {"pixels": 1}}]},
    "model.layers": {"model.layers": "6P-4"},
    "model.kernel": {"model.kernel": 5},
    "model.batch_norm": {"model.batch_norm": False},
    "model.activation": {"model.activation": "gelu"},
    "model.pooling": {"model.pooling": "mean"},
    "model.hidden": {"model.hidden": []},
    "model.hidden_activation": {"model.hidden_activation": "tanh"},
    "model.dropout": {"model.dropout": 0.5},
    "model.init": {"model.init": "kaiming"},
}
CHANGES = {
    "shift": {"pixels": 2}, "crop": {"padding": 2}, "flip": {}, "turn": {}, "rotate": {"degrees": 40},
    "affine": {"degrees": 20, "scale": 0.2, "shear": 10, "shift": 0.2}, "perspective": {}, "elastic": {},
    "resized_crop": {}, "blur": {}, "color": {"brightness": 0.5, "contrast": 0.5}, "erase": {"fill": "noise"},
    "salt_and_pepper": {"share": 0.3}, "trivial_augment": {}, "rand_augment": {},
    "apply": {"probability": 0.5, "changes": [{"flip": {"probability": 1.0}}]},
    "choose": {"changes": [{"shift": {"pixels": 3}}, {"flip": {"probability": 1.0}}]},
    "function": {"name": "own.augmentation:noise"},
}  # fmt: skip
STEPS |= {f"augment, {name}": {"augment": [{name: settings}]} for name, settings in CHANGES.items()}
# What leaves a step as it is: how many there are, at which rate, what is kept, where it runs (tests of their own).
OF_THE_COURSE = {
    "epochs", "batch_size", "schedule", "warmup", "milestones", "gamma", "plateau_epochs", "ema", "monitor", "patience",
    "unfreeze_lr_factor", "keep_epochs", "device", "devices", "num_nodes", "strategy", "compile", "memory_share",
    "threads", "fraction",
}  # fmt: skip


@pytest.fixture
def here(project, monkeypatch):
    """A packed data set with classes of unequal size, and a file of weights to start from."""
    project.add(path="x", image_size=8)
    labels = [0] * 15 + [1] * 10 + [2] * 5 + [0, 1, 2] * 4
    images = np.stack([make.pixels(8, 8, 1, seed) // 3 + 60 * label for seed, label in enumerate(labels)])
    make.packed(images, labels, ["train"] * 30 + ["val"] * 12, CLASSES)
    STATS.write(paths.STATS)
    monkeypatch.setattr(training_checks, "one_batch", lambda *given: Check("one batch", True, ""))
    return project


def parameters(here, changes):
    shutil.copy(ROOT / paths.PARAMS, here.params)
    make.edit(here.params, {"dataset": "mine"} | PLAIN | changes)
    if changes.get("model.weights"):
        torch.manual_seed(9)
        pretrained = torchvision.models.get_model(OTHER_NETWORK["model.name"]).state_dict()
        save_file({name: value.contiguous() for name, value in pretrained.items()}, WEIGHTS)
    params, entry = load()
    paths.PRETRAINED.mkdir(exist_ok=True)
    bring_weights.bring(params.model, paths.PRETRAINED)
    return params, entry


def by_hand(params, seed, train, val):
    """The weights after one step of `fit` on a recipe from the parameters, put together without `training.recipe`."""
    torch.manual_seed(seed)
    network = architectures.build(params.model, SHAPE, len(CLASSES))
    if params.model.weights:
        state = torchvision_bodies.adapted(network.features, weight_files.read(Path(WEIGHTS)))
        network.features.load_state_dict(state, strict=False)
    network = network.to(memory_format=torch.channels_last)
    mean, std = STATS.mean, STATS.std
    if params.model.weights:
        mean, std = ([sum(values) / 3] for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))  # ImageNet's
    mean, std, border = (to_bytes_scale(values) for values in (mean, std, STATS.border))
    part = None if params.model.input_size == 8 else (params.model.input_size, params.model.input_size)
    change = pipeline.build(params.augment, border.flatten(), mean.flatten(), part)
    fabric = processes.fabric(params.train, torch.device("cpu"), params.train.precision)
    recipe = Recipe(fabric, network, mean, std, params.train, change)
    loop.fit(recipe, train, val)
    return network.state_dict()


class Taken:
    """The weights that each user of a step had after the first one, and the images that it trained on."""

    def __init__(self, monkeypatch):
        self.fits, self.steps, fit, step = [], [], loop.fit, learning_rate_search.Step

        def recorded(recipe, train, val, **calls):
            result = fit(recipe, train, val, **calls)
            self.fits.append((result.weights, train, val))
            return result

        def kept(recipe, train, **options):
            self.steps.append((recipe.network, train))
            return step(recipe, train, **options)

        monkeypatch.setattr(loop, "fit", recorded)
        monkeypatch.setattr(learning_rate_search, "Step", kept)


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("key", STEPS)
def test_one_step_is_one_step(here, monkeypatch, key):
    params, entry = parameters(here, STEPS[key])
    lr, seed = params.train.lr, params.train.seed
    taken = Taken(monkeypatch)

    train_stage(params, entry)
    ((weights, *whole),) = taken.fits
    expected = by_hand(params, seed, *whole)
    assert same(weights, expected), "the training"
    assert same(load_file(paths.WEIGHTS), expected), "the training's file"

    # The first step of the range test on what the first step of an epoch draws, at its rate.
    seeds = iter([seed_of(seed, 1), seed_of(seed, 1, 0)])
    monkeypatch.setattr(learning_rate_search, "seed_of", lambda *numbers: next(seeds))
    monkeypatch.setattr(learning_rate_search, "RANGE", dict.fromkeys(learning_rate_search.RANGE, (lr, 10 * lr)))
    monkeypatch.setattr(learning_rate_search, "STEPS", 1)
    monkeypatch.setattr(learning_rate_search.np, "geomspace", lambda low, high, count: np.array([lr]))
    taken.fits.clear()
    checklist.run(params, entry)
    ((weights, *_),), ((network, _),) = taken.fits, taken.steps
    assert same(weights, expected), "the smoke run"
    assert same(network.state_dict(), expected), "the range test"

    taken.fits.clear()
    folds(ModelFacts.read(paths.MODEL))
    for fold, (weights, *data) in enumerate(list(taken.fits)):
        assert same(weights, by_hand(params, seed_of(seed, fold), *data)), f"fold {fold}"

    plain, _ = parameters(here, {})
    assert not same(expected, by_hand(plain, plain.train.seed, *whole)), "nothing changed"


def folds(facts):
    """Train two models, each on half of the images."""
    images = np.load(paths.IMAGES)
    rows = {"train": np.arange(30), "val": np.arange(30, 42)}
    of_split = {name: labels_of(load_index("label"), rows[name]) for name in rows}
    part = held_out.assign_folds(of_split["train"], np.arange(30), 2, facts.train.seed)
    held_out.probabilities(facts, images, rows, of_split, part, torch.device("cpu"))


def test_every_key_that_changes_a_step_is_tried():
    tried = {key.partition(",")[0] for key in STEPS}
    assert {f"train.{name}" for name in Train.model_fields if name not in OF_THE_COURSE} <= tried
    assert {f"model.{name}" for name in Model.model_fields} <= tried
    assert set(CHANGES) == set(Augmentation.model_fields)
