"""Brings a picture that came as numbers, not as a file, to a uint8 array of the wanted size and channels."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.pictures.decoding import Header, Pixels, Target
from darkroom.pictures.depth import ValueRange
from darkroom.pictures.notes import NOTHING, BadImage, Notes
from darkroom.pictures.resizing import resize

HIGHEST = 255


def from_array(values: NDArray[Any], target: Target) -> tuple[Pixels, Header, Notes]:
    """Pixels of `target.shape` (uint8) from numbers of any kind, height x width x channels (1 grey, 3 RGB).

    Numbers have no depth of their own. With `target.range` its bounds go to 0 and 255, and what lies outside to the
    nearer one; without it whole numbers from 0 to 255 are taken as they stand. Raises BadImage for all others, and for
    too many pixels.
    """
    height, width, channels = values.shape
    if height * width > target.max_pixels:
        raise BadImage(f"it is {width}x{height}, more than extract.max_pixels allows")
    pixels, notes = _in_8_bits(values, target.range)
    if channels == 1 and target.shape[2] == 3:
        pixels = np.repeat(pixels, 3, axis=2)
    elif channels == 3 and target.shape[2] == 1:
        pixels = np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY), np.uint8)[..., np.newaxis]
    header = Header(width, height, channels, plain=True)
    return resize(np.ascontiguousarray(pixels), target.shape, target.resize), header, notes


def _in_8_bits(values: NDArray[Any], value_range: ValueRange) -> tuple[Pixels, Notes]:
    if value_range is not None:
        low, high = value_range
        numbers = values.astype(np.float64)
        if not np.isfinite(numbers).all():
            raise BadImage("it holds values that are no numbers (NaN or infinity)")
        return np.rint((numbers - low) * (HIGHEST / (high - low))).clip(0, HIGHEST).astype(np.uint8), NOTHING
    lowest, highest = values.min(), values.max()
    if values.dtype.kind == "f":
        raise BadImage(
            f"it holds fractions ({lowest:.4g} to {highest:.4g}): say what they range over, as in range: [0, 1]"
        )
    if lowest < 0 or highest > HIGHEST:
        raise BadImage(
            f"its values, here from {lowest} to {highest}, leave the 0 to {HIGHEST} of 8 bits: say what they range "
            f"over, as in range: [0, {max(HIGHEST, 2 ** int(highest).bit_length() - 1) if highest > 0 else HIGHEST}]"
        )
    return values.astype(np.uint8), Notes(bits=0, highest=int(highest))
