"""What ties images together, so that a split must not part them: equal pixels, a group, nearly equal pixels."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array  # type: ignore[import-untyped]
from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

from darkroom.dataset.packed import Rows

NO_PAIRS = np.zeros((0, 2), np.int64)


@dataclass(frozen=True)
class Links:
    """The ties among N images.

    `pixels` (N) has one number for images with equal pixels. `group` (N) has one number for each group, -1 for none.
    `near` (pairs x 2) holds the positions of nearly equal images.
    """

    pixels: NDArray[np.int64]
    group: NDArray[np.int64]
    near: NDArray[np.int64]

    @classmethod
    def of(cls, images: pd.DataFrame, near: Rows = NO_PAIRS) -> "Links":
        """The ties by the columns sha256 and group of the index, whose rows ascend, and by `near`, pairs of rows."""
        places = np.searchsorted(images["row"].to_numpy(np.int64), near)
        return cls(images["sha256"].factorize()[0], images["group"].factorize()[0], places)

    def units(self) -> NDArray[np.int64]:
        """The unit of each image (N): connected images have one number; numbers count from 0 by first appearance."""
        grouped = self.group >= 0
        if not grouped.any() and not len(self.near):
            return self.pixels
        # Nodes are the different pixels, then the groups; each grouped image and each near pair is an edge.
        first_group = self.pixels.max() + 1
        start = np.concatenate([self.pixels[grouped], self.pixels[self.near[:, 0]]])
        end = np.concatenate([first_group + self.group[grouped], self.pixels[self.near[:, 1]]])
        nodes = first_group + self.group.max() + 1
        graph = coo_array((np.ones(len(start), np.int8), (start, end)), shape=(nodes, nodes))
        _, component = connected_components(graph, directed=False)
        units: NDArray[np.int64] = pd.factorize(component[self.pixels])[0]
        return units

    def touching(self, chosen: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
        """By kind of tie, in words, which images (N) have one to an image that is `chosen` (N)."""
        near = np.zeros(len(chosen), bool)
        for one, other in ((0, 1), (1, 0)):
            near[self.near[chosen[self.near[:, one]], other]] = True
        same_group = _shared(self.group, chosen & (self.group >= 0))
        pixels = _shared(self.pixels, chosen)
        return {"with the same pixels as": pixels, "in the same group as": same_group, "nearly equal to": near}


def _shared(numbers: NDArray[np.int64], chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which images have the number of an image that is chosen; a number of -1 is none."""
    marked = np.zeros(numbers.max(initial=-1) + 2, bool)  # the last place is that of -1, which is never marked
    marked[numbers[chosen]] = True
    shared: NDArray[np.bool_] = marked[numbers]
    return shared
