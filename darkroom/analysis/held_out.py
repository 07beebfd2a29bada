"""Cross-validation on the training images: k models each predict the fold that they were trained without."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from darkroom.augment.randomness import seed_of
from darkroom.base.console import bar
from darkroom.base.errors import UserError
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.config.model_facts import ModelFacts
from darkroom.dataset.packed import Images, Labels, Rows, chunks
from darkroom.training import loop
from darkroom.training.recipe import from_facts


def assign_folds(labels: Labels, groups: NDArray[Any], folds: int, seed: int) -> NDArray[np.int64]:
    """Assign each image to a fold, 0 to `folds` - 1; classes are spread evenly, and equal `groups` share a fold.

    `labels` and `groups` have one entry an image; copies of a picture are a group. Raises UserError where there are
    fewer groups than folds.
    """
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    if len(first) < folds:
        raise UserError(
            f"params.yaml: errors.train_folds is {folds}, but there are only {len(first)} different training images: "
            "set it to 0 or less than that"
        )
    order = np.random.default_rng(seed).permutation(len(first))
    order = order[np.argsort(labels[first][order], kind="stable")]
    fold = np.empty(len(first), np.int64)
    fold[order] = np.arange(len(first)) % folds
    return fold[member]


def probabilities(
    facts: ModelFacts,
    images: Images,
    rows: dict[str, Rows],
    labels: dict[str, Labels],
    part: NDArray[np.int64],
    device: torch.device,
) -> NDArray[np.float32]:
    """Out-of-sample probabilities (N x classes) of the training images, in their order.

    Network, training and augmentation are those of the model, by its `facts`. `rows` and `labels` have the keys train
    and val; `part` is the fold of each training image, from `assign_folds`. Each model keeps the epoch that is best on
    val, so that the held-out fold has no say in it. Raises UserError where a training diverges.
    """
    settings = facts.train
    sizes = np.bincount(part)
    folds = len(sizes)
    steps = sum(settings.epochs * math.ceil((len(part) - size) / settings.batch_size) for size in sizes)
    found = np.empty((len(part), len(facts.classes)), np.float32)
    with bar(what="folds", unit="step", total=steps) as shown:
        for fold in range(folds):
            shown.set_description(f"fold {fold + 1}/{folds}")
            # 1. Train without this fold.
            recipe = from_facts(facts, device, seed_of(settings.seed, fold))
            held = part == fold
            kept, known = ({"train": every["train"][~held]} for every in (rows, labels))
            data = recipe.data(images, rows | kept, labels | known)
            result = loop.fit(recipe, data["train"], data["val"], on_step=lambda rate, step: shown.update())
            del data  # free its memory before the next fold needs it
            if result.diverged:
                raise UserError(
                    f"training without part {fold + 1} of {folds} diverged: lower train.lr, raise train.warmup, or "
                    "set errors.train_folds to 0"
                )
            # 2. Predict the fold, with the model's own temperature: val and test are judged by it too.
            recipe.network.load_state_dict(result.weights)
            classifier = TrainedNetwork(
                recipe.network, facts.classes, facts.shape, recipe.mean, recipe.std, temperature=facts.temperature
            )
            found[held] = np.concatenate(
                [classifier.probabilities(several) for _, several in chunks(images, rows["train"][held])]
            )
    return found
