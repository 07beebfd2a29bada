"""Refuses classes that cannot be in every split, all of them in one sentence with the lines that leave them out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkroom.base.errors import UserError
from darkroom.base.words import counted, listed
from darkroom.dataset.packed import Labels

SHOWN = 20  # classes that a sentence names


def check(labels: Labels, units: NDArray[np.int64], pixels: NDArray[np.int64], classes: list[str], splits: int) -> None:
    """Raise UserError if a class has fewer units than there are `splits` to divide the images (N) into.

    `labels`, `units` and `pixels` have one number an image.
    """
    pictures = _count(labels, pixels, classes)  # a copy under another label counts for the first one alone
    grouped = len(pd.unique(units)) < pictures.sum()
    parts = _count(labels, units * len(classes) + labels, classes) if grouped else pictures
    small = [
        f"{name} ({images:,} images in {counted(units, 'group')})" if images > units else f"{name} ({images:,})"
        for name, images, units in zip(classes, pictures.tolist(), parts.tolist(), strict=True)
        if units < splits
    ]
    if small:
        names = f"{counted(len(small), 'class', 'classes')}: {listed(small, SHOWN)}"
        where = "train" if splits == 1 else f"each of {splits} splits"
        raise UserError(
            f"too few different images to divide for {names}; each class needs at least {splits}, one in {where}, and "
            f"a group counts once: add images, or {_way_out(splits)}"
        )


def check_left(labels: Labels, left_out: Labels, classes: list[str]) -> None:
    """Raise UserError if a class has lost all its images to the given val and test, with which they share something.

    `labels` are those of the images left to divide, `left_out` those of the images that were left out.
    """
    lost = sorted({*left_out.tolist()} - {*labels.tolist()})
    if lost:
        names = f"{counted(len(lost), 'class', 'classes')}: {listed([classes[label] for label in lost], SHOWN)}"
        raise UserError(
            f"no image is left to train on for {names}; each of theirs shares its pixels or its group with one of "
            "the given val or test, perhaps through others: correct the group in datasets.yaml, or set "
            "split.use_given_val or split.use_given_test to false"
        )


def check_divided(
    labels: Labels, sides: NDArray[np.object_], splits: Sequence[str], classes: list[str], stable: bool
) -> None:
    """Raise UserError if one of `splits` lacks images of a class; a `stable` one only if there are none to train on.

    `labels` and `sides` (the name of the split) have one entry an image.
    """
    for name in splits:
        counts = np.bincount(labels[sides == name], minlength=len(classes))
        lacking = [classes[label] for label in np.flatnonzero(counts == 0)]
        if (lacking and (not stable or name == "train")) or not counts.any():
            what = f"{counted(len(lacking), 'class', 'classes')}: {listed(lacking, SHOWN)}"
            why = "split.stable is true" if stable else "groups hold images of several classes"
            raise UserError(
                f"the split has no image in {name} for {what}, because {why}: add images, try another split.seed, or "
                f"{_way_out(len(splits))}"
            )


def _way_out(least: int) -> str:
    return (
        f"leave classes out, by number with the line `min_images: {least}` in the entry (datasets.yaml), by name with "
        "`LABEL: null` under its `classes`"
    )


def _count(labels: Labels, numbers: NDArray[np.int64], classes: list[str]) -> NDArray[np.int64]:
    """The images of each class, those with the same number counted once, for the label of the first."""
    return np.bincount(labels[~pd.Series(numbers).duplicated()], minlength=len(classes))
