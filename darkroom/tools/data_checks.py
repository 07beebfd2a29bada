"""The checks of the data: shapes, labels, normalisation."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from darkroom.base import paths
from darkroom.base.words import by, listed
from darkroom.dataset.packed import Images, Labels
from darkroom.tools.check import Check

NORMAL = 0.2  # tolerance of a normalised channel: of its mean from 0, and of its deviation from 1
UNEVEN = 10  # largest class over smallest class, from which the check advises balancing


def shapes(images: Images, shape: tuple[int, int, int], train: int, val: int) -> Check:
    """Whether the stored images (uint8, N x height x width x channels) have the shape of the catalogue.

    `train` and `val` are the numbers of images in these splits.
    """
    seen = f"{train:,} train and {val:,} val images, {by(images.shape[1:])} {images.dtype}"
    if images.shape[1:] != shape or images.dtype != np.uint8:
        wanted = f"{by(shape)} uint8 (height x width x channels)"
        return Check("data", False, f"{seen}, but datasets.yaml asks for {wanted}: run `dvc repro stats`")
    if not train or not val:
        return Check("data", False, f"{seen}: both must be there; change split.val and run `dvc repro stats`")
    return Check("data", True, seen)


def class_counts(train: Labels, val: Labels, names: Sequence[str]) -> Check:
    """Whether all labels are class numbers, and every class has training images; a note where sizes are very uneven."""
    lowest, highest = min(train.min(), val.min()), max(train.max(), val.max())
    if lowest < 0 or highest >= len(names):
        seen = f"labels go from {lowest} to {highest}, but must go from 0 to {len(names) - 1}"
        return Check("labels", False, f"{seen}: run `dvc repro stats`")
    counts = np.bincount(train, minlength=len(names))
    empty = [name for name, count in zip(names, counts, strict=True) if not count]
    if empty:
        return Check(
            "labels", False, f"no training image of {listed(empty)}: add some, or take the class out of the data set"
        )
    if len(names) < 2:
        return Check("labels", False, f"{names[0]} is the only class: there is nothing to tell apart")
    few, many = (int(at) for at in (counts.argmin(), counts.argmax()))
    seen = f"{len(names)} classes of {counts[few]:,} ({names[few]}) to {counts[many]:,} ({names[many]}) training images"
    if counts[many] >= UNEVEN * counts[few]:
        return Check("labels", None, f"{seen}: train.balanced or train.class_weights help rare ones; look at macro F1")
    return Check("labels", True, seen)


def normalisation(images: Tensor) -> Check:
    """Whether each channel of a sample of normalised images (N x channels x height x width) has about mean 0 and std 1.

    Both may be off by 0.2.
    """
    deviations, means = torch.std_mean(images.float(), (0, 2, 3), correction=0)
    of_means, of_deviations = ("/".join(f"{round(v, 2) + 0:.2f}" for v in t.tolist()) for t in (means, deviations))
    seen = f"mean {of_means}, deviation {of_deviations} by channel, {len(images):,} training images"
    # `not ... <=` is also true for NaN.
    if not bool((means.abs() <= NORMAL).all() and ((deviations - 1).abs() <= NORMAL).all()):
        return Check(
            "normalisation", False, f"{seen}, but must be near 0 and 1: {paths.STATS} is of other images "
            "(`dvc repro stats`), or a channel holds a single value",
        )  # fmt: skip
    return Check("normalisation", True, seen)
