"""Divides images into train, validation and test: stratified, seeded, never with equal pixels in two splits."""

import math

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from darkroom.base.errors import UserError
from darkroom.dataset.packed import SPLITS, Labels, Rows


def split(
    index: pd.DataFrame, classes: list[str], *, test: float, val: float, seed: int, use_given_test: bool
) -> pd.DataFrame:
    """Divide the labelled rows in two stratified steps: the share `test` of all, then the share `val` of the rest.

    Images with equal pixels count as one and stay together, so copies can make a class's shares inexact. With
    `use_given_test` the test split is the data set's own test images and the first step is left out. Another image with
    the same pixels as one of them is left out, else it would be trained on and then tested.

    Returns the columns row and split, sorted by row. Raises UserError for a class too small to divide.
    """
    # 1. Set the data set's own test images apart.
    labelled = index[index["label"].notna()]
    if use_given_test:
        given = labelled["subset"] == "test"
        if not given.any():
            raise UserError(
                "params.yaml: split.use_given_test is true, but the data set has no test images of its own: "
                "set it to false, or name their folder as `test:` in datasets.yaml"
            )
        fixed = labelled[given]
        labelled = labelled[~given & ~labelled["sha256"].isin(fixed["sha256"])]
    # 2. Number the others by their pixels, from 0 in order of first appearance: copies get one number.
    pixels = labelled["sha256"].factorize()[0]
    labels = labelled.loc[~labelled["sha256"].duplicated(), "label"].to_numpy(np.int64)
    rest = 1.0 if use_given_test else 1 - test
    _check_sizes(labels, classes, min(val * rest, (1 - val) * rest, 1.0 if use_given_test else test))
    # 3. Take test, then val; the rest is train.
    images, side = np.arange(len(labels)), np.full(len(labels), "train", object)
    if not use_given_test:
        images, tested, labels = _divide(images, labels, test, seed)
        side[tested] = "test"
    _, validated, _ = _divide(images, labels, val, seed)
    side[validated] = "val"
    table = pd.DataFrame({"row": labelled["row"], "split": side[pixels]})
    if use_given_test:
        table = pd.concat([table, pd.DataFrame({"row": fixed["row"], "split": "test"})])
    return table.astype({"row": "int64", "split": "str"}).sort_values("row", ignore_index=True)


def _divide(images: Rows, labels: Labels, share: float, seed: int) -> tuple[Rows, Rows, Labels]:
    """Take a stratified `share` of the images. Returns the images left, those taken, and the labels of those left."""
    try:
        left, taken, labels_left, _ = train_test_split(
            images, labels, test_size=share, stratify=labels, random_state=seed
        )
    except ValueError:  # scikit-learn rounds the share up, and a few images leave too little for the rest
        raise UserError(
            f"too few different images to divide: {len(images)} cannot give a share of {share} with every class on "
            "both sides: add images, or change split.test and split.val"
        ) from None
    return left, taken, labels_left


def _check_sizes(labels: Labels, classes: list[str], smallest_share: float) -> None:
    needed = max(2, math.ceil(round(1 / max(smallest_share, 1e-12), 6)))  # fewer would make a split less than one image
    counts = np.bincount(labels, minlength=len(classes))
    small = [f"{classes[label]} ({counts[label]})" for label in np.flatnonzero(counts < needed)]
    if small:
        raise UserError(
            f"too few different images to divide: class {', '.join(small[:10])}; each class needs at least {needed}, "
            "one for every split: add images, remove the class, or change split.test and split.val"
        )


def check_leaks(index: pd.DataFrame, table: pd.DataFrame) -> None:
    """Raise UserError if images with equal pixels are in two splits."""
    rows = table["row"].to_numpy(np.int64)
    joined = pd.DataFrame({"pixels": index["sha256"].factorize()[0][rows], "split": table["split"]})
    sides = joined.drop_duplicates()
    leaked = rows[joined["pixels"].isin(sides.loc[sides["pixels"].duplicated(), "pixels"])]
    if len(leaked):
        first = index["path"].iloc[leaked[0]]
        raise UserError(
            f"{len(leaked)} images stand in two splits with equal pixels, the first being {first}: "
            "the test would not be honest, so nothing was written"
        )


def table_by_class(index: pd.DataFrame, split_table: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """The number of images by class and split; `left_out` counts labelled images in no split."""
    labelled = index.loc[index["label"].notna(), ["row", "label"]].merge(split_table, on="row", how="left")
    labelled["split"] = labelled["split"].fillna("left_out")
    counts = labelled.groupby(["label", "split"]).size().unstack(fill_value=0)
    counts = counts.reindex(index=range(len(classes)), columns=[*SPLITS, "left_out"], fill_value=0)
    counts.insert(0, "class", classes)
    return counts.reset_index(drop=True)
