import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from darkroom.analysis import layers
from darkroom.base.errors import UserError
from darkroom.dataset import packed
from tests import make
from tests.models import blobs, classifier, modern


def images(count, channels=1, side=8):
    return np.stack([make.pixels(side, side, channels, seed) for seed in range(count)])


@pytest.mark.parametrize("channels", [1, 3])
def test_first_filters_of_a_cnn(channels):
    ours = classifier((8, 8, channels))
    name, weights = layers.first_filters(ours)
    assert name == "features.conv1"
    assert weights.shape == (4, 3, 3, channels)
    assert weights[2, 0, 1, channels - 1] == ours.network.get_submodule(name).weight[2, channels - 1, 0, 1]


@pytest.mark.parametrize(("hidden", "name"), [([5], "features.hidden1"), ([], "head.classes")])
def test_the_templates_of_an_mlp_lie_as_the_image_does(hidden, name):
    ours = classifier((4, 6, 3), name="mlp", hidden=hidden)
    found, weights = layers.first_filters(ours)
    assert found == name
    assert weights.shape[1:] == (4, 6, 3)
    layer = ours.network.get_submodule(name)
    with torch.no_grad():
        layer.weight[0] = 0
        layer.weight[0, 2 * 24 + 1 * 6 + 5] = 7  # channel 2, row 1, column 5
    assert layers.first_filters(ours)[1][0, 1, 5, 2] == 7


def test_kernels_of_the_middle_or_the_named_convolution():
    ours = classifier(layers="4-5-6-7")
    assert layers.convolution_kernels(ours.network, None)[0] == "features.conv3"
    name, weights = layers.convolution_kernels(ours.network, "features.conv2")
    assert (name, weights.shape) == ("features.conv2", (5, 4, 3, 3))
    with pytest.raises(UserError, match=r"inside.layer is 'conv9'.*features.conv1, features.conv2"):
        layers.convolution_kernels(ours.network, "conv9")


def test_a_network_without_convolutions_has_no_kernels():
    ours = classifier(name="mlp", hidden=[4])
    assert layers.convolution_kernels(ours.network, None) is None
    with pytest.raises(UserError, match="use null"):
        layers.convolution_kernels(ours.network, "features.conv1")


def test_layers_of_maps():
    ours = classifier(layers="4-4-4-4-4-4")
    assert len(layers.choose_map_layers(ours, None)) == 4
    assert layers.choose_map_layers(ours, ["features.act2"]) == ["features.act2"]
    with pytest.raises(UserError, match=r"inside.maps names 'features.conv1'.*features.act1"):
        layers.choose_map_layers(ours, ["features.act1", "features.conv1"])
    assert layers.choose_map_layers(classifier(name="mlp", hidden=[4]), None) == []


def test_the_strongest_maps_come_first():
    ours = classifier()
    found = layers.strongest_maps(ours, images(5), ["features.act1", "features.act2"], 3)
    assert found["features.act1"].shape == (5, 3, 4, 4)
    means = found["features.act2"].mean(axis=(2, 3))
    assert (np.diff(means, axis=1) <= 0).all()


def test_dead_channels_are_counted_by_hand():
    ours = classifier(batch_norm=False)
    convolution = ours.network.get_submodule("features.conv1")
    with torch.no_grad():
        convolution.weight[1:3] = 0
        convolution.bias[1:3] = torch.tensor([-1.0, 0.0])  # one below zero, one never above it
    found = layers.dead_channels(ours, images(20), np.arange(20))
    assert found["features.act1"] == (4, 2)
    assert list(found) == ["features.act1", "features.act2"]


def test_a_channel_that_lives_on_one_image_lives():
    ours = classifier(batch_norm=False, layers="2")
    convolution = ours.network.get_submodule("features.conv1")
    with torch.no_grad():
        convolution.weight[0] = 0
        convolution.weight[0, 0, 1, 1] = 1
        convolution.bias[0] = -1.9  # only pixels near white pass
    dark = np.full((30, 8, 8, 1), 10, np.uint8)
    assert layers.dead_channels(ours, dark, np.arange(30))["features.act1"].dead >= 1
    one = dark.copy()
    one[17, 3, 3] = 255
    before = layers.dead_channels(ours, dark, np.arange(30))["features.act1"].dead
    assert layers.dead_channels(ours, one, np.arange(30))["features.act1"].dead < before
    assert layers.dead_channels(ours, one, np.arange(17))["features.act1"].dead == before


def test_two_sided_activations_have_no_dead_and_no_idle_channels():
    ours = classifier(activation="tanh")
    assert layers.dead_channels(ours, images(3), np.arange(3)) == {}
    assert layers.idle_channels(ours, images(3), np.arange(3)) == {}


def test_idle_channels_of_smooth_activations_are_counted_by_hand():
    ours = classifier(batch_norm=False, activation="gelu")
    convolution = ours.network.get_submodule("features.conv1")
    with torch.no_grad():
        convolution.weight[1:3] = 0
        convolution.bias[1:3] = torch.tensor([-9.0, 3.0])  # both the same everywhere, the second is far from zero
        convolution.weight[3] *= 0.01  # it varies little, but below zero as well
        convolution.bias[3] = -0.5
    some = images(20)
    found = layers.idle_channels(ours, some, np.arange(20))
    assert found["features.act1"] == (4, 2)
    assert list(found) == ["features.act1", "features.act2"]
    assert layers.dead_channels(ours, some, np.arange(20)) == {}
    with torch.no_grad():
        convolution.weight.zero_()
    assert layers.idle_channels(ours, some, np.arange(20))["features.act1"] == (4, 4)


