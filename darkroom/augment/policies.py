"""The options of `trivial_augment` and `rand_augment`: 14 operations, each with a strength drawn for each image.

Operations, strengths and centres are those of torchvision's TrivialAugmentWide and RandAugment. What moves pixels
interpolates between them, where torchvision takes the nearest pixel unless told otherwise.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from darkroom.augment import operations
from darkroom.augment.geometry import linear, sample_planes
from darkroom.augment.randomness import Draw

Option = Callable[[Tensor, Draw], Tensor]

STRONGEST = 30  # strengths are the whole numbers from 0 to this one
MOVES = 5  # shear x, shear y, move x, move y, rotate


@dataclass(frozen=True, slots=True)
class Space:
    """The strongest values of the operations, in either direction where there are two."""

    slant: float  # pixels along, for one pixel across
    pixels: float  # how far an image is moved, and
    share: float  # how much farther, as a share of its side
    degrees: float
    factor: float  # distance from 1
    bits: int  # how many of the eight posterize takes away


# Müller and Hutter 2021, arXiv:2103.10158, "wide"; Cubuk et al. 2020, arXiv:1909.13719, with torchvision's figures.
WIDE = Space(slant=0.99, pixels=32, share=0, degrees=135, factor=0.99, bits=6)
RAND_AUGMENT = Space(slant=0.3, pixels=0, share=150 / 331, degrees=30, factor=0.9, bits=4)


def options(space: Space, magnitude: int | None, background: Tensor) -> tuple[list[Option], list[float]]:
    """What may be done to an image, and how likely each is; the last weight is that of leaving the image as it is.

    Strengths are drawn from 0 to 30 or, with a `magnitude`, always this one. `background` (one value per channel)
    fills what comes into view.
    """

    def strength(draw: Draw) -> Tensor:
        drawn = draw.integers(STRONGEST + 1)[0].float()
        return drawn if magnitude is None else torch.full_like(drawn, magnitude)

    def share(draw: Draw) -> Tensor:
        """The strength as a share of the strongest, -1 to 1: in either direction."""
        return (draw.integers(2)[0] * 2 - 1) * strength(draw) / STRONGEST

    def by_factor(operation: Callable[[Tensor, Tensor], Tensor]) -> Option:
        return lambda images, draw: operation(images, _wide(1 + share(draw) * space.factor))

    def posterize(images: Tensor, draw: Draw) -> Tensor:
        return operations.posterize(images, _wide((8 - strength(draw) * space.bits / STRONGEST).round().long()))

    def solarize(images: Tensor, draw: Draw) -> Tensor:
        return operations.solarize(images, _wide((STRONGEST - strength(draw)) * (255 / STRONGEST)))

    def move(images: Tensor, draw: Draw) -> Tensor:
        which = functional.one_hot(draw.integers(MOVES)[0], MOVES).t()
        return moved(images, which * share(draw), space, background)

    factors = [
        by_factor(operation)
        for operation in (operations.brightness, operations.saturation, operations.contrast, operations.sharpness)
    ]
    tones: list[Option] = [
        lambda images, _: operations.autocontrast(images),
        lambda images, _: operations.equalize(images),
    ]
    weights = [MOVES, *[1] * (len(factors) + len(tones) + 3)]
    return [move, *factors, posterize, solarize, *tones], [float(weight) for weight in weights]


def moved(images: Tensor, shares: Tensor, space: Space, background: Tensor) -> Tensor:
    """Slant, move or rotate each image, in one bilinear interpolation for all that was drawn.

    `shares` (5 x N), -1 to 1 of the strongest: slant along x and y, move along x and y, rotation. But for one, each
    image's are 0. Slants keep the upper left corner, rotations the middle; moves are by whole pixels.
    """
    count, _, height, width = images.shape
    angle = shares[4] * math.radians(space.degrees)
    cosine, sine = torch.cos(angle), torch.sin(angle)
    grid = torch.empty((count, height, width, 2), device=images.device)
    # The grid says where each output pixel comes from; coordinates run from -1 to 1 along each side.
    for axis, (side, other, turned) in enumerate(((width, height, -sine), (height, width, sine))):
        slant = shares[axis] * space.slant * (other / side)
        pixels = (shares[2 + axis] * (space.pixels + space.share * side)).trunc()
        terms = cosine, turned * (other / side) + slant
        across, along = terms if axis == 0 else terms[::-1]
        linear(grid[..., axis], across, along, slant - pixels * (2 / side))
    return sample_planes(images, grid, background)


def _wide(values: Tensor) -> Tensor:
    """One value per image, shaped N x 1 x 1 x 1 so that it broadcasts over images."""
    return values.view(-1, 1, 1, 1)
