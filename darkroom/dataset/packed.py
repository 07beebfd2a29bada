"""The packed data set on disk: images, index, classes and split."""

import mmap
from collections.abc import Iterator
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkroom.base import paths
from darkroom.base.files import read_json
from darkroom.config.stage_tables import INDEX, SPLIT

Images = NDArray[np.uint8]  # N x height x width x channels
Labels = NDArray[np.int64]
Rows = NDArray[np.int64]
SplitName = Literal["train", "val", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "val", "test")

CHUNK_BYTES = 2**25


def load_images() -> Images:
    """All images, memory-mapped and read-only."""
    images: Images = np.load(paths.IMAGES, mmap_mode="r")
    return images


def load_index(*columns: str) -> pd.DataFrame:
    """One row per image: row, path, label (<NA> if unlabelled), subset, sha256, width, height, channels.

    `columns` reads these columns alone: for a million images each column of text takes 100 MB.
    """
    return pd.read_parquet(INDEX.path, columns=list(columns) or None, dtype_backend="numpy_nullable")


def load_classes() -> list[str]:
    """The names of the classes, in the order of their numbers."""
    names: list[str] = read_json(paths.CLASSES)
    return names


def load_split(name: SplitName) -> Rows:
    """The rows of one split, ascending."""
    split = SPLIT.read()
    return split.loc[split["split"] == name, "row"].to_numpy(np.int64)


def labels_of(index: pd.DataFrame, rows: Rows) -> Labels:
    """The class numbers of labelled rows."""
    return index["label"].to_numpy(np.int64, na_value=-1)[rows]


def images_if_like(classes: list[str], shape: tuple[int, int, int]) -> Images | None:
    """All images, if the packed data set has these classes and this height, width and channels; else None."""
    if not (paths.IMAGES.is_file() and paths.SPLIT.is_file()) or load_classes() != classes:
        return None
    images = load_images()
    return images if images.shape[1:] == shape else None


def chunks(images: Images, rows: Rows | None = None) -> Iterator[tuple[Rows, Images]]:
    """Yield rows and their images, some 32 MiB at a time, so that a set may be larger than memory."""
    rows = np.arange(len(images)) if rows is None else rows
    step = max(1, CHUNK_BYTES // max(1, images[0].nbytes if len(images) else 1))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        found = images[part]
        # Pages of a memory map that were read count as this process's memory until it releases them.
        if isinstance(images.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            images.base.madvise(mmap.MADV_DONTNEED)
        yield part, found


def sample(rows: Rows, at_most: int, seed: int) -> Rows:
    """All rows, or `at_most` of them, drawn at random and sorted, if there are more."""
    if len(rows) <= at_most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, at_most, replace=False))
