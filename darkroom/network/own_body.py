"""Builds a network by a user's own function, and tries it out before a training starts."""

import copy

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from darkroom.base.errors import UserError
from darkroom.config import own_code
from darkroom.network.shadow import shadow


def body(name: str, shape: tuple[int, int, int]) -> tuple[nn.Module, int]:
    """The network that the function `own.module:function` builds, and its number of features; it has no last layer.

    The function takes (height, width, channels) of an image and returns a module that maps images (N x channels x
    height x width, normalised) to features (float32, N x that number).

    Raises UserError if the function or its network does anything else, or if a file cannot hold the weights.
    """
    build = own_code.load(name, "shape")
    with own_code.as_user_error(name):
        network = build(shape)
    if not isinstance(network, nn.Module):
        raise UserError(f"{name} returned a {type(network).__name__}, but must return a network, a torch.nn.Module")
    _check_weights(name, network)
    return network, _features(name, network, shape)


def _check_weights(name: str, network: nn.Module) -> None:
    """Refuse a network whose weights `safetensors` could not write after the training."""
    places: dict[int, str] = {}
    for key, value in network.state_dict().items():
        if not isinstance(value, Tensor) or is_lazy(value):
            raise UserError(
                f"{name} built a network that keeps {key}, which is no tensor yet: give layers their sizes instead of "
                "lazy ones, and keep tensors alone in a state"
            )
        place = value.untyped_storage().data_ptr()
        if value.numel() and places.setdefault(place, key) != key:
            raise UserError(
                f"{name} built a network in which {places[place]} and {key} are one tensor: a file of weights holds "
                "each under one name, so use the layer twice in `forward` instead of naming it twice"
            )


def _features(name: str, network: nn.Module, shape: tuple[int, int, int]) -> int:
    """How many features a copy of the network makes of each of two images.

    The copy runs in training mode, in evaluation mode, and as a shadow without data, as the table of layers needs it.
    """
    height, width, channels = shape
    images = torch.zeros(2, height, width, channels).permute(0, 3, 1, 2)  # channels_last in memory, as in a training
    with own_code.as_user_error(f"the network of {name}, on two images of {height}x{width} and {channels} channels,"):
        trial = copy.deepcopy(network).cpu().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        with torch.random.fork_rng(devices=[]):  # dropout draws numbers, which must not change those of the training
            outputs = [trial.train()(images)]
            if isinstance(outputs[0], Tensor) and outputs[0].requires_grad:
                outputs[0].sum().backward()  # type: ignore[no-untyped-call]
            with torch.no_grad():
                outputs += [trial.eval()(images), shadow(trial)(images.to("meta"))]
    for output in outputs:
        form = f"{output.dtype} of shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
        if not isinstance(output, Tensor) or output.dtype != torch.float32 or output.ndim != 2 or len(output) != 2:
            raise UserError(
                f"{name} built a network that makes {form} of two images of {height}x{width} and {channels} channels, "
                "but must make a vector of float32 of each, 2 x features: end it with a pool and nn.Flatten()"
            )
    return int(outputs[0].shape[1])
