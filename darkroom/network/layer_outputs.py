"""What passes through the layers of a network, seen from outside."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from darkroom.network.architectures import ACTIVATIONS

LAST = "head.classes"  # of every network of ours: from features to logits
ACTIVATION_LAYERS = (*ACTIVATIONS.values(), nn.ReLU6, nn.SiLU, nn.Hardswish, nn.LeakyReLU)  # ours and torchvision's


@contextmanager
def watching(network: nn.Module, names: Sequence[str], see: Callable[[str, Tensor], None]) -> Iterator[None]:
    """While the block runs, call `see` with name and output of these layers, as named in `network`.

    For the last layer it gets the input, the features that the head decides on. A layer that is used several times in
    a pass is seen as often.
    """
    handles = []
    for name in names:
        module = network.get_submodule(name)
        if name == LAST:
            handles.append(module.register_forward_pre_hook(lambda _, inputs, name=name: see(name, inputs[0])))
        else:
            handles.append(module.register_forward_hook(lambda _, inputs, output, name=name: see(name, output)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.inference_mode()
def activations(network: nn.Module, shape: tuple[int, int, int]) -> dict[str, tuple[int, ...]]:
    """The activations in order, and the shape of their output for one image: (C,) or (C, height, width).

    `shape` is the image's height, width, channels. A network with layer norms, as transformers and ConvNeXt have, gives
    none: theirs work on tokens, or on maps with the channels last. A layer used several times counts with its last use.
    """
    if any(isinstance(module, nn.LayerNorm) for module in network.modules()):
        return {}
    height, width, channels = shape
    found: dict[str, tuple[int, ...]] = {}
    names = [name for name, module in network.named_modules() if isinstance(module, ACTIVATION_LAYERS)]
    image = torch.zeros(1, channels, height, width, device=next(network.parameters()).device)
    network.eval()
    with watching(network, names, lambda name, output: found.update({name: tuple(output.shape[1:])})):
        network(image)
    return found


def spread(names: Sequence[str], at_most: int) -> list[str]:
    """At most so many names, evenly from the first to the last."""
    if len(names) <= at_most:
        return list(names)
    return [names[round(at * (len(names) - 1) / (at_most - 1))] for at in range(at_most)]
