import numpy as np
import pytest

from darkroom import baselines
from tests import make


def toy(count=200, channels=1, height=8, width=8, seed=0):
    """Two classes that differ in brightness, with noise."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, count)
    noise = generator.integers(0, 100, (count, height, width, channels))
    return (noise + 60 * labels[:, None, None, None]).astype(np.uint8), labels


def reached(name, seed=0, **changes):
    images, labels = toy(**changes)
    rows = np.arange(len(images))
    train, val, test = np.split(rows, [120, 160])
    sets = {split: baselines.features(images, part) for split, part in (("val", val), ("test", test))}
    found = baselines.predictions(name, seed, (baselines.features(images, train), labels[train]), sets)
    return {split: (found[split] == labels[part]).mean() for split, part in (("val", val), ("test", test))}


@pytest.mark.parametrize("name", ["random_forest", "logistic_regression"])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_can_be_told_apart_is_told_apart(name, channels):
    assert min(reached(name, channels=channels).values()) > 0.9


def test_the_majority_class_is_the_most_frequent_label():
    train = np.zeros((5, 1), np.float32), np.array([1, 1, 1, 0, 2])
    found = baselines.predictions("majority_class", 0, train, {"test": np.zeros((4, 1), np.float32)})
    assert found["test"].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("name", baselines.MODELS)
def test_the_same_seed_gives_the_same_figures(name):
    assert reached(name, seed=3) == reached(name, seed=3)


def test_features_are_pixels_in_zero_to_one():
    images = np.stack([make.pixels(4, 5, 3, seed) for seed in range(3)])
    found = baselines.features(images, np.array([2, 0]))
    assert found.dtype == np.float32
    assert np.allclose(found, images[[2, 0]].reshape(2, -1) / 255)


@pytest.mark.parametrize(("size", "width"), [((64, 100), 1024), ((20, 100), 640), ((100, 20), 640), ((32, 32), 1024)])
def test_large_images_are_shrunk(tmp_path, size, width):
    np.save(tmp_path / "images.npy", np.full((2, *size, 3), 51, np.uint8))
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    found = baselines.features(images, np.array([0, 1]))
    assert found.shape == (2, width * 3)
    assert np.allclose(found, 0.2)


def test_choose_draws_rows_once_each_in_order():
    rows = np.arange(100, 200)
    assert np.array_equal(baselines.choose(rows, 100, 0), rows)
    some = baselines.choose(rows, 30, 0)
    assert len(set(some.tolist())) == 30
    assert set(some) <= set(rows)
    assert (np.diff(some) > 0).all()
    assert np.array_equal(some, baselines.choose(rows, 30, 0))
    assert not np.array_equal(some, baselines.choose(rows, 30, 1))


def test_a_baseline_that_does_not_converge_does_not_bother_the_user(recwarn):
    generator = np.random.default_rng(0)
    images, labels = generator.random((60, 500), dtype=np.float32), np.arange(60) % 3
    settings = baselines.MODELS["logistic_regression"](0)
    settings.set_params(logisticregression__max_iter=1, logisticregression__C=1e6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(baselines.MODELS, "logistic_regression", lambda seed: settings)
        baselines.predictions("logistic_regression", 0, (images, labels), {"val": images})
    assert not recwarn.list
