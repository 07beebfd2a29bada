"""A split in which each picture's side follows from the picture alone, so that more pictures never move an old one."""

import hashlib

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkroom.dataset.stratified import Steps


def sides(images: pd.DataFrame, steps: Steps, seed: int) -> NDArray[np.object_]:
    """The split of each image (N), by a hash of `seed` with its group's name, or with its file's sha256.

    `images` has the columns group and file_sha256 of the index. `steps` name the splits that are taken one after the
    other, each with its share of what is left, on average; what remains is train.
    """
    group = images["group"]
    keys = ("group " + group).where(group.notna(), "file " + images["file_sha256"])
    codes, names = keys.factorize()
    at = np.array([_place(f"{seed} {name}") for name in names])[codes]
    found = np.full(len(images), "train", object)
    start, left = 0.0, 1.0
    for name, share in steps.items():
        end = start + share * left
        found[(start <= at) & (at < end)] = name
        start, left = end, left - share * left
    return found


def _place(key: str) -> float:
    """A number from 0 to below 1 that follows from a text; such numbers are spread evenly."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:6], "big") / 2**48
