"""Networks of torchvision without their last layers, and pretrained weights brought to their form."""

import difflib
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from darkroom.base.errors import UserError
from darkroom.network.shadow import shadow
from darkroom.network.torchvision_import import torchvision

# The names in torchvision's older files and what torchvision renames them to.
_OLD_NAMES = (
    (re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\."), r"\1\2."),
    (re.compile(r"\.mlp\.linear_1\."), ".mlp.0."),
    (re.compile(r"\.mlp\.linear_2\."), ".mlp.3."),
)


def body(name: str, shape: tuple[int, int, int], *, trial: bool = True) -> tuple[nn.Module, int]:
    """A classification network of torchvision without its last layer, and its number of features.

    It maps images (N x channels x height x width, normalised) to features (N x that number); `shape` is height, width,
    channels. torchvision's dropout and hidden layers before the last layer stay; weights are random, as torchvision
    draws them. `for_channels` adapts the first convolution to the number of channels.

    Raises UserError for an unknown name, and for an image size that the network cannot take.
    """
    height, width, channels = shape
    check_name(name)
    try:
        network = torchvision.models.get_model(name, weights=None, **_options(name, height, width))
        features = _cut(network)
        first = network.get_submodule(_first_convolution(network))
        first.weight = nn.Parameter(for_channels(first.weight.detach(), channels))
        first.in_channels = channels
        if name.startswith("mnasnet"):
            network = _plain(network)
        if trial:
            shadow(network)(torch.empty(1, channels, height, width, device="meta"))  # raises the errors of a real run
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = str(error).partition("\n")[0].rstrip(".!")
        raise UserError(
            f"model.name is {name}, which does not work on images of {height}x{width} ({reason}): give the data set "
            "another size in datasets.yaml, or choose another model"
        ) from None
    return network, features


def check_name(name: str) -> None:
    """Raise UserError if torchvision has no classification network of this name."""
    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        near = difflib.get_close_matches(name, ["cnn", "mlp", *known], n=3)
        raise UserError(
            f"model.name is {name!r}, but must be cnn, mlp, a classification model of torchvision or timm/NAME: "
            + (f"did you mean {' or '.join(near)}?" if near else "resnet18 and mobilenet_v2 are two of them")
        )


def _options(name: str, height: int, width: int) -> dict[str, Any]:
    if name.startswith("vit_"):
        patch = int(name.rpartition("_")[2])
        if height != width or height % patch:
            raise ValueError(f"they must be square, and their side a multiple of {patch}")
        return {"image_size": height}
    if name.startswith("maxvit_"):
        return {"input_size": (height, width)}
    if name in ("googlenet", "inception_v3"):
        return {"aux_logits": False, "init_weights": True}
    return {}


def _cut(network: nn.Module) -> int:
    """Replace the classifier's last layer by an identity; return the number of that layer's inputs.

    SqueezeNet's last layer is a 1x1 convolution, followed by the mean of its maps: its features are means too.
    """
    layers = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    name, last = layers[-1]
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, nn.Identity())
    return last.in_features if isinstance(last, nn.Linear) else last.in_channels


def _plain(network: nn.Module) -> nn.Sequential:
    """MNASNet as nn.Sequential: its own class cannot load weights from a file that holds tensors alone."""
    body = nn.Sequential()
    body.add_module("layers", network.get_submodule("layers"))
    body.add_module("pool", nn.AdaptiveAvgPool2d(1))
    body.add_module("flatten", nn.Flatten())
    body.add_module("classifier", network.get_submodule("classifier"))
    return body


def _first_convolution(network: nn.Module) -> str:
    name: str = next(name for name, module in network.named_modules() if isinstance(module, nn.Conv2d))
    return name


def for_channels(weight: Tensor, channels: int) -> Tensor:
    """Adapt the weights of a convolution (outputs x inputs x height x width) to another number of input channels.

    For one channel they are summed over the inputs, so that a grey picture gives the same output as its RGB copy. For
    other numbers the inputs are repeated in order and scaled by inputs / channels, which keeps the size of the output.
    """
    inputs = weight.shape[1]
    if channels == inputs:
        return weight
    if channels == 1:
        return weight.sum(1, keepdim=True)
    return weight[:, [channel % inputs for channel in range(channels)]] * (inputs / channels)


def adapted(network: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict in the form of `network`, which `body` has made: its names, its channels and its image size.

    Names may be those of the torchvision network, of its `.features` alone, or of a Darkroom model.
    """
    own = network.state_dict()
    state = _renamed(state, own)
    first = f"{_first_convolution(network)}.weight"
    if first in state and state[first].ndim == 4:
        state[first] = for_channels(state[first], own[first].shape[1])
    if isinstance(network, torchvision.models.VisionTransformer):
        with suppress(ValueError, KeyError):  # who loads it sees what does not fit
            interpolate = torchvision.models.vision_transformer.interpolate_embeddings
            state = interpolate(network.image_size, network.patch_size, state)
    return state


def _renamed(state: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict under the names that match most of the body's: as they are, with `features.` added or removed."""
    for pattern, replacement in _OLD_NAMES:
        state = {pattern.sub(replacement, name): value for name, value in state.items()}
    choices = [
        state,
        {f"features.{name}": value for name, value in state.items()},
        {name.removeprefix("features."): value for name, value in state.items()},
    ]
    return max(choices, key=lambda choice: len(choice.keys() & own.keys()))
