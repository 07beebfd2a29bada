"""The nearest vectors to each of some vectors, exactly, by comparing all with all in blocks."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from darkroom.dataset.packed import Rows

Metric = Literal["cosine", "euclidean"]

NEAREST = 5
AT_MOST = 100_000  # images on each side; of more, as many evenly spaced ones are compared
STEPS = 2**20  # to which a cosine is rounded: what differs by less is a tie, decided by the order of the rows
ASKED_BLOCK, FOUND_BLOCK = 2**10, 2**13  # vectors whose distances are in memory at a time: some 250 MB
PLACE_BITS = 32
NONE = torch.iinfo(torch.int64).max


@dataclass(frozen=True)
class Nearest:
    """For each vector asked for, the rows of its nearest ones and their distances, nearest first.

    Both are N x k. Where there are fewer than k vectors to find, the row is -1 and the distance nan.
    """

    rows: Rows
    distances: NDArray[np.float64]


def nearest(
    asked: NDArray[np.float32], parts: Iterable[tuple[Rows, NDArray[np.float32]]], count: int, metric: Metric
) -> Nearest:
    """The `count` vectors of `parts` (rows, M x D) that are nearest to each of `asked` (N x D).

    `parts` are taken one after another, so that those of a set larger than memory can be made on the way. The metric
    is cosine (1 minus the cosine of two vectors, 0 to 2; a vector of length 0 is at 1 from all) or euclidean, rounded
    to float32. Of equally near ones the first comes first.
    """
    wanted = _vectors(asked, metric)
    best = torch.full((len(wanted), count), NONE)
    seen: list[Rows] = [np.zeros(0, np.int64)]
    first = 0
    for rows, vectors in parts:
        seen.append(rows)
        for block in torch.split(_vectors(vectors, metric), FOUND_BLOCK):
            places = torch.arange(first, first + len(block))
            for start in range(0, len(wanted), ASKED_BLOCK):
                # One whole number holds distance and place, so that the smallest are exact, with no ties left: the
                # bits of floats that are not negative stand in the order of the floats.
                far = _distances(wanted[start : start + ASKED_BLOCK], block, metric)
                keys = far.view(torch.int32).long().bitwise_left_shift_(PLACE_BITS).add_(places)
                among = torch.cat([best[start : start + ASKED_BLOCK], keys], dim=1)
                best[start : start + ASKED_BLOCK] = among.topk(count, dim=1, largest=False).values
            first += len(block)
    # Take the whole numbers apart again.
    missing = (best == NONE).numpy()
    places_found = np.where(missing, 0, (best % 2**PLACE_BITS).numpy())
    rows_found = np.concatenate(seen)[places_found] if first else np.zeros(missing.shape, np.int64)
    distances = (best >> PLACE_BITS).int().view(torch.float32).double().numpy()
    return Nearest(rows=np.where(missing, -1, rows_found), distances=np.where(missing, np.nan, distances))


def _vectors(vectors: NDArray[Any], metric: Metric) -> Tensor:
    """As they are compared: of length 1 for the cosine, in double precision for the Euclidean distance."""
    given = torch.from_numpy(np.ascontiguousarray(vectors, np.float32))
    return functional.normalize(given, dim=1) if metric == "cosine" else given.double()


def _distances(first: Tensor, second: Tensor, metric: Metric) -> Tensor:
    """The distance of each vector of the one (N x D) from each of the other (M x D): N x M, float32."""
    if metric == "euclidean":
        return torch.cdist(first, second).float()
    # In whole steps, which float32 holds exactly.
    steps = (first @ second.T).clamp_(-1, 1).add_(1).mul_(STEPS).round_()
    return steps.div_(-STEPS).add_(2)


def evenly(rows: Rows, at_most: int = AT_MOST) -> Rows:
    """All rows, or so many evenly spaced ones of them."""
    if len(rows) <= at_most:
        return rows
    return rows[np.arange(at_most) * len(rows) // at_most]
