"""Brings values of 16 bits to 8."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

ValueRange = tuple[int, int] | None


def to_8_bits(values: NDArray[np.uint16], value_range: ValueRange = None) -> NDArray[np.uint8]:
    """The values as uint8, in the same shape: the high byte of each.

    With `value_range`, the values between its two bounds, the lower first, go to 0..255 instead, rounded; what is below
    becomes 0, what is above 255. So a camera of 12 bits, which leaves the high bits empty, keeps its levels with
    (0, 4095).
    """
    if value_range is None:
        return (values >> 8).astype(np.uint8)
    return np.asarray(_table(*value_range)[values], np.uint8)


@lru_cache(maxsize=4)
def _table(low: int, high: int) -> NDArray[np.uint8]:
    """What becomes of each value of 16 bits."""
    values = np.arange(2**16, dtype=np.float64)
    return np.asarray(np.rint((values - low) * (255 / (high - low))).clip(0, 255), np.uint8)
