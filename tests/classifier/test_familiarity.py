import numpy as np
import pytest
import torch

from darkroom.analysis import familiarity_fit
from darkroom.base.errors import UserError
from darkroom.classifier import familiarity
from darkroom.classifier.familiarity import Familiarity
from darkroom.network import layer_outputs
from tests.models import blobs, classifier


@pytest.fixture(scope="module")
def judged():
    ours = classifier()
    images, labels = blobs(300)
    layers = familiarity_fit.fit(ours, images, np.arange(200), labels[:200], np.arange(200, 300))
    return ours, Familiarity(layers, (1.0, 1.0), True, 0.5)


def ratios(ours, judge, images):
    with judge.watching(ours.network) as seen:
        ours.probabilities(images, batch_size=7)
    return judge.ratios(seen.by_layer())


def test_validation_images_lie_within_the_limit_and_others_beyond(judged):
    assert (ratios(*judged, blobs(300)[0][200:]) > 1).mean() <= 0.01
    assert (ratios(*judged, blobs(100, seed=1)[0]) > 1).mean() < 0.1
    assert (ratios(*judged, 255 - blobs(100, seed=1)[0]) > 1).all()
    noise = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1), dtype=np.uint8)
    assert (ratios(*judged, noise) > 1).all()


def test_the_batch_does_not_matter(judged):
    images = blobs(20, seed=2)[0]
    alone = np.concatenate([ratios(*judged, image[None]) for image in images])
    np.testing.assert_allclose(alone, ratios(*judged, images), rtol=1e-4)


def test_the_distance_of_one_number_is_exact_on_every_processor():
    numbers = torch.from_numpy(np.random.default_rng(0).standard_normal((10_000, 1), np.float32))
    one = torch.ones(1, 1)
    assert torch.equal(familiarity.Layer(0 * one, one, 1.0).ratios(numbers), numbers.abs()[:, 0])


def test_the_distance_is_that_of_mahalanobis():
    random = np.random.default_rng(0)
    vectors, labels = random.standard_normal((500, 3)) @ random.standard_normal((3, 3)), np.arange(500) % 2
    vectors[labels == 1] += 5
    sums = torch.from_numpy(np.stack([vectors[labels == label].sum(axis=0) for label in (0, 1)]))
    counts = torch.tensor([[250.0], [250.0]], dtype=torch.float64)
    means, whitening = familiarity_fit._whiten(sums, torch.from_numpy(vectors.T @ vectors), counts)
    layer = familiarity.Layer(means, whitening, 1.0)
    centred = np.concatenate([vectors[labels == label] - vectors[labels == label].mean(axis=0) for label in (0, 1)])
    covariance = centred.T @ centred / 500
    covariance += familiarity_fit.SHRINKAGE * np.trace(covariance) / 3 * np.eye(3)
    query = np.array([1.0, 2, 3])
    apart = [query - vectors[labels == label].mean(axis=0) for label in (0, 1)]
    wanted = min(np.sqrt(one @ np.linalg.inv(covariance) @ one) for one in apart)
    assert layer.ratios(torch.from_numpy(query[None])).item() == pytest.approx(wanted)


def test_what_is_saved_is_what_is_loaded_and_always_the_same_bytes(judged, tmp_path):
    ours, judge = judged
    for name in ("a", "b"):
        judge.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    again = Familiarity.load(tmp_path / "a")
    assert (again.aspect, again.grey, again.extent) == ((1.0, 1.0), True, 0.5)
    images = 255 - blobs(9)[0]
    np.testing.assert_allclose(ratios(ours, again, images), ratios(ours, judge, images), rtol=1e-4)


@pytest.mark.parametrize("content", [b"", b"x" * 100])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(UserError, match=r"damaged.*dvc repro inside"):
        Familiarity.load(tmp_path / "f")


def test_wide_layers_are_narrowed():
    vectors = familiarity.LayerVectors()
    vectors.add(layer_outputs.LAST, torch.ones(2, 3000))
    assert vectors.by_layer()[layer_outputs.LAST].shape == (2, familiarity.WIDEST)


def test_the_channels_of_tokens_come_last(tmp_path):
    """The means are over the tokens, in the file too; a file without such layers is as before."""
    vectors = familiarity.LayerVectors(["tokens"])
    output = torch.arange(2 * 5 * 3.0).reshape(2, 5, 3)
    for name, values in (("tokens", output), ("maps", output), (layer_outputs.LAST, output[:, 0])):
        vectors.add(name, values)
    found = vectors.by_layer()
    assert torch.equal(found["tokens"].float(), output.mean(1))
    assert torch.equal(found["maps"].float(), output.mean(2))
    mixed = {
        name: familiarity.Layer(torch.ones(2, 3), torch.eye(3), 1.0, last)
        for name, last in (("tokens", True), (layer_outputs.LAST, False))
    }
    Familiarity(mixed, (1.0, 1.0), True, 0.5).save(tmp_path / "f")
    assert {name: one.channels_last for name, one in Familiarity.load(tmp_path / "f").layers.items()} == {
        "tokens": True, layer_outputs.LAST: False,
    }  # fmt: skip
