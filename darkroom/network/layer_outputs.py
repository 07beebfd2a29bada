"""Reads the outputs of a network's layers during a forward pass."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from darkroom.network.architectures import ACTIVATIONS

LAST = "head.classes"  # the last layer of every network that `architectures` builds, from features to logits
ACTIVATION_LAYERS = (*ACTIVATIONS.values(), nn.ReLU6, nn.SiLU, nn.Hardswish, nn.LeakyReLU)  # the last ones: torchvision


@contextmanager
def watching(network: nn.Module, names: Sequence[str], on_output: Callable[[str, Tensor], None]) -> Iterator[None]:
    """While the block runs, call `on_output(name, output)` whenever one of these layers has run.

    `names` are those in `network`. For the layer LAST the second argument is its input, the features. A layer that a
    pass uses several times gives as many calls.
    """
    handles = []
    for name in names:
        module = network.get_submodule(name)
        if name == LAST:
            handles.append(module.register_forward_pre_hook(lambda _, inputs, name=name: on_output(name, inputs[0])))
        else:
            handles.append(module.register_forward_hook(lambda _, inputs, output, name=name: on_output(name, output)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.inference_mode()
def activations(network: nn.Module, shape: tuple[int, int, int]) -> dict[str, tuple[int, ...]]:
    """The names of the activation layers in order, and the shape of their output for one image: (C,) or (C, H, W).

    `shape` is the image's height, width, channels. The result is empty for a network with layer norms, such as a
    transformer or ConvNeXt: its activations work on tokens, or on maps with the channels last. For a layer that is used
    several times, the shape is that of the last use.
    """
    if any(isinstance(module, nn.LayerNorm) for module in network.modules()):
        return {}
    height, width, channels = shape
    shapes: dict[str, tuple[int, ...]] = {}
    names = [name for name, module in network.named_modules() if isinstance(module, ACTIVATION_LAYERS)]
    image = torch.zeros(1, channels, height, width, device=next(network.parameters()).device)
    network.eval()
    with watching(network, names, lambda name, output: shapes.update({name: tuple(output.shape[1:])})):
        network(image)
    return shapes


def spread(names: Sequence[str], at_most: int) -> list[str]:
    """All names, or `at_most` evenly spaced ones, the first and the last included."""
    if len(names) <= at_most:
        return list(names)
    return [names[round(at * (len(names) - 1) / (at_most - 1))] for at in range(at_most)]
