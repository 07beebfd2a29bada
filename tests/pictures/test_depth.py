import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from darkroom.pictures.depth import to_8_bits

ALL = np.arange(2**16, dtype=np.uint16)


def test_without_a_range_the_high_byte_stays():
    assert np.array_equal(to_8_bits(ALL), (ALL // 256).astype(np.uint8))


@given(st.integers(0, 65534), st.integers(1, 65535))
def test_a_range_is_spread_evenly(low, length):
    high = min(65535, low + length)
    found = to_8_bits(ALL, (low, high))
    assert found.dtype == np.uint8
    assert (found[: low + 1] == 0).all()
    assert (found[high:] == 255).all()
    exact = 255 * (np.arange(low, high + 1) - low) / (high - low)
    assert np.abs(found[low : high + 1] - exact).max() <= 0.5 + 1e-9


def test_twelve_bits_keep_their_levels():
    assert len(np.unique(to_8_bits(ALL[:4096]))) == 16
    assert len(np.unique(to_8_bits(ALL[:4096], (0, 4095)))) == 256


def test_the_shape_stays():
    assert to_8_bits(np.zeros((2, 3, 3), np.uint16), (0, 9)).shape == (2, 3, 3)
