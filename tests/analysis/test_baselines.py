import numpy as np
import pytest

from darkroom.analysis import baselines
from darkroom.dataset import packed
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
    model = baselines.fit(name, seed, baselines.pixel_features(images[train]), labels[train])
    sets = {"val": val, "test": test}
    found = {split: baselines.predict({name: model}, images, part)[name] for split, part in sets.items()}
    return {split: (found[split] == labels[part]).mean() for split, part in sets.items()}


@pytest.mark.parametrize("name", ["random_forest", "logistic_regression"])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_can_be_told_apart_is_told_apart(name, channels):
    assert min(reached(name, channels=channels).values()) > 0.9


def test_the_majority_class_is_the_most_frequent_label():
    model = baselines.fit("majority_class", 0, np.zeros((5, 1), np.float32), np.array([1, 1, 1, 0, 2]))
    found = baselines.predict({"any": model}, np.zeros((6, 1, 1, 1), np.uint8), np.array([0, 2, 3, 5]))
    assert found["any"].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("size", [1, 1000, 10**9])
def test_predictions_do_not_depend_on_the_pieces(monkeypatch, size):
    images, labels = toy(60)
    train = baselines.pixel_features(images[:30]), labels[:30]
    models = {name: baselines.fit(name, 0, *train) for name in baselines.MODELS}
    rows = np.array([59, 3, 40, 41])
    expected = {name: model.predict(baselines.pixel_features(images[rows])).tolist() for name, model in models.items()}
    monkeypatch.setattr(packed, "CHUNK_BYTES", size)
    found = baselines.predict(models, images, rows)
    assert {name: predicted.tolist() for name, predicted in found.items()} == expected
    assert all(len(predicted) == 0 for predicted in baselines.predict(models, images, rows[:0]).values())


@pytest.mark.parametrize("name", baselines.MODELS)
def test_the_same_seed_gives_the_same_figures(name):
    assert reached(name, seed=3) == reached(name, seed=3)


def test_features_are_pixels_in_zero_to_one():
    images = np.stack([make.pixels(4, 5, 3, seed) for seed in range(3)])
    found = baselines.pixel_features(images[[2, 0]])
    assert found.dtype == np.float32
    assert np.allclose(found, images[[2, 0]].reshape(2, -1) / 255)


@pytest.mark.parametrize(("size", "width"), [((64, 100), 1024), ((20, 100), 640), ((100, 20), 640), ((32, 32), 1024)])
def test_large_images_are_shrunk(size, width):
    found = baselines.pixel_features(np.full((2, *size, 3), 51, np.uint8))
    assert found.shape == (2, width * 3)
    assert np.allclose(found, 0.2)


def test_a_baseline_that_does_not_converge_does_not_bother_the_user(recwarn):
    generator = np.random.default_rng(0)
    images, labels = generator.random((60, 500), dtype=np.float32), np.arange(60) % 3
    settings = baselines.MODELS["logistic_regression"](0)
    settings.set_params(logisticregression__max_iter=1, logisticregression__C=1e6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(baselines.MODELS, "logistic_regression", lambda seed: settings)
        baselines.fit("logistic_regression", 0, images, labels)
    assert not recwarn.list


@pytest.mark.parametrize("seed", range(20))
def test_a_rare_class_is_among_the_chosen(seed):
    labels = np.array([0] * 1000 + [1] * 3)
    rows = np.arange(5000, 6003)
    chosen = baselines.sample(rows, labels, 10, seed)
    assert len(chosen) == len(set(chosen)) == 10
    assert chosen.tolist() == sorted(chosen)
    assert set(labels[chosen - 5000]) == {0, 1}
    assert chosen.tolist() == baselines.sample(rows, labels, 10, seed).tolist()


def test_more_classes_than_may_be_chosen():
    chosen = baselines.sample(np.arange(300), np.arange(300), 10, 0)
    assert len(set(chosen)) == 10
    assert baselines.sample(np.arange(3), np.array([0, 1, 1]), 10, 0).tolist() == [0, 1, 2]
