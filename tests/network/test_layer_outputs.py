import numpy as np
import pytest
import torch
from torch import nn

from darkroom.network import layer_outputs
from darkroom.network.layer_outputs import Form
from tests import make
from tests.models import classifier


def test_outputs_are_seen_only_inside_the_block_and_change_nothing():
    ours, seen = classifier(), {}
    images = np.stack([make.pixels(seed=seed) for seed in range(3)])
    before = ours.probabilities(images)
    with layer_outputs.watching(ours.network, ["features.act1", layer_outputs.LAST], seen.__setitem__):
        during = ours.probabilities(images)
    assert np.array_equal(before, during)
    assert seen["features.act1"].shape == (3, 4, 4, 4)
    assert np.array_equal(seen[layer_outputs.LAST].numpy(), ours.features(images))
    seen.clear()
    ours.probabilities(images)
    assert not seen


def test_hooks_are_taken_off_after_an_error():
    ours = classifier()
    with pytest.raises(ZeroDivisionError), layer_outputs.watching(ours.network, [layer_outputs.LAST], lambda *_: 1 / 0):
        ours.probabilities(make.pixels()[None])
    ours.probabilities(make.pixels()[None])


def test_activations_of_our_networks():
    cnn = classifier(hidden=[5])
    assert layer_outputs.activations(cnn.network, cnn.shape) == {
        "features.act1": Form((4, 4, 4), 4, True, (4, 4)),
        "features.act2": Form((6, 4, 4), 6, True, (4, 4)),
        "head.act1": Form((5,), 5, True, (1, 1)),
    }
    mlp = classifier(name="mlp", hidden=[7, 5])
    assert layer_outputs.activations(mlp.network, mlp.shape) == {
        "features.act1": Form((7,), 7, True, (1, 1)),
        "features.act2": Form((5,), 5, True, (1, 1)),
    }


class Step(nn.Module):
    """A function as a layer."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, values):
        return self.function(values)


def tokens(before=0):
    """Layers from maps to tokens, some of which come before those of the picture."""
    return Step(lambda maps: nn.functional.pad(maps.flatten(2).transpose(1, 2), (0, 0, before, 0)))


TO_LAST, TO_FIRST = Step(lambda maps: maps.permute(0, 2, 3, 1)), Step(lambda maps: maps.permute(0, 3, 1, 2))
PATCHES = nn.Conv2d(3, 4, 4, stride=4)  # of 8x12 pixels: 2x3 patches
WINDOWS = Step(lambda maps: maps.reshape(len(maps), 2, 2, 3, 2, 4).transpose(2, 3).reshape(-1, 4, 4))


@pytest.mark.parametrize(
    ("layers", "wanted"),
    [
        ([PATCHES, nn.GELU()], Form((4, 2, 3), 4, True, (2, 3))),
        ([PATCHES, TO_LAST, nn.LayerNorm(4), nn.Linear(4, 5), nn.GELU()], Form((2, 3, 5), 5, False, (2, 3))),
        # As a block of ConvNeXt: to the end and back.
        ([PATCHES, TO_LAST, nn.Linear(4, 5), TO_FIRST, nn.GELU()], Form((5, 2, 3), 5, True, (2, 3))),
        ([PATCHES, tokens(), nn.Linear(4, 5), nn.GELU()], Form((6, 5), 5, False, (2, 3))),
        # A class token and a register.
        ([PATCHES, tokens(2), nn.LayerNorm(4), nn.Tanh()], Form((8, 4), 4, False, (2, 3), 2)),
        # Half as many places without a convolution, as the merged patches of Swin.
        ([nn.Conv2d(3, 4, 2, 2), TO_LAST, nn.Linear(4, 5), Step(lambda maps: maps[:, ::2, ::2]), nn.SiLU()],
         Form((2, 3, 5), 5, False, (2, 3))),
        # As mixers do: the linear layer is over the tokens.
        ([PATCHES, tokens(), nn.LayerNorm(4), Step(lambda all: all.transpose(1, 2)), nn.Linear(6, 7), nn.GELU()],
         Form((4, 7), 7, False, None)),
        # The tokens of windows of 2x2 places, which stand for images.
        ([nn.Conv2d(3, 4, 2, 2), TO_LAST, nn.Linear(4, 4), WINDOWS, nn.GELU()],
         Form((4, 4), 4, False, None, whole=False)),
        # A grid that nothing made: attention weights of two heads.
        ([PATCHES, tokens(), nn.Linear(4, 6), Step(lambda all: torch.stack([all, all], 1)), nn.ReLU()],
         Form((2, 6, 6), 6, False, None)),
        ([PATCHES, nn.AdaptiveAvgPool2d(1), nn.Sigmoid()], Form((4, 1, 1), 4, True, (1, 1))),
    ],
)  # fmt: skip
def test_the_form_of_an_activation(layers, wanted):
    network = nn.Sequential(*layers)
    name = str(len(layers) - 1)
    assert layer_outputs.activations(network, (8, 12, 3)) == {name: wanted}


def test_maps_lie_as_the_picture_does():
    """Each layout gives the maps of the convolution that it was made of."""
    maps = torch.arange(2 * 4 * 2 * 3.0).reshape(2, 4, 2, 3)
    assert Form((4, 2, 3), 4, True, (2, 3)).maps(maps) is maps
    assert torch.equal(Form((2, 3, 4), 4, False, (2, 3)).maps(TO_LAST(maps)), maps)
    assert torch.equal(Form((8, 4), 4, False, (2, 3), 2).maps(tokens(2)(maps)), maps)


def test_units_hold_all_values_of_a_channel():
    maps = torch.arange(2 * 4 * 2 * 3.0).reshape(2, 4, 2, 3)
    first = Form((4, 2, 3), 4, True, (2, 3)).units(maps)
    last = Form((2, 3, 4), 4, False, (2, 3)).units(TO_LAST(maps))
    assert first.shape == (4, 12)
    assert torch.equal(first, last)
    assert set(first[1].tolist()) == set(maps[:, 1].flatten().tolist())


def test_what_belongs_to_no_image_is_no_layer_of_images():
    """As the biases of attention, which a small network makes of a table of distances."""
    table = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    network = nn.Sequential(PATCHES, nn.ReLU(), Step(lambda maps: maps + table(torch.ones(1, 5, 5, 2)).sum()))
    network[2].table = table
    assert list(layer_outputs.activations(network, (8, 12, 3))) == ["1"]


@pytest.mark.parametrize("name", ["GELUTanh", "QuickGELU", "HardSwish", "Mish"])
def test_activations_of_other_libraries_are_known(name):
    assert layer_outputs.smooth(type(name, (nn.Module,), {})())
    assert not layer_outputs.smooth(nn.Sequential())
    assert not layer_outputs.smooth(nn.ReLU())


@pytest.mark.parametrize(("count", "wanted"), [(0, ""), (3, "012"), (5, "0134"), (10, "0369")])
def test_names_are_spread_from_the_first_to_the_last(count, wanted):
    assert layer_outputs.spread([str(number) for number in range(count)], 4) == list(wanted)
