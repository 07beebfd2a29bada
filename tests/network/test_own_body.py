import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from darkroom.analysis import familiarity_fit, gradcam, layers
from darkroom.base.errors import UserError
from darkroom.classifier.inference import Classifier
from darkroom.config import own_code
from darkroom.network import architectures, layer_outputs, layer_table
from tests import make
from tests.network.test_architectures import settings
from tests.tools.test_export import check_parity, save_model

EXAMPLE = {"name": "own.network:residual", "hidden": []}
HEAD = "import torch\nfrom torch import nn\n"
FLAT = "nn.AdaptiveAvgPool2d(1), nn.Flatten()"


def build(own, text, shape=(8, 10, 3), **changes):
    own("mine.py", HEAD + text)
    return architectures.build(settings(**({"name": "own.mine:net", "hidden": []} | changes)), shape, 4)


@pytest.mark.parametrize("shape", [(28, 28, 1), (9, 13, 3), (1, 2, 5)])
def test_the_example_takes_images_of_any_size_and_channels(shape):
    height, width, channels = shape
    network = architectures.build(settings(**EXAMPLE), shape, 4).eval()
    assert network(torch.rand(3, channels, height, width)).shape == (3, 4)
    assert network.get_submodule(layer_outputs.LAST).in_features == 64
    assert layer_table.table(network, shape).count("Block") == 2


def test_equal_seeds_give_equal_weights_and_the_trial_draws_nothing(own):
    text = f"def net(shape):\n    return nn.Sequential(nn.Conv2d(shape[2], 4, 3), {FLAT}, nn.Dropout(0.5))"
    networks = []
    for _ in range(2):
        torch.manual_seed(3)
        networks.append(build(own, text))
    assert all(torch.equal(a, b) for a, b in zip(*(n.state_dict().values() for n in networks), strict=True))
    torch.manual_seed(3)
    convolution, last = nn.Conv2d(3, 4, 3), nn.Linear(4, 4)
    assert torch.equal(networks[0].get_submodule("features.0").weight, convolution.weight)
    assert torch.equal(networks[0].get_submodule("head.classes").weight, last.weight)
    assert networks[0].training


def test_the_head_and_the_first_weights_follow_the_parameters_as_those_of_torchvision_do(own):
    text = f"def net(shape):\n    return nn.Sequential(nn.Conv2d(shape[2], 4, 3), {FLAT})"
    network = build(own, text, hidden=[7], dropout=0.5, init="kaiming")
    assert [name for name, _ in network.get_submodule("head").named_children()] == [
        "dropout1", "hidden1", "act1", "dropout", "classes",
    ]  # fmt: skip
    assert not network.get_submodule("features.0").bias.any()


def plain(network):
    """The text of a function that returns this network."""
    return f"def net(shape):\n    return {network}"


def module(forward, layer="self.a = nn.Linear(3, 6)"):
    """The text of a function that builds a module of this layer and this value of `forward`, which is in line 8."""
    start = "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()"
    run = f"    def forward(self, x):\n        return {forward}\ndef net(shape):\n    return Net()"
    return f"{start}; {layer}\n\n{run}"


