"""Arithmetic of the augmentations: a square root with the same bits on every processor, and Gaussian weights."""

import torch
from torch import Tensor


def square_root(values: Tensor) -> Tensor:
    """The square root, with the same bits on every processor; on a CPU, `sqrt` is MKL's, even in portable mode."""
    return values.rsqrt().reciprocal()


def gaussians(side: int, deviation: Tensor) -> Tensor:
    """Gaussians centred on each pixel of a side, with maximum 1: N x side x side for N standard deviations."""
    distance = torch.arange(1 - side, side, device=deviation.device)
    values = torch.exp(-0.5 * (distance / deviation.unsqueeze(1)).square())
    return values.unfold(1, side, 1).flip(1)  # windows onto one long Gaussian, the last first
