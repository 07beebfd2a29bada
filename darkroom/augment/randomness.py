"""Random numbers for a batch of images: the same however many processes share it, and but for fields on any device."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor


def seed_of(*numbers: int) -> int:
    """One seed out of several numbers, as (seed, epoch): well mixed, so that neighbours are unrelated."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def brought(values: Tensor, device: torch.device) -> Tensor:
    """Values of the CPU on the device; a GPU gets them when its work has come so far, and nobody waits for it.

    That takes pinned memory, which PyTorch gives to nobody else before the copy has ended.
    """
    if device.type == "cuda":
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)


@dataclass(frozen=True, slots=True)
class Draw:
    """What a batch's random numbers are drawn from.

    Every process draws for the whole batch, from a generator on the CPU in the same state, and keeps its own images'
    numbers: so one process and several, a CPU and a GPU, change an image in the same way. Fields alone differ between
    kinds of device, for they are too large to be brought there.
    """

    generator: Generator
    positions: Tensor  # int64 on the CPU: where in the training set each image of the whole batch stands
    chosen: Tensor  # int64 on the CPU: which of them are ours, in our order
    epoch: int  # from 1
    device: torch.device

    def uniform(self, each: int = 1) -> Tensor:
        """Numbers in [0, 1) on the device: `each` x images."""
        drawn = torch.rand((each, len(self.positions)), generator=self.generator)
        return brought(drawn[:, self.chosen], self.device)

    def integers(self, below: int, each: int = 1) -> Tensor:
        """Whole numbers from 0 to `below` - 1 on the device: `each` x images."""
        drawn = torch.randint(below, (each, len(self.positions)), generator=self.generator)
        return brought(drawn[:, self.chosen], self.device)

    def beta(self, parameter: float) -> Tensor:
        """Numbers from 0 to 1 of the symmetric beta distribution on the device, one for each image."""
        source = np.random.default_rng(int(torch.randint(2**62, (), generator=self.generator)))
        drawn = torch.from_numpy(source.beta(parameter, parameter, len(self.positions))).float()
        return brought(drawn[self.chosen], self.device)

    def field(self, channels: int, height: int, width: int) -> Tensor:
        """Numbers in [0, 1) for each pixel, images x channels x height x width, drawn on the device."""
        shape = (len(self.positions), channels, height, width)
        seed = int(torch.randint(2**62, (), generator=self.generator))
        source = torch.Generator(self.device).manual_seed(seed)
        return torch.rand(shape, generator=source, device=self.device)[brought(self.chosen, self.device)]

    def ours(self) -> Tensor:
        """Where in the training set our images stand, on the device."""
        return brought(self.positions[self.chosen], self.device)

    def only(self, which: Tensor) -> "Draw":
        """For a part of our images; `which` holds their places among ours, int64."""
        return dataclasses.replace(self, chosen=self.chosen[which.cpu()])


def whole(generator: Generator, positions: Tensor, device: torch.device, *, epoch: int = 1) -> Draw:
    """For a batch that no other process shares."""
    return Draw(generator, positions, torch.arange(len(positions)), epoch, device)
