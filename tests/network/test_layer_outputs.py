import numpy as np
import pytest
from torch import nn

from darkroom.network import layer_outputs
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
        "features.act1": (4, 4, 4),
        "features.act2": (6, 4, 4),
        "head.act1": (5,),
    }
    mlp = classifier(name="mlp", hidden=[7, 5])
    assert layer_outputs.activations(mlp.network, mlp.shape) == {"features.act1": (7,), "features.act2": (5,)}


def test_transformers_give_no_channels():
    network = nn.Sequential(nn.Flatten(2), nn.LayerNorm(64), nn.GELU())
    assert layer_outputs.activations(network, (8, 8, 1)) == {}


@pytest.mark.parametrize(("count", "wanted"), [(0, ""), (3, "012"), (5, "0134"), (10, "0369")])
def test_names_are_spread_from_the_first_to_the_last(count, wanted):
    assert layer_outputs.spread([str(number) for number in range(count)], 4) == list(wanted)
