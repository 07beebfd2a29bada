import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.base import paths
from darkroom.dataset import packed
from stages import extract, fetch, split, stats
from tests import make


@given(st.integers(0, 1000), st.integers(1, 30), st.sampled_from([1, 3]), st.integers(0, 255), st.integers(0, 255))
def test_mean_and_deviation_are_those_of_numpy(seed, count, channels, low, high):
    low, high = sorted((low, high))
    images = np.random.default_rng(seed).integers(low, high + 1, (count, 5, 7, channels), dtype=np.uint8)
    rows = np.arange(0, count, 2)
    means, deviations = stats.mean_and_std(images, rows)
    scaled = images[rows] / 255
    assert np.allclose(means, scaled.mean(axis=(0, 1, 2)), atol=1e-12)
    assert np.allclose(deviations, scaled.std(axis=(0, 1, 2)), atol=1e-8)


@given(st.integers(0, 1000), st.integers(1, 20), st.sampled_from([1, 3]), st.integers(1, 6), st.integers(1, 6))
def test_the_border_is_the_median_of_the_outermost_pixels(seed, count, channels, height, width):
    images = np.random.default_rng(seed).integers(0, 256, (count, height, width, channels), dtype=np.uint8)
    edge = np.ones((height, width), bool)
    edge[1:-1, 1:-1] = False
    found = stats.border(images, np.arange(count))
    for channel, value in enumerate(found):
        assert value * 255 == pytest.approx(np.sort(images[:, edge, channel], axis=None)[(count * edge.sum() - 1) // 2])


def test_chunks_do_not_change_a_bit(monkeypatch):
    images = np.stack([make.pixels(6, 6, 3, seed) for seed in range(50)])
    whole = stats.mean_and_std(images, np.arange(50))
    monkeypatch.setattr(packed, "CHUNK_BYTES", 500)
    assert stats.mean_and_std(images, np.arange(50)) == whole


def test_only_the_training_images_count(project):
    project.add(path="x")
    bright = np.full((8, 8, 1), 255, np.uint8)
    files = make.pictures(("cat", "dog"), each=10)
    project.archive(make.zip_of(files))
    for stage in (fetch, extract, split):
        stage.main()
    images, train = np.load(paths.IMAGES), packed.load_split("train")
    expected = images[train].mean() / 255
    others = np.setdiff1d(np.arange(20), train)
    images[others] = bright
    np.save(paths.IMAGES, images)
    stats.main()
    found = json.loads(paths.STATS.read_text(encoding="utf-8"))
    assert found["mean"] == [pytest.approx(expected, abs=1e-6)]
    assert found["std"] == [pytest.approx(images[train].std() / 255, abs=1e-6)]


@pytest.mark.slow
def test_mnist_has_its_well_known_figures(project, archives):
    project.set(dataset="mnist", fetch__archive=str(archives / "mnistasjpg.zip"))
    for stage in (fetch, extract, split, stats):
        stage.main()
    found = json.loads(paths.STATS.read_text(encoding="utf-8"))
    assert found["mean"][0] == pytest.approx(0.1307, abs=0.002)
    assert found["std"][0] == pytest.approx(0.3081, abs=0.005)