MEANS = "self.a(x.mean((2, 3)))"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def net():\n    pass", r"own.mine:net failed: TypeError: net\(\) takes 0 positional arguments but 1 was"),
        (plain("nn.Conv2d(shape)"), "own.mine:net failed in own/mine.py, line 4: TypeError"),
        (plain("None"), "own.mine:net returned a NoneType, but must return a network, a torch.nn.Module"),
        (plain("nn.Linear"), "own.mine:net returned a type, but must return a network"),
        (
            plain("nn.Conv2d(3, 4, 3)"),
            r"makes torch.float32 of shape \(2, 4, 6, 8\) of two images of 8x10 and 3 channels, but must make a vector "
            r"of float32 of each, 2 x features: end it with a pool and nn.Flatten\(\)",
        ),
        (
            plain(f"nn.Sequential({FLAT}, nn.Linear(4, 5))"),
            "the network of own.mine:net, on two images of 8x10 and 3 channels, failed: RuntimeError: .*cannot be",
        ),
        (
            module("self.a(x).view(len(x), -1)", "self.a = nn.Conv2d(3, 4, 3)"),
            "failed in own/mine.py, line 8: RuntimeError: view size is not compatible",
        ),
        (
            module("x.mean((2, 3)) if self.training else x"),
            r"makes torch.float32 of shape \(2, 3, 8, 10\) of two images",
        ),
        (module(f"({MEANS},)"), "makes tuple of two images"),
        (module(f"{MEANS} + torch.zeros(6)"), "failed in own/mine.py, line 8: .* device"),
        (module(f"(y := {MEANS}.exp()).mul_(y.add_(1))"), "modified by an inplace operation"),
        (
            module(MEANS, "self.a = self.b = nn.Linear(3, 6)"),
            "a.weight and b.weight are one tensor: a file of weights holds each under one name",
        ),
        (plain("nn.Sequential(nn.Flatten(), nn.LazyLinear(3))"), "keeps 1.weight, which is no tensor yet"),
        (plain("nn.Sequential(nn.Flatten(), nn.Linear(240, 3)).double()"), "failed: RuntimeError: "),
    ],
)
def test_every_way_to_break_it_is_one_sentence(own, text, message):
    with pytest.raises(UserError, match=message) as refused:
        build(own, text)
    assert make.is_one_line(str(refused.value))


def test_a_network_without_modules_that_the_analysis_knows_goes_through_it(own, tmp_path):
    """Activations as functions, no convolution that sees the image, no map: what there is to see is still shown."""
    text = module("torch.tanh(self.a(x.flatten(2).transpose(1, 2))).mean(1)")
    own("mine.py", HEAD + text)
    classifier = Classifier.load(save_model(tmp_path / "model", {"name": "own.mine:net"}))
    assert layers.first_filters(classifier) is None
    assert layers.convolution_kernels(classifier.network, None) is None
    assert layers.choose_map_layers(classifier, None) == []
    assert gradcam.last_feature_map(classifier.network, classifier.shape) is None
    assert list(familiarity_fit.watched_layers(classifier.network, classifier.shape)) == ["head.classes"]
    assert layers.dead_channels(classifier, np.zeros((2, 8, 10, 3), np.uint8), np.arange(2)) == {}
    assert classifier.features(np.zeros((2, 8, 10, 3), np.uint8)).shape == (2, 6)


def test_the_analysis_sees_into_the_example(tmp_path):
    classifier = Classifier.load(save_model(tmp_path / "model", {"name": EXAMPLE["name"]}))
    assert layers.first_filters(classifier)[0] == "features.0"
    assert layers.convolution_kernels(classifier.network, None)[0] == "features.4"
    assert len(layers.choose_map_layers(classifier, None)) == 4
    assert gradcam.last_feature_map(classifier.network, classifier.shape) == "features.7"
    assert list(familiarity_fit.watched_layers(classifier.network, classifier.shape))[-1] == "head.classes"


def test_the_example_is_exported(tmp_path):
    check_parity(save_model(tmp_path / "model", {"name": EXAMPLE["name"]}), (8, 10, 3), [1, 3])


def test_code_that_changed_after_the_training_is_one_sentence(own, tmp_path):
    text = f"def net(shape):\n    return nn.Sequential(nn.Conv2d(shape[2], 4, 3), {FLAT})"
    own("mine.py", HEAD + text)
    folder = save_model(tmp_path / "model", {"name": "own.mine:net"})
    assert Classifier.load(folder).shape == (8, 10, 3)
    save_file({"other": torch.zeros(1)}, folder / "model.safetensors")
    with pytest.raises(UserError, match=r"model.safetensors does not fit the network that own.mine:net builds now"):
        Classifier.load(folder)
    (own_code.ROOT / "own" / "mine.py").unlink()
    own_code.load.cache_clear()
    with pytest.raises(UserError, match=r"own.mine:net is asked for, but there is no own/mine.py"):
        Classifier.load(folder)
    assert json.loads((folder / "model.json").read_text())["model"]["name"] == "own.mine:net"
