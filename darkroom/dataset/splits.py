"""Train, validation and test: stratified, seeded, and never with equal pixels on two sides."""

import math

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from darkroom.base.errors import UserError
from darkroom.dataset.packed import SPLITS, Labels, Rows


def split(
    index: pd.DataFrame, classes: list[str], *, test: float, val: float, seed: int, use_given_test: bool
) -> pd.DataFrame:
    """Divide the labelled rows in two stratified steps: `test` of all, then `val` of the rest.

    Images with equal pixels count as one and stay together, so a class may be off by its copies. With
    `use_given_test` the makers' test images are the test split, and the first step falls away; an image elsewhere
    whose pixels stand among them is left out, for it would be trained on and then tested.

    Returns the columns row and split, by row. Raises UserError for a class too small to divide.
    """
    # 1. The makers' test images stand apart.
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
    # 2. Of the others, images with equal pixels are one, numbered 0, 1, ... in the order in which they come first.
    pixels = labelled["sha256"].factorize()[0]
    labels = labelled.loc[~labelled["sha256"].duplicated(), "label"].to_numpy(np.int64)
    rest = 1.0 if use_given_test else 1 - test
    _check_sizes(labels, classes, min(val * rest, (1 - val) * rest, 1.0 if use_given_test else test))
    # 3. Test leaves, then val; train is what stays.
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
    """The images that stay, the stratified `share` of them that goes, and the labels of those that stay."""
    try:
        stay, go, kept, _ = train_test_split(images, labels, test_size=share, stratify=labels, random_state=seed)
    except ValueError:  # both shares are rounded up, so that nothing may be left of a few images
        raise UserError(
            f"too few different images to divide: {len(images)} cannot give a share of {share} with every class on "
            "both sides: add images, or change split.test and split.val"
        ) from None
    return stay, go, kept


def _check_sizes(labels: Labels, classes: list[str], smallest_share: float) -> None:
    needed = max(2, math.ceil(round(1 / max(smallest_share, 1e-12), 6)))  # of less, one image is never a share
    counts = np.bincount(labels, minlength=len(classes))
    small = [f"{classes[label]} ({counts[label]})" for label in np.flatnonzero(counts < needed)]
    if small:
        raise UserError(
            f"too few different images to divide: class {', '.join(small[:10])}; each class needs at least {needed}, "
            "one for every split: add images, remove the class, or change split.test and split.val"
        )


def check_leaks(index: pd.DataFrame, table: pd.DataFrame) -> None:
    """The gate: raise UserError if equal pixels stand in two splits."""
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
    """Images by class and split; `left_out` are labelled images in no split."""
    labelled = index.loc[index["label"].notna(), ["row", "label"]].merge(split_table, on="row", how="left")
    labelled["split"] = labelled["split"].fillna("left_out")
    counts = labelled.groupby(["label", "split"]).size().unstack(fill_value=0)
    counts = counts.reindex(index=range(len(classes)), columns=[*SPLITS, "left_out"], fill_value=0)
    counts.insert(0, "class", classes)
    return counts.reset_index(drop=True)
