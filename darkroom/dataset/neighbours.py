"""The nearest training images of each of some images, exactly, by comparing all with all in blocks."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from darkroom.dataset.packed import Rows

NEAREST = 5
AT_MOST = 100_000  # images on each side; of more, as many evenly spaced ones are compared
STEPS = 2**20  # to which a similarity is rounded: what differs by less is a tie, decided by the order of the rows
ASKED_BLOCK, FOUND_BLOCK = 2**10, 2**13
PLACES = 2**32


@dataclass(frozen=True)
class Nearest:
    """For each image asked for, the rows of its nearest ones and their distances, nearest first.

    Both are N x k; a distance is 1 minus the cosine of two vectors, from 0 to 2. Where there are fewer than k images
    to find, the row is -1 and the distance nan.
    """

    rows: Rows
    distances: NDArray[np.float64]


def nearest(asked: NDArray[np.float32], parts: Iterable[tuple[Rows, NDArray[np.float32]]], count: int) -> Nearest:
    """The `count` vectors of `parts` (rows, M x D) that are nearest to each of `asked` (N x D), by cosine.

    `parts` are taken one after another, so that those of a set larger than memory can be made on the way. Of equally
    near ones the first comes first. A vector of length 0 has the distance 1 from all.
    """
    wanted = _unit(asked)
    best = torch.full((len(wanted), count), -1, dtype=torch.int64)
    seen: list[Rows] = [np.zeros(0, np.int64)]
    first = 0
    for rows, vectors in parts:
        seen.append(rows)
        for block in torch.split(_unit(vectors), FOUND_BLOCK):
            # One whole number holds similarity and place, so that the largest are exact, with no ties left.
            places = PLACES - 1 - torch.arange(first, first + len(block))
            for start in range(0, len(wanted), ASKED_BLOCK):
                similar = wanted[start : start + ASKED_BLOCK] @ block.T
                keys = similar.clamp_(-1, 1).add_(1).mul_(STEPS).round_().long().mul_(PLACES).add_(places)
                among = torch.cat([best[start : start + ASKED_BLOCK], keys], dim=1)
                best[start : start + ASKED_BLOCK] = among.topk(count, dim=1).values
            first += len(block)
    kept: NDArray[np.int64] = best.numpy()
    missing = kept < 0
    places_found = np.where(missing, 0, PLACES - 1 - kept % PLACES)
    rows_found = np.concatenate(seen)[places_found] if first else np.zeros(kept.shape, np.int64)
    return Nearest(
        rows=np.where(missing, -1, rows_found),
        distances=np.where(missing, np.nan, 2 - (kept // PLACES) / STEPS),
    )


def evenly(rows: Rows, at_most: int = AT_MOST) -> Rows:
    """All rows, or so many evenly spaced ones of them."""
    if len(rows) <= at_most:
        return rows
    return rows[np.arange(at_most) * len(rows) // at_most]


def _unit(vectors: NDArray[Any]) -> Tensor:
    return functional.normalize(torch.from_numpy(np.ascontiguousarray(vectors, np.float32)), dim=1)
