"""Divides images into train, validation and test: stratified, seeded, and never with tied images in two splits."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkroom.base.errors import UserError
from darkroom.config.params import Split
from darkroom.dataset import class_sizes, stable_split, stratified
from darkroom.dataset.links import NO_PAIRS, Links
from darkroom.dataset.packed import Rows, SplitName, labels_of

Sides = NDArray[np.object_]  # the split of each image

UNDECIDED, LEFT_OUT = "", "left_out"
THROUGH_OTHERS = "tied through others to"


@dataclass(frozen=True)
class Division:
    """A split, and how it came about.

    `table` has the columns row and split, sorted by row. `kept` are the splits that the data set gives itself; `shares`
    are the wanted shares of the others, of the images in these. `left_out` counts images by reason. `exact` says that
    every class has its shares to within one image.
    """

    table: pd.DataFrame
    kept: tuple[SplitName, ...]
    shares: dict[SplitName, float]
    left_out: dict[str, int]
    exact: bool


def divide(index: pd.DataFrame, classes: list[str], settings: Split, near: Rows = NO_PAIRS) -> Division:
    """Divide the labelled rows by class: the share `test` of all, then `val` of the rest; what is left is train.

    Images with equal pixels, of one group, or in `near` (pairs of rows) are a unit, which stays together. The data
    set's own test and val are kept as the settings say; images elsewhere that are tied to one in them are left out.
    With `stable` an image's split follows from its own bytes or its group's name.

    Raises UserError for a class that cannot be in every split, and for a given test or val that does not exist.
    """
    # 1. Keep the data set's own test and val, and leave out what is tied to them.
    images = index[index["label"].notna()].reset_index(drop=True)
    labels, links = labels_of(images, np.arange(len(images))), Links.of(images, near)
    kept = _kept(images["subset"], settings)
    sides = np.full(len(images), UNDECIDED, object)
    for name in kept:
        sides[(images["subset"] == name).to_numpy(bool)] = name
    units = links.units()
    left_out = _give_way(sides, kept, links, None if settings.stable else units)
    # 2. Divide the others.
    rest = sides == UNDECIDED
    class_sizes.check_left(labels[rest], labels[sides == LEFT_OUT], classes)
    steps = _steps(settings, kept, len(images), int(rest.sum()))
    if settings.stable:
        sides[rest] = stable_split.sides(images[rest], steps, settings.seed)
        left_out += _give_way(sides, tuple(steps), links, None)
        is_exact = False
    else:
        parts = labels[rest], units[rest], links.pixels[rest]
        class_sizes.check(*parts, classes, splits=1 + len(steps))
        sides[rest], is_exact = stratified.divide(*parts, steps, settings.seed)
    # 3. Make the table.
    class_sizes.check_divided(labels[rest], sides[rest], ["train", *steps], classes, settings.stable)
    chosen = sides != LEFT_OUT
    table = pd.DataFrame({"row": images["row"][chosen], "split": sides[chosen]}).astype(
        {"row": "int64", "split": "str"}
    )
    return Division(
        table=table.sort_values("row", ignore_index=True),
        kept=kept,
        shares=stratified.shares(steps),
        left_out=dict(left_out),
        exact=is_exact,
    )


def _kept(subsets: "pd.Series[str]", settings: Split) -> tuple[SplitName, ...]:
    """The splits that are the data set's own: test before val, which is their order of precedence."""
    kept: list[SplitName] = []
    names: tuple[SplitName, ...] = ("test", "val")
    for name in names:
        given, wanted = bool((subsets == name).any()), getattr(settings, f"use_given_{name}")
        if wanted is True and not given:
            raise UserError(
                f"params.yaml: split.use_given_{name} is true, but the data set has no {name} images of its own: set "
                f"it to auto or false, or name their folder as `{name}:` in datasets.yaml"
            )
        if given and wanted is not False:
            kept.append(name)
    return tuple(kept)


def _give_way(sides: Sides, names: Sequence[str], links: Links, units: NDArray[np.int64] | None) -> Counter[str]:
    """Leave out, in place, images that are tied to one in the splits `names`, the first of which wins.

    Returns how many, by reason. With `units` (N), images that are tied through others are left out too.
    """
    reasons = Counter[str]()
    for name in names:
        holds = sides == name
        ties = links.touching(holds)
        if units is not None:
            ties[THROUGH_OTHERS] = np.isin(units, units[holds])
        for tie, touching in ties.items():
            yields = touching & ~holds & (sides != LEFT_OUT)
            sides[yields] = LEFT_OUT
            if yields.any():
                reasons[f"{tie} a {name} image"] += int(yields.sum())
    return reasons


def _steps(settings: Split, kept: tuple[SplitName, ...], images: int, rest: int) -> dict[SplitName, float]:
    """The splits that are taken one after the other, each with its share of the images that are left; then comes train.

    Beside a given val, test is a share of all `images`, taken from the `rest`, except in a stable split, where shares
    must not depend on how many images there are.
    """
    steps: dict[SplitName, float] = {}
    if "test" not in kept:
        steps["test"] = settings.test
        if "val" in kept and not settings.stable:
            steps["test"] = settings.test * images / max(1, rest)
            if steps["test"] >= 1:
                raise UserError(
                    f"params.yaml: split.test is {settings.test} of all {images:,} images, but beside the data set's "
                    f"own val there are only {rest:,}: lower split.test, or set split.use_given_val to false"
                )
    if "val" not in kept:
        steps["val"] = settings.val
    return steps


def check_leaks(index: pd.DataFrame, table: pd.DataFrame) -> None:
    """Raise UserError if images with equal pixels, or of one group, are in two splits."""
    rows = table["row"].to_numpy(np.int64)
    for column, what in (("sha256", "with equal pixels"), ("group", "with others of their group")):
        numbers = index[column].factorize()[0][rows]
        joined = pd.DataFrame({"number": numbers, "split": table["split"]})
        pairs = joined[numbers >= 0].drop_duplicates()
        leaked = rows[joined["number"].isin(pairs.loc[pairs["number"].duplicated(), "number"])]
        if len(leaked):
            raise UserError(
                f"{len(leaked):,} images stand in two splits {what}, the first being {index['path'].iloc[leaked[0]]}: "
                "the test would not be honest, so nothing was written"
            )
