"""Normalises stored images to a network's input: mean, standard deviation and their scale."""

from collections.abc import Sequence

import torch
from torch import Tensor

from darkroom.config.model_facts import Pretrained


def statistics(found: Pretrained | None, mean: list[float], std: list[float]) -> tuple[list[float], list[float]]:
    """The mean and standard deviation per channel, in [0, 1], that normalise images.

    These are `mean` and `std`, those of the training images. A training that starts from pretrained weights takes
    those with which they were made; if images have not three channels, each gets the average of the three.
    """
    if found is None:
        return mean, std
    if len(mean) == len(found.mean):
        return list(found.mean), list(found.std)
    count = len(mean)
    return [sum(found.mean) / len(found.mean)] * count, [sum(found.std) / len(found.std)] * count


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Turn stored images (uint8, N x H x W x C) into a model's input (float, N x C x H x W).

    The order in memory stays: N x H x W x C seen as N x C x H x W is PyTorch's channels_last.
    """
    return images.permute(0, 3, 1, 2).to(mean.dtype).sub(mean).div_(std)


def to_bytes_scale(values: Sequence[float]) -> Tensor:
    """Per-channel statistics in [0, 1] on the scale of stored bytes: float32, channels x 1 x 1, 0 to 255."""
    return torch.tensor(values, dtype=torch.float32).mul(255).view(-1, 1, 1)
