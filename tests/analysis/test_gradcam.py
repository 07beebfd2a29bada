import dataclasses
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

from darkroom.analysis import gradcam
from darkroom.classifier.inference import Classifier
from darkroom.network.normalisation import to_bytes_scale
from tests import make, models


def classifier(shape, **changes):
    return models.classifier(shape, **{"layers": "4P-8"} | changes)


@pytest.mark.parametrize(
    ("changes", "layer"),
    [
        ({}, "features.act2"),
        ({"layers": "4"}, "features.act1"),
        ({"layers": "4P-4P-4P-4P-8P", "pooling": "mean"}, "features.conv5"),
        ({"pooling": "flatten", "hidden": [5], "dropout": 0.5}, "features.act2"),
        ({"name": "mobilenet_v2"}, "features.features"),
        ({"name": "resnet18"}, "features.layer4"),
        ({"name": "mlp", "hidden": [6]}, None),
    ],
)
def test_the_last_spatial_map_is_found_and_explained(changes, layer):
    side = 64 if changes.get("name") in ("mobilenet_v2", "resnet18") else 32
    model = classifier((side, side, 3), **changes)
    assert gradcam.last_feature_map(model.network, model.shape) == layer
    if layer:
        images = np.stack([make.pixels(side, side, 3, seed) for seed in range(3)])
        before = model.probabilities(images)
        found = gradcam.heat_maps(model, layer, images, np.array([0, 1, 2]))
        assert found.shape == (3, side, side)
        assert found.min() >= 0
        assert set(found.max(axis=(1, 2)).round(5)) <= {0, 1}
        assert np.array_equal(model.probabilities(images), before)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        # The class token reads the other tokens for the last time after this norm.
        ("test_vit", "features.blocks.5.norm1"),
        ("test_convnext", "features.norm_pre"),
        ("test_mambaout", "features.stages"),  # channels last
    ],
)
def test_modern_networks_are_explained_where_the_logits_still_read_places(name, layer):
    model = models.modern(name, 32 if name == "test_vit" else 64)
    assert gradcam.last_feature_map(model.network, model.shape) == layer
    images = np.stack([make.pixels(*model.shape, seed) for seed in range(2)])
    found = gradcam.heat_maps(model, layer, images, np.array([0, 1]))
    assert found.shape == (2, *model.shape[:2])
    assert set(found.max(axis=(1, 2)).round(5)) <= {0, 1}
    assert found.min() == 0


class Mixed(nn.Module):
    """Tokens that a linear layer over the places has mixed."""

    def __init__(self):
        super().__init__()
        self.patches, self.over_places = nn.Conv2d(1, 3, 2, 2), nn.Linear(16, 5)

    def forward(self, images):
        return self.over_places(self.patches(images).flatten(2)).flatten(1)


def test_places_that_were_mixed_are_not_explained():
    network = nn.Sequential(OrderedDict(features=Mixed(), head=nn.Linear(15, 2)))
    assert gradcam.last_feature_map(network, (8, 8, 1)) is None


def test_a_map_that_is_not_finite_is_told_from_one_without_evidence():
    model, found = classifier((8, 8, 1)), []
    for weight in (0, torch.nan):
        with torch.no_grad():
            model.network.get_submodule("head.classes").weight[0] = weight
        found.append(gradcam.heat_maps(model, "features.act2", make.pixels()[None], np.array([0])))
    assert not found[0].any()
    assert np.isnan(found[1]).all()


def test_tokens_and_maps_give_the_same_evidence():
    """The same network, with its channels first and last."""

    class Last(nn.Module):
        def forward(self, maps):
            return maps.permute(0, 2, 3, 1)

    torch.manual_seed(0)
    first, second = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(4, 5)
    as_convolution = nn.Conv2d(4, 5, 1)
    as_convolution.weight, as_convolution.bias = nn.Parameter(second.weight[:, :, None, None]), second.bias
    head = nn.Linear(5, 2)
    pools = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    back = nn.Flatten(1, 2)

    class Mean(nn.Module):
        def forward(self, tokens):
            return tokens.mean(1)

    maps = nn.Sequential(first, nn.ReLU(), as_convolution, nn.GELU(), pools, head)
    tokens = nn.Sequential(first, nn.ReLU(), Last(), back, second, nn.GELU(), Mean(), head)
    image = np.stack([make.pixels(8, 8, 1, seed) for seed in range(2)])
    found = []
    for network in (maps, tokens):
        model = Classifier(network.eval(), ["a", "b"], (8, 8, 1), to_bytes_scale([0]), to_bytes_scale([1]))
        layer = gradcam.last_feature_map(network, model.shape)
        assert isinstance(network.get_submodule(layer), nn.GELU)
        found.append(gradcam.heat_maps(model, layer, image, np.array([0, 1])))
    np.testing.assert_allclose(*found, atol=1e-5)


def test_the_evidence_lies_where_the_class_does():
    """A network that sums brightness on the left for one class and on the right for the other."""
    maps = nn.Conv2d(1, 1, 1, bias=False)
    head = nn.Linear(64, 2, bias=False)
    weight = torch.zeros(2, 8, 8)
    weight[0, :, :4], weight[1, :, 4:] = 1, 1
    with torch.no_grad():
        maps.weight.fill_(1)
        head.weight.copy_(weight.flatten(1))
    network = nn.Sequential()
    network.add_module("features", nn.Sequential(maps, nn.Flatten()))
    network.add_module("head", nn.Sequential(head))
    model = Classifier(network.eval(), ["left", "right"], (8, 8, 1), to_bytes_scale([0]), to_bytes_scale([1]))
    image = np.zeros((2, 8, 8, 1), np.uint8)
    image[:, 2, 1], image[:, 5, 6] = 200, 100
    layer = gradcam.last_feature_map(model.network, model.shape)
    found = gradcam.heat_maps(model, layer, image, np.array([0, 1]))
    # Grad-CAM weighs whole maps: the strongest place is where the one map is brightest.
    assert np.unravel_index(found[0].argmax(), (8, 8)) == (2, 1)
    assert found[0, 5, 6] == pytest.approx(0.5)


def test_one_place_stretched_to_many_is_no_map():
    """As alexnet and vgg do with small images: every place of their last pool is the same."""
    body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(6), nn.AdaptiveAvgPool2d(3), nn.Flatten())
    network = nn.Sequential()
    network.add_module("features", body)
    network.add_module("head", nn.Linear(18, 2))
    assert gradcam.last_feature_map(network, (8, 8, 1)) == "features.0"


def test_no_images_have_no_evidence():
    model = classifier((8, 8, 1))
    assert gradcam.heat_maps(model, "features.act2", np.zeros((0, 8, 8, 1), np.uint8), np.zeros(0, int)).shape == (
        0,
        8,
        8,
    )


def test_there_is_no_evidence_in_what_the_network_does_not_see():
    model = dataclasses.replace(classifier((12, 14, 1), input_size=[8, 9]), part=(8, 9))
    images = np.stack([make.pixels(12, 14, 1, seed) for seed in range(3)])
    found = gradcam.heat_maps(model, gradcam.last_feature_map(model.network, model.shape), images, np.array([0, 1, 2]))
    inside = np.zeros((12, 14), bool)
    inside[2:10, 2:11] = True
    assert not found[:, ~inside].any()
    middle = dataclasses.replace(classifier((8, 9, 1)), network=model.network)
    alone = gradcam.heat_maps(middle, "features.act2", np.ascontiguousarray(images[:, 2:10, 2:11]), np.array([0, 1, 2]))
    assert np.array_equal(found[:, 2:10, 2:11], alone)
    assert found.any()
