"""The picture of images without labels, each with its predicted class."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from darkroom.dataset.packed import Images, Labels, Rows
from darkroom.drawing import galleries

DOUBTFUL, RANDOM = 24, 16  # images shown: the least certain, and others
SEED = 0  # decides which others


def figure(images: Images, rows: Rows, best: Labels, confidence: NDArray[np.float32], classes: list[str]) -> Figure:
    """The least certain of the images at `rows`, then others at random, each with its class and confidence.

    `best` (class numbers) and `confidence` have one entry a row.
    """
    order = np.argsort(confidence, kind="stable")
    doubtful, rest = order[:DOUBTFUL], np.sort(order[DOUBTFUL:])
    chosen = np.random.default_rng(SEED).permutation(rest)[:RANDOM]
    places = np.concatenate([doubtful, chosen])
    title = (
        f"Images without labels: the {len(doubtful)} least certain of {len(rows):,}, then {len(chosen)} at random "
        "(predicted, confidence)"
    )
    titles = [f"{classes[best[place]]}\n{confidence[place]:.0%}" for place in places]
    return galleries.grid(images[rows[places]], titles, columns=8, title=title)
