import pytest

from darkroom.config.params import Model
from darkroom.network import architectures, layer_table
from tests import models


@pytest.fixture
def network():
    return architectures.build(Model.model_validate(models.SETTINGS | {"hidden": [5]}), (8, 8, 1), 3)


def test_every_layer_has_its_shape_and_the_parameters_are_summed(network):
    text = layer_table.table(network, (8, 8, 1))
    assert [name for name, _ in network.named_modules() if name and name.rpartition(".")[2] not in text] == []
    assert "[1, 4, 8, 8]" in text
    assert f"{architectures.parameter_count(network):,}" in text
    assert "Units." not in text
    assert text.endswith("\n")
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_the_network_is_left_as_it_was(network):
    network.train()
    assert layer_table.table(network, (8, 8, 1)) == layer_table.table(network, (8, 8, 1))
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())


def test_a_deep_network_is_listed_as_deep_as_its_lines_allow(network):
    assert layer_table._depth(network, lines=60) == 2
    assert layer_table._depth(network.features, lines=60) == 2  # two at least
    wide = architectures.build(Model.model_validate(models.SETTINGS | {"layers": "-".join(["2"] * 30)}), (8, 8, 1), 3)
    assert layer_table._depth(wide, lines=60) == 2
