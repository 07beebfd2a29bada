"""Random numbers for a batch of images: equal for any number of processes and, except for fields, on any device."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from darkroom.augment.arithmetic import square_root


def seed_of(*numbers: int) -> int:
    """Mix several numbers, such as seed and epoch, into one seed; neighbouring numbers give unrelated seeds."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """Copy values from the CPU to the device; for a GPU, the copy is queued and the CPU does not wait for it.

    This takes pinned memory, which PyTorch does not use again before the copy has ended.
    """
    if device.type == "cuda":
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)


@dataclass(frozen=True, slots=True)
class Draw:
    """The source of a batch's random numbers.

    Every process draws for the whole batch, from a generator on the CPU in the same state, and keeps the numbers of its
    own images. So one process and several, a CPU and a GPU, augment an image in the same way. Fields alone differ
    between kinds of device: they are drawn there, for they are too large to copy.
    """

    generator: Generator
    positions: Tensor  # int64 on the CPU: the place in the training set of each image of the whole batch
    chosen: Tensor  # int64 on the CPU: which of them are this process's images, in order
    epoch: int  # from 1
    device: torch.device

    def uniform(self, each: int = 1) -> Tensor:
        """Numbers in [0, 1) on the device: `each` x images."""
        drawn = torch.rand((each, len(self.positions)), generator=self.generator)
        return to_device(drawn[:, self.chosen], self.device)

    def integers(self, below: int, each: int = 1) -> Tensor:
        """Whole numbers from 0 to `below` - 1 on the device: `each` x images."""
        drawn = torch.randint(below, (each, len(self.positions)), generator=self.generator)
        return to_device(drawn[:, self.chosen], self.device)

    def beta(self, parameter: float) -> Tensor:
        """Numbers from 0 to 1 of the symmetric beta distribution on the device, one for each image."""
        source = np.random.default_rng(int(torch.randint(2**62, (), generator=self.generator)))
        drawn = torch.from_numpy(source.beta(parameter, parameter, len(self.positions))).float()
        return to_device(drawn[self.chosen], self.device)

    def field(self, channels: int, height: int, width: int) -> Tensor:
        """Numbers in [0, 1) for each pixel, images x channels x height x width, drawn on the device."""
        shape = (len(self.positions), channels, height, width)
        seed = int(torch.randint(2**62, (), generator=self.generator))
        source = torch.Generator(self.device).manual_seed(seed)
        return torch.rand(shape, generator=source, device=self.device)[to_device(self.chosen, self.device)]

    def ours(self) -> Tensor:
        """The places of this process's images in the training set, int64 on the device."""
        return to_device(self.positions[self.chosen], self.device)

    def only(self, which: Tensor) -> "Draw":
        """The draw for a part of this process's images; `which` (int64) holds their places among these."""
        return dataclasses.replace(self, chosen=self.chosen[which.cpu()])


def whole(generator: Generator, positions: Tensor, device: torch.device, *, epoch: int = 1) -> Draw:
    """The draw for a batch that no other process shares; `positions` is int64 on the CPU."""
    return Draw(generator, positions, torch.arange(len(positions)), epoch, device)


def rectangles(
    draw: Draw, sides: tuple[int, int], scale: Sequence[float], ratio: Sequence[float]
) -> list[tuple[Tensor, Tensor]]:
    """A rectangle inside each image of this height and width: (first, number) of its rows, then of its columns.

    Whole numbers as float32, N values each. Its share of the area is uniform within `scale`; its height over its width
    is log-uniform within `ratio`, cut down to what fits into the image.
    """
    height, width = sides
    drawn = draw.uniform(4)
    # 1. Draw an area, and a ratio of the sides that fits.
    area = (scale[0] + drawn[0] * (scale[1] - scale[0])) * (height * width)
    low, high = (
        torch.full_like(area, math.log(bound)).clamp((area / width**2).log(), (height**2 / area).log())
        for bound in ratio
    )
    shape = torch.exp(low + drawn[1] * (high - low))
    # 2. Draw its place.
    found = []
    for side, length, place in ((height, area * shape, drawn[2]), (width, area / shape, drawn[3])):
        length = square_root(length).round().clamp(1, side)
        found.append(((place * (side - length + 1)).floor(), length))
    return found
