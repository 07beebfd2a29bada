"""What changes of images compute with: a square root that is the same everywhere, a Gaussian."""

import torch
from torch import Tensor


def root(values: Tensor) -> Tensor:
    """The square root, the same on every processor; `sqrt` on a CPU is MKL's, which is not, portable mode or no."""
    return values.rsqrt().reciprocal()


def bell(side: int, deviation: Tensor) -> Tensor:
    """A Gaussian about each pixel of a side, highest value 1: for each deviation a matrix of side x side."""
    distance = torch.arange(1 - side, side, device=deviation.device)
    values = torch.exp(-0.5 * (distance / deviation.unsqueeze(1)).square())
    return values.unfold(1, side, 1).flip(1)  # windows onto one long bell, the last first
