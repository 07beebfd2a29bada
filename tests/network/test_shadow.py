import torch
from torch import nn

from darkroom.network.shadow import shadow


def test_a_shadow_has_shapes_alone_and_leaves_the_network_as_it_is():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 6 * 6, 5)).train()
    empty = shadow(network)
    assert {value.device.type for value in empty.state_dict().values()} == {"meta"}
    assert empty(torch.empty(2, 3, 8, 8, device="meta")).shape == (2, 5)
    assert not empty.training
    assert network.training
    assert {value.device.type for value in network.state_dict().values()} == {"cpu"}
