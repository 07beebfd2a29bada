"""Why a picture may look unlike the training images, in words, and what may help."""

import numpy as np
from numpy.typing import NDArray

from darkroom.classifier.familiarity import Familiarity

COLOURED = 30  # grey levels between the largest and the smallest channel of a coloured pixel
EMPTY = 0.01  # a picture is mostly empty if a smaller share of its pixels differs from the background
STRETCHED = 1.3  # tolerated factor beyond the aspects (width over height) of the training pictures


def explain_unlikeness(
    familiarity: Familiarity, stored: NDArray[np.uint8], *, nearer_negative: bool, aspect: float, coloured: bool
) -> list[str]:
    """Sentences that say how a picture differs from the training images: mostly one, or none.

    `stored` is the picture as the network gets it (uint8, height x width x channels). `nearer_negative` says that its
    negative looks much more like them. `aspect` (width over height) and `coloured` describe the original.
    """
    sentences = []
    or_fit = " or try --fit" if stored.shape[2] == 1 else ""
    if is_mostly_empty(stored):
        sentences.append("it is mostly empty")
    elif nearer_negative:
        sentences.append("its negative looks much more like them: try --invert auto")
    if coloured and familiarity.grey:
        sentences.append("it is in colour, they are grey")
    low, high = familiarity.aspect
    if not low / STRETCHED <= aspect <= high * STRETCHED:
        wanted = f"they are {_range(low, high)}: crop it{or_fit}"
        sentences.append(f"it is {_number(aspect)} times as wide as high, {wanted}")
    return sentences


def is_coloured(pixels: NDArray[np.uint8]) -> bool:
    """Whether more than 1 % of the pixels (uint8, height x width x 3) have a colour; a grey JPEG has traces of it."""
    spread = pixels.max(axis=2).astype(np.int16) - pixels.min(axis=2)
    return bool((spread > COLOURED).mean() > 0.01)


def is_mostly_empty(pixels: NDArray[np.uint8]) -> bool:
    """Whether nearly all pixels (uint8, height x width x channels) are like the background, their median."""
    ground = np.median(pixels, axis=(0, 1))
    return bool((np.abs(pixels - ground).max(axis=2) > 32).mean() < EMPTY)


def _range(low: float, high: float) -> str:
    return _number(low) if _number(low) == _number(high) else f"{_number(low)} to {_number(high)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