def test_idle_channels_do_not_depend_on_the_batches(monkeypatch):
    ours, some = classifier(activation="gelu"), images(12)
    whole = layers.idle_channels(ours, some, np.arange(12))
    monkeypatch.setattr(packed, "CHUNK_BYTES", 5 * some[0].nbytes)
    assert layers.idle_channels(ours, some, np.arange(12)) == whole


def test_neighbours_vote_and_the_nearer_ones_decide_between_equals():
    reference = np.array([[0.0], [1], [2], [3], [4], [100]], np.float32)
    labels = np.array([0, 0, 1, 1, 2, 2])

    def right(query, truth):
        return layers.neighbour_accuracy(reference, labels, np.array([[query]], np.float32), np.array([truth]))

    assert right(0.4, 0) == 1
    assert right(3.1, 1) == 1
    assert right(3.1, 0) == 0


def test_neighbours_agree_with_scikit_learn():
    random = np.random.default_rng(0)
    labels, truth = random.integers(0, 2, 300), random.integers(0, 2, 500)
    reference = (random.standard_normal((300, 4)) + labels[:, None]).astype(np.float32)
    queries = (random.standard_normal((500, 4)) + truth[:, None]).astype(np.float32)
    theirs = KNeighborsClassifier(5).fit(reference, labels).score(queries, truth)
    assert layers.neighbour_accuracy(reference, labels, queries, truth) == pytest.approx(theirs)


def test_the_map_hardly_moves_with_the_last_bits():
    random = np.random.default_rng(0)
    means = random.standard_normal((7, 12))
    features = (means[np.arange(200) % 7] + 0.4 * random.standard_normal((200, 12))).astype(np.float32)
    centres, places = layers.project_to_plane(features, means)
    assert centres.shape == (7, 2)
    assert places.shape == (200, 2)
    moved = layers.project_to_plane(features, means * (1 + 1e-10 * random.standard_normal(means.shape)))
    assert np.abs(moved[1] - places).max() < 1e-6 * np.ptp(places)


def test_clear_cases_lie_on_their_class_and_doubtful_ones_between():
    means = 10 * np.eye(3)
    features = np.array([[10, 0, 0], [5, 5, 0]], np.float32)
    centres, places = layers.project_to_plane(np.concatenate([means.astype(np.float32), features]), means)
    np.testing.assert_allclose(places[3], centres[0], atol=0.5)
    np.testing.assert_allclose(places[4], (centres[0] + centres[1]) / 2, atol=1)
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    np.testing.assert_allclose(apart, 10 * np.sqrt(2) * (1 - np.eye(3)), atol=1e-3)


def test_the_map_of_two_classes_is_a_line():
    centres, places = layers.project_to_plane(np.array([[0.0], [1]], np.float32), np.array([[0.0], [1]]))
    assert np.isfinite(places).all()
    assert np.linalg.norm(centres[0] - centres[1]) == pytest.approx(1)


def test_class_means():
    found = layers.class_means(np.array([[1.0], [3], [8]], np.float32), np.array([0, 0, 2]), 3)
    assert found.tolist() == [[2], [0], [8]]


def test_a_body_of_torchvision():
    ours = classifier((32, 32, 3), name="mobilenet_v2")
    some = images(4, 3, 32)
    assert layers.first_filters(ours)[1].shape[3] == 3
    assert layers.convolution_kernels(ours.network, None)[1].shape[1:] == (1, 3, 3)  # depthwise
    chosen = layers.choose_map_layers(ours, None)
    assert len(chosen) == 4
    dead = layers.dead_channels(ours, some, np.arange(4))
    assert len(dead) == sum(isinstance(module, nn.ReLU6) for module in ours.network.modules())
    assert all(found.shape[:2] == (4, 8) for found in layers.strongest_maps(ours, some, chosen, 8).values())


@pytest.mark.parametrize(
    ("name", "filters", "kernels", "grids"),
    [
        ("test_vit", (16, 16), None, [(2, 2)] * 4),  # patches of 16x16 pixels and a class token
        ("test_convnext", (4, 4), (7, 7), [(8, 8), (2, 2), (2, 2), (1, 1)]),
        ("test_efficientnet", (3, 3), (3, 3), [(16, 16), (4, 4), (2, 2), (1, 1)]),
    ],
)
def test_bodies_of_modern_blocks(name, filters, kernels, grids):
    ours, some = modern(name), images(3, 3, 32)
    assert layers.first_filters(ours)[1].shape[1:] == (*filters, 3)
    found = layers.convolution_kernels(ours.network, None)
    assert (found and found[1].shape[2:]) == kernels
    chosen = layers.choose_map_layers(ours, None)
    shown = [grid for grid in grids if grid != (1, 1)]
    maps = layers.strongest_maps(ours, some, chosen, 5)
    assert {found.shape[2:] for found in maps.values()} >= {shown[0], shown[-1]}
    assert all(found.shape[:2] == (3, 5) for found in maps.values())
    assert layers.dead_channels(ours, some, np.arange(3)) == {}
    idle = layers.idle_channels(ours, some, np.arange(3))
    assert set(chosen) <= set(idle)


def test_blobs_are_told_apart_by_their_features():
    ours = classifier()
    (some, labels), (others, truth) = blobs(), blobs(seed=1)
    assert layers.neighbour_accuracy(ours.features(some), labels, ours.features(others), truth) > 0.9
