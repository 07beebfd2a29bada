import pytest
import torch
from torch import nn

from darkroom import models
from darkroom.gradcam import gradcam, last_map
from darkroom.params import Model
from tests.darkroom.test_inference import MODEL


def network(shape=(8, 10, 3), **settings):
    torch.manual_seed(0)
    return models.build(Model.model_validate(MODEL | settings), shape, 4)


def test_the_map_lies_where_the_class_is():
    # Class 1 is the value of the pixels themselves, class 0 its opposite.
    conv = nn.Conv2d(1, 1, 1, bias=False)
    head = nn.Linear(1, 2, bias=False)
    nn.init.ones_(conv.weight)
    head.weight.data = torch.tensor([[-1.0], [1.0]])
    sees = nn.Sequential(conv, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    images = torch.zeros(2, 1, 6, 6)
    images[:, 0, 4, 1] = 5
    found = gradcam(sees, images, torch.tensor([1, 0]))
    assert found.shape == (2, 6, 6)
    assert (found[0] > 0.5).nonzero().tolist() == [[4, 1]]
    assert found[0].max() == 1
    assert not found[1].any()


@pytest.mark.parametrize("pooling", ["max", "mean", "flatten"])
def test_maps_of_a_cnn_are_as_large_as_the_image_and_within_0_and_1(pooling):
    found = gradcam(network(pooling=pooling), torch.randn(3, 3, 8, 10), torch.tensor([0, 1, 2]))
    assert found.shape == (3, 8, 10)
    assert not found.requires_grad
    assert found.min() >= 0
    assert found.max() <= 1


def test_an_mlp_has_no_map():
    assert gradcam(network(name="mlp", hidden=[5]), torch.randn(1, 3, 8, 10), torch.tensor([0])) is None


def test_maps_that_become_a_sequence_are_none():
    class Tokens(nn.Module):
        def forward(self, maps):
            return maps.flatten(2).transpose(1, 2)

    class First(nn.Module):
        def forward(self, tokens):
            return tokens[:, 0]

    sees = nn.Sequential(nn.Conv2d(1, 3, 2, 2), Tokens(), nn.Linear(3, 3), First())
    assert last_map(sees, torch.zeros(1, 1, 8, 8)) is None


def test_nothing_is_left_behind_in_the_network():
    sees = network()
    gradcam(sees, torch.randn(1, 3, 8, 10), torch.tensor([0]))
    assert all(not module._forward_hooks for module in sees.modules())
    assert all(parameter.grad is None for parameter in sees.parameters())
