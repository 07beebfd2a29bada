"""Reads the outputs of a network's layers during a forward pass, and tells where in the picture they belong."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

LAST = "head.classes"  # the last layer of every network that `architectures` builds, from features to logits
TRIED = 2  # images of a pass that shows the shapes: one would hide outputs that stand for parts of images
PREFIX = 8  # tokens before those of the picture, at most: one for the class, one of a teacher, some registers
# Endings of the names of modules that are smooth activations: torch's, and those of other libraries that it lacks.
SMOOTH = ("gelu", "gelutanh", "silu", "swish", "mish")
Grid = tuple[int, int]  # rows and columns


class Form(NamedTuple):
    """The form of a layer's output. Its values are those of `channels` units, each in many places or in one."""

    size: tuple[int, ...]  # of the output for one image
    channels: int
    first: bool  # whether the channels come right after the images (N x C x H x W), or last (N x H x W x C, N x T x C)
    grid: Grid | None  # rows and columns of places of the picture; None: a vector, or places are mixed
    prefix: int = 0  # tokens before those of the grid
    whole: bool = True  # whether the first dimension is that of the images; otherwise, of parts such as windows

    @property
    def spatial(self) -> bool:
        """Whether the output tells more than one place of the picture apart."""
        return self.grid is not None and self.grid[0] * self.grid[1] > 1

    def maps(self, output: Tensor) -> Tensor:
        """The output as maps: N x channels x rows x columns. Only for a form with a grid."""
        assert self.grid is not None
        if self.first:
            return output
        tokens = output.flatten(1, -2)[:, self.prefix :]
        return tokens.transpose(1, 2).reshape(len(output), self.channels, *self.grid)

    def units(self, output: Tensor) -> Tensor:
        """All values of each unit, in all images and places: channels x values."""
        return output.transpose(0, 1).flatten(1) if self.first else output.flatten(0, -2).T


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


def flat_below_zero(module: nn.Module) -> bool:
    """Whether the module is an activation that is zero below zero: a unit that stays there learns no more."""
    return isinstance(module, nn.ReLU | nn.ReLU6)


def smooth(module: nn.Module) -> bool:
    """Whether the module is an activation that is nearly, but nowhere quite, flat below zero: GELU, SiLU and the like.

    Libraries have their own classes of them, so that the end of the class's name decides.
    """
    return type(module).__name__.lower().endswith(SMOOTH) and not any(module.children())


def is_activation(module: nn.Module) -> bool:
    """Whether the module is an activation, as GELU, and no gate of a network's own."""
    return flat_below_zero(module) or smooth(module) or isinstance(module, nn.Tanh | nn.Sigmoid | nn.LeakyReLU)


def activations(network: nn.Module, shape: tuple[int, int, int]) -> dict[str, Form]:
    """The activation layers in the order of their last use, and the form of the output of each.

    `shape` is the image's height, width, channels.
    """
    return {name: form for name, form in forms(network, shape).items() if is_activation(network.get_submodule(name))}


@torch.inference_mode()
def forms(network: nn.Module, shape: tuple[int, int, int]) -> dict[str, Form]:
    """The form of the output of each module that gives one tensor, in the order of their (last) uses.

    `shape` is the image's height, width, channels. Nothing says what a dimension means, so it is found as follows.
    Convolutions, pools, linear layers and norms say whether channels come first or last; what follows them has the same
    order, unless its shape shows otherwise. Convolutions say which grids of places there are. Tokens belong to such a
    grid if there are as many of them as it has places, and at most `PREFIX` more.
    """
    height, width, channels = shape
    grids, modules = [(height, width)], dict(network.named_modules())
    last = False
    found: dict[str, Form] = {}

    def see(name: str, output: object) -> None:
        nonlocal last
        # What is not of images, as a table of distances between places, is passed over.
        if not isinstance(output, Tensor) or output.ndim < 2 or len(output) % TRIED:
            return
        module = modules[name]
        last = _channels_last(module, tuple(output.shape), last)
        form = _form(module, output, last, grids)
        if form.spatial and form.grid:
            last = not form.first
            if form.grid in grids:
                grids.remove(form.grid)
            grids.append(form.grid)
        found.pop(name, None)
        found[name] = form

    names = [name for name in modules if name and name != LAST]
    images = torch.zeros(TRIED, channels, height, width, device=next(network.parameters()).device)
    with watching(network.eval(), names, see):
        network(images)
    return found


