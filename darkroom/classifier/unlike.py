"""Why a picture may look unlike the training images, in words, with what may mend it."""

import numpy as np
from numpy.typing import NDArray

from darkroom.classifier.familiarity import Familiarity

COLOURED = 30  # grey levels between the largest and the smallest channel, in at least a hundredth of the pixels
EMPTY = 0.01  # share of the pixels that differ from the picture's ground
STRETCHED = 1.3  # factor by which its proportions lie outside those of the training pictures


def reasons(
    familiarity: Familiarity, stored: NDArray[np.uint8], *, nearer_negative: bool, aspect: float, coloured: bool
) -> list[str]:
    """What strikes one about a picture that is unlike the training images; mostly one sentence, or none.

    `stored` is uint8, height x width x channels, as the network gets it; `nearer_negative` says that its negative is
    much less unlike; `aspect` (width over height) and `coloured` are those of the picture as it was.
    """
    found = []
    or_fit = " or try --fit" if stored.shape[2] == 1 else ""
    if empty(stored):
        found.append("it is mostly empty")
    elif nearer_negative:
        found.append("its negative looks much more like them: try --invert auto")
    if coloured and familiarity.grey:
        found.append("it is in colour, they are grey")
    low, high = familiarity.aspect
    if not low / STRETCHED <= aspect <= high * STRETCHED:
        found.append(f"it is {_number(aspect)} times as wide as high, they are {_range(low, high)}: crop it{or_fit}")
    return found


def coloured(pixels: NDArray[np.uint8]) -> bool:
    """Whether a picture (uint8, height x width x 3) shows colour, beyond the traces that a grey JPEG may have."""
    spread = pixels.max(axis=2).astype(np.int16) - pixels.min(axis=2)
    return bool((spread > COLOURED).mean() > 0.01)


def empty(pixels: NDArray[np.uint8]) -> bool:
    """Whether nearly all pixels are alike."""
    ground = np.median(pixels, axis=(0, 1))
    return bool((np.abs(pixels - ground).max(axis=2) > 32).mean() < EMPTY)


def _range(low: float, high: float) -> str:
    return _number(low) if _number(low) == _number(high) else f"{_number(low)} to {_number(high)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
