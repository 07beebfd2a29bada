"""From images as they are stored to what a network takes: mean, deviation and their scale."""

from collections.abc import Sequence

import torch
from torch import Tensor

from darkroom.config.params import Model

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # docs.pytorch.org/vision, models


def statistics(settings: Model, mean: list[float], std: list[float]) -> tuple[list[float], list[float]]:
    """Mean and deviation per channel, in [0, 1], by which images are normalised.

    The training images' own, which are given; where training starts from weights, those of ImageNet, for which
    torchvision's weights were made. Images of other than three channels get the average over its three.
    """
    if settings.weights is None:
        return mean, std
    if len(mean) == len(IMAGENET_MEAN):
        return list(IMAGENET_MEAN), list(IMAGENET_STD)
    count = len(mean)
    return [sum(IMAGENET_MEAN) / 3] * count, [sum(IMAGENET_STD) / 3] * count


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Images as stored (uint8, N x height x width x channels) to a model's input (float, channels second).

    The memory stays in place: N x H x W x C seen as N x C x H x W is PyTorch's channels_last.
    """
    return images.permute(0, 3, 1, 2).to(mean.dtype).sub(mean).div_(std)


def to_bytes_scale(values: Sequence[float]) -> Tensor:
    """Statistics of values in [0, 1], per channel, as a channels x 1 x 1 tensor on the scale of the stored bytes."""
    return torch.tensor(values, dtype=torch.float32).mul(255).view(-1, 1, 1)
