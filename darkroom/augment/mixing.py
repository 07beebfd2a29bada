"""Mixup and cutmix: each training image is made of two, and its target holds the shares of their classes."""

import torch
from torch import Tensor
from torch.nn import functional

from darkroom.augment.arithmetic import square_root
from darkroom.augment.randomness import Draw
from darkroom.config.params import Train


def mix(images: Tensor, labels: Tensor, draw: Draw, settings: Train, classes: int) -> tuple[Tensor, Tensor]:
    """Mix each image of a batch with another; if both methods are on, each image gets one of them at random.

    Returns images (N x channels x height x width) and targets: class numbers if both methods are off, else shares
    (N x classes). Shares are drawn for each image, and an image keeps at least half of itself. The partner of the first
    image is the last one, and so on, within this process's part of the batch.
    """
    if not settings.mixup and not settings.cutmix:
        return images, labels
    others = images.flip(0)
    # 1. Choose the method of each image: mixup blends, cutmix covers a box.
    blends = (
        draw.uniform()[0] < (0.5 if settings.cutmix else 1.0) if settings.mixup else torch.zeros_like(labels).bool()
    )
    # 2. Mix the images, and note the share that each keeps.
    mixed, kept = images, torch.ones(len(images), device=images.device)
    if settings.mixup:
        share = _own_share(draw, settings.mixup)
        kept = torch.where(blends, share, kept)
        mixed = torch.where(_wide(blends), others.lerp(images, _wide(share)), mixed)
    if settings.cutmix:
        covered = _boxes(draw, 1 - _own_share(draw, settings.cutmix), images.shape[2], images.shape[3])
        kept = torch.where(blends, kept, 1 - covered.float().mean((1, 2)))
        mixed = torch.where(_wide(~blends) & covered[:, None], others, mixed)
    # 3. Mix the targets by the same share.
    own, other = (functional.one_hot(which, classes).to(images.dtype) for which in (labels, labels.flip(0)))
    return mixed, other.lerp(own, kept[:, None])


def _own_share(draw: Draw, parameter: float) -> Tensor:
    """The larger of x and 1 - x, for x from the beta distribution (Zhang et al. 2018, arXiv:1710.09412): N values."""
    drawn = draw.beta(parameter)
    return torch.maximum(drawn, 1 - drawn)


def _boxes(draw: Draw, area: Tensor, height: int, width: int) -> Tensor:
    """Boxes inside the images, with the images' ratio of sides and at most these shares of their area.

    Returns masks, N x height x width. In Yun et al. 2019, arXiv:1905.04899, a box may stick out.
    """
    tall, wide = ((square_root(area) * side).floor() for side in (height, width))
    place = draw.uniform(2)
    top, left = (place[0] * (height - tall + 1)).floor(), (place[1] * (width - wide + 1)).floor()
    rows, columns = (torch.arange(side, device=area.device)[None] for side in (height, width))
    inside_rows = (rows >= top[:, None]) & (rows < (top + tall)[:, None])
    inside_columns = (columns >= left[:, None]) & (columns < (left + wide)[:, None])
    return inside_rows[:, :, None] & inside_columns[:, None, :]


def _wide(values: Tensor) -> Tensor:
    """One value per image, shaped N x 1 x 1 x 1 so that it broadcasts over images."""
    return values[:, None, None, None]
