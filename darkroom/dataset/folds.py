"""Divides the labelled images into folds: each is held out once, from a model that learns from all the others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkroom.base.errors import UserError
from darkroom.base.words import counted, listed
from darkroom.config.params import Split
from darkroom.dataset import class_sizes, stratified
from darkroom.dataset.links import NO_PAIRS, Links
from darkroom.dataset.packed import Labels, Rows, labels_of

FEWEST = {2: 4}  # units a class needs for so many folds, where more than one in each: beside one fold two must remain


@dataclass(frozen=True)
class Folds:
    """N images in `count` folds; all arrays have N entries, in the order of the ascending `rows`.

    `fold` counts from 1. `units` number from 0 what is never torn: images with equal pixels, of one group, or nearly
    equal where these stay together. `pixels` has one number for images with equal pixels. `test` counts the images of
    the makers' own test, which are in no fold, `tied` those that were left out because they belong to one of them.
    """

    rows: Rows
    labels: Labels
    units: NDArray[np.int64]
    pixels: NDArray[np.int64]
    fold: NDArray[np.int64]
    count: int
    test: int
    tied: int

    @property
    def numbers(self) -> range:
        """The folds, from 1."""
        return range(1, self.count + 1)

    def split(self, number: int, settings: Split, classes: Sequence[str]) -> pd.DataFrame:
        """The split by which a model is trained without fold `number`, which is its test: columns row and split.

        The other folds are divided into train and val as the stage `split` does it, by `split.val` and `split.seed`.
        Raises UserError where groups leave train or val without a class.
        """
        rest = self.fold != number
        parts = self.labels[rest], self.units[rest], self.pixels[rest]
        sides, _ = stratified.divide(*parts, {"val": settings.val}, settings.seed)
        try:
            class_sizes.check_divided(self.labels[rest], sides, ["train", "val"], list(classes), stable=False)
        except UserError as error:
            raise UserError(f"without fold {number} of {self.count}: {error}") from None
        every = np.full(len(self.rows), "test", object)
        every[rest] = sides
        return pd.DataFrame({"row": self.rows, "split": every}).astype({"row": "int64", "split": "str"})


def assign(index: pd.DataFrame, classes: list[str], count: int, settings: Split, near: Rows = NO_PAIRS) -> Folds:
    """Assign every labelled image to one of `count` folds, as near to stratified as whole units allow.

    Images with equal pixels, of one group, or in `near` (pairs of rows) are a unit. The makers' own test, if the data
    set has one and `split.use_given_test` is not false, is in no fold, nor is anything tied to it: it stays the final
    test. Their own val is divided like the rest. `split.stable` has no say here.

    Raises UserError for a class with fewer units than the folds need.
    """
    # 1. Leave out the makers' test, with all that is tied to it, also through others.
    images = index[index["label"].notna()].reset_index(drop=True)
    links = Links.of(images, near)
    units = links.units()
    test = (images["subset"] == "test").to_numpy(bool) & (settings.use_given_test is not False)
    out = np.isin(units, units[test])
    rows = images["row"].to_numpy(np.int64)[~out]
    labels, units = labels_of(index, rows), pd.factorize(units[~out])[0]
    # 2. Deal the others.
    _check_sizes(labels, units, classes, count)
    side = stratified.by_need(units, labels, [1 / count] * count, settings.seed, count)
    return Folds(
        rows=rows,
        labels=labels,
        units=units,
        pixels=links.pixels[~out],
        fold=side + 1,
        count=count,
        test=int(test.sum()),
        tied=int((out & ~test).sum()),
    )


def _check_sizes(labels: Labels, units: NDArray[np.int64], classes: list[str], count: int) -> None:
    """Raise UserError for classes with too few units, with the number of folds that they would allow."""
    of_units = pd.DataFrame({"label": labels, "unit": units}).drop_duplicates()["label"]
    have = np.bincount(of_units, minlength=len(classes))
    needed = FEWEST.get(count, count)
    small = [f"{name} ({number:,})" for name, number in zip(classes, have.tolist(), strict=True) if number < needed]
    if small:
        most = int(have.min())
        fewer = f"take {most} folds, or " if most >= 3 else ""
        raise UserError(
            f"{count} folds need {needed} groups of each class, an image with its copies being one, but "
            f"{counted(len(small), 'class has', 'classes have')} fewer: {listed(small, class_sizes.SHOWN)}; {fewer}"
            f"leave small classes out with the line `min_images: {needed}` in the entry (datasets.yaml)"
        )