def _channels_last(module: nn.Module, size: tuple[int, ...], before: bool) -> bool:
    """Whether channels come last from here on; `before` holds for a module that does not say so."""
    if len(size) < 3:
        return before
    if isinstance(module, nn.Linear):
        return True
    if isinstance(module, nn.LayerNorm) and len(module.normalized_shape) == 1:
        # A norm of maps with the channels first is often a subclass, as torchvision's LayerNorm2d.
        width = module.normalized_shape[0]
        return size[-1] == width and (type(module) is nn.LayerNorm or size[1] != width)
    conv_like = (nn.Conv1d, nn.Conv2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.MaxPool2d, nn.AvgPool2d)
    return before and not isinstance(module, conv_like)


def _form(module: nn.Module, output: Tensor, last: bool, grids: list[Grid]) -> Form:
    """The form of a module's output; `last` says where its channels are, `grids` are those known, the latest last."""
    size = tuple(output.shape[1:])
    whole = len(output) == TRIED
    first = not last if len(size) > 1 else True
    channels = size[0] if first else size[-1]
    if not whole or len(size) not in (2, 3):
        return Form(size, channels, first, (1, 1) if whole and len(size) == 1 else None, whole=whole)
    if len(size) == 2:
        tokens, prefix = _grid_of_tokens(size[0], grids)
        return Form(size, channels, first, None) if first else Form(size, channels, False, tokens, prefix)
    # 1. Maps whose channels lie where those of the layer before lie.
    one, other, three = size
    grid, reordered = ((other, three), (one, other)) if first else ((one, other), (other, three))
    makes_grids = isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) and module.kernel_size not in (1, (1, 1))
    if makes_grids or _known(grid, grids) or _reduced(grid, grids[-1], first):
        return Form(size, channels, first, grid)
    # 2. The dimensions were put into another order in between.
    if _known(reordered, grids):
        return Form(size, three if first else one, not first, reordered)
    return Form(size, channels, first, None)


def _known(grid: Grid, grids: list[Grid]) -> bool:
    return grid == (1, 1) or grid in grids


def _reduced(grid: Grid, latest: Grid, first: bool) -> bool:
    """Whether a grid is the latest one with fewer places; with the channels last, by the same factor on both sides."""
    (rows, columns), (of_rows, of_columns) = grid, latest
    smaller = rows <= of_rows and columns <= of_columns
    return smaller and (first or round(of_rows / rows) == round(of_columns / columns))


def _grid_of_tokens(count: int, grids: list[Grid]) -> tuple[Grid | None, int]:
    """The grid to which `count` tokens belong, and how many tokens before it are none of it.

    Beside the known grids it may be the latest one, halved: some networks leave out tokens without a convolution.
    """
    if count == 1:
        return (1, 1), 0
    rows, columns = grids[-1]
    halved = -(-rows // 2), -(-columns // 2)
    for prefix in range(PREFIX + 1):
        for grid in [*reversed(grids), *([halved] if not prefix else [])]:
            if grid[0] * grid[1] == count - prefix > 1:
                return grid, prefix
    return None, 0


def spread(names: Sequence[str], at_most: int) -> list[str]:
    """All names, or `at_most` evenly spaced ones, the first and the last included."""
    if len(names) <= at_most:
        return list(names)
    return [names[round(at * (len(names) - 1) / (at_most - 1))] for at in range(at_most)]
