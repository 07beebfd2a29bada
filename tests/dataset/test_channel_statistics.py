import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.dataset import channel_statistics, packed
from tests import make


@given(st.integers(0, 1000), st.integers(1, 30), st.sampled_from([1, 3]), st.integers(0, 255), st.integers(0, 255))
def test_mean_and_deviation_are_those_of_numpy(seed, count, channels, low, high):
    low, high = sorted((low, high))
    images = np.random.default_rng(seed).integers(low, high + 1, (count, 5, 7, channels), dtype=np.uint8)
    rows = np.arange(0, count, 2)
    means, deviations = channel_statistics.mean_and_std(images, rows)
    scaled = images[rows] / 255
    assert np.allclose(means, scaled.mean(axis=(0, 1, 2)), atol=1e-12)
    assert np.allclose(deviations, scaled.std(axis=(0, 1, 2)), atol=1e-8)


@given(st.integers(0, 1000), st.integers(1, 20), st.sampled_from([1, 3]), st.integers(1, 6), st.integers(1, 6))
def test_the_border_is_the_median_of_the_outermost_pixels(seed, count, channels, height, width):
    images = np.random.default_rng(seed).integers(0, 256, (count, height, width, channels), dtype=np.uint8)
    edge = np.ones((height, width), bool)
    edge[1:-1, 1:-1] = False
    found = channel_statistics.border(images, np.arange(count))
    for channel, value in enumerate(found):
        assert value * 255 == pytest.approx(np.sort(images[:, edge, channel], axis=None)[(count * edge.sum() - 1) // 2])


def test_chunks_do_not_change_a_bit(monkeypatch):
    images = np.stack([make.pixels(6, 6, 3, seed) for seed in range(50)])
    whole = channel_statistics.mean_and_std(images, np.arange(50))
    monkeypatch.setattr(packed, "CHUNK_BYTES", 500)
    assert channel_statistics.mean_and_std(images, np.arange(50)) == whole
