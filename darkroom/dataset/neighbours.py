"""Exact nearest-neighbour search: all vectors are compared with all, in blocks."""

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
AT_MOST = 100_000  # images on each side; of a larger set, evenly spaced images are compared
STEPS = 2**20  # a cosine is rounded to multiples of 1 / STEPS: closer ones are a tie, which the order of rows decides
QUERY_BLOCK, KNOWN_BLOCK = 2**10, 2**13  # vectors whose distances are in memory at a time: some 250 MB
PLACE_BITS = 32
MISSING = torch.iinfo(torch.int64).max


@dataclass(frozen=True)
class Nearest:
    """The rows of the nearest vectors to each of N vectors, and their distances, nearest first.

    Both are N x count. If there are too few vectors, the remaining rows are -1 and their distances nan.
    """

    rows: Rows
    distances: NDArray[np.float64]


def nearest(
    asked: NDArray[np.float32], parts: Iterable[tuple[Rows, NDArray[np.float32]]], count: int, metric: Metric
) -> Nearest:
    """Find the `count` vectors of `parts` (each rows and M x D) that are nearest to each of `asked` (N x D).

    `parts` is consumed one by one, so the vectors may be computed on the way and need not fit into memory. The metric
    is cosine (1 minus the cosine of two vectors, 0 to 2; a vector of length 0 is at 1 from all) or euclidean, rounded
    to float32. Among equally near vectors, the first in `parts` comes first.
    """
    queries = _vectors(asked, metric)
    best = torch.full((len(queries), count), MISSING)
    known_rows: list[Rows] = [np.zeros(0, np.int64)]
    first = 0
    for rows, vectors in parts:
        known_rows.append(rows)
        for block in torch.split(_vectors(vectors, metric), KNOWN_BLOCK):
            places = torch.arange(first, first + len(block))
            for start in range(0, len(queries), QUERY_BLOCK):
                # 1. Join distance and place in one integer, so that no ties are left: the bits of a float that is not
                #    negative, read as an integer, have the order of the floats.
                distances = _distances(queries[start : start + QUERY_BLOCK], block, metric)
                keys = distances.view(torch.int32).long().bitwise_left_shift_(PLACE_BITS).add_(places)
                # 2. Keep the smallest of these and of those before.
                candidates = torch.cat([best[start : start + QUERY_BLOCK], keys], dim=1)
                best[start : start + QUERY_BLOCK] = candidates.topk(count, dim=1, largest=False).values
            first += len(block)
    # 3. Separate place and distance again.
    missing = (best == MISSING).numpy()
    best_places = np.where(missing, 0, (best % 2**PLACE_BITS).numpy())
    best_rows = np.concatenate(known_rows)[best_places] if first else np.zeros(missing.shape, np.int64)
    best_distances = (best >> PLACE_BITS).int().view(torch.float32).double().numpy()
    return Nearest(rows=np.where(missing, -1, best_rows), distances=np.where(missing, np.nan, best_distances))


def _vectors(vectors: NDArray[Any], metric: Metric) -> Tensor:
    """Prepare vectors: length 1 for the cosine, float64 for the Euclidean distance."""
    given = torch.from_numpy(np.ascontiguousarray(vectors, np.float32))
    return functional.normalize(given, dim=1) if metric == "cosine" else given.double()


def _distances(first: Tensor, second: Tensor, metric: Metric) -> Tensor:
    """The distance of each vector of `first` (N x D) to each of `second` (M x D): N x M, float32."""
    if metric == "euclidean":
        return torch.cdist(first, second).float()
    # Count in whole steps, which float32 holds exactly.
    steps = (first @ second.T).clamp_(-1, 1).add_(1).mul_(STEPS).round_()
    return steps.div_(-STEPS).add_(2)


def evenly_spaced(rows: Rows, at_most: int = AT_MOST) -> Rows:
    """All rows, or `at_most` evenly spaced ones if there are more."""
    if len(rows) <= at_most:
        return rows
    return rows[np.arange(at_most) * len(rows) // at_most]
