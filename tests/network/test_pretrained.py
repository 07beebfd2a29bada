import pytest
import torch
import torchvision
from safetensors.torch import save_file

from darkroom.base.errors import UserError
from darkroom.config.model_facts import Pretrained
from darkroom.network import architectures, pretrained
from tests.network.test_architectures import settings

NAME = "shufflenet_v2_x0_5"


@pytest.fixture
def brought(tmp_path):
    """A folder as the stage `pretrained` writes it, and the parameters that ask for it."""
    torch.manual_seed(5)
    state = torchvision.models.get_model(NAME, weights=None).state_dict()
    save_file(state, tmp_path / "weights.safetensors")
    chosen = settings(name=NAME, weights="DEFAULT", hidden=[])
    Pretrained(network=NAME, weights="DEFAULT", file="weights.safetensors", sha256="0" * 64).write(
        tmp_path / "pretrained.json"
    )
    return tmp_path, chosen, state


def test_the_body_gets_the_weights_and_the_head_keeps_its_own(brought):
    folder, chosen, state = brought
    found = pretrained.facts(chosen, folder)
    network = architectures.build(chosen, (64, 64, 3), 4)
    head = network.head.classes.weight.clone()
    pretrained.load(network, chosen, (64, 64, 3), found, folder)
    assert torch.equal(network.features.conv1[0].weight, state["conv1.0.weight"])
    assert torch.equal(network.head.classes.weight, head)


def test_where_no_weights_are_wanted_nothing_is_looked_for(tmp_path):
    assert pretrained.facts(settings(name=NAME), tmp_path) is None


def test_missing_weights_are_told_with_the_command_that_brings_them(tmp_path):
    with pytest.raises(UserError, match=r"no .*pretrained\.json: `dvc repro pretrained` brings"):
        pretrained.facts(settings(name=NAME, weights="DEFAULT"), tmp_path)


@pytest.mark.parametrize("change", [{"name": "resnet18"}, {"weights": "other.pt"}])
def test_weights_for_other_parameters_are_refused(brought, change):
    folder, chosen, _ = brought
    with pytest.raises(UserError, match=r"is about model\.weights DEFAULT of shufflenet_v2_x0_5, but"):
        pretrained.facts(chosen.model_copy(update=change), folder)
