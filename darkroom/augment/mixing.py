"""Training images made of two: mixup and cutmix, with targets that are shares of two classes."""

import torch
from torch import Tensor
from torch.nn import functional

from darkroom.augment.arithmetic import root
from darkroom.augment.randomness import Draw
from darkroom.config.params import Train


def mix(images: Tensor, labels: Tensor, draw: Draw, settings: Train, classes: int) -> tuple[Tensor, Tensor]:
    """Mix each image of a batch with another; of two methods that are on, each image gets one at random.

    Returns images (N x channels x height x width) and targets: class numbers where nothing is mixed, else shares
    (N x classes). Shares are drawn for each image, and an image keeps at least half of itself. The other image is
    taken from the other end of the batch, or of this process's part of it.
    """
    if not settings.mixup and not settings.cutmix:
        return images, labels
    others = images.flip(0)
    blends = (
        draw.uniform()[0] < (0.5 if settings.cutmix else 1.0) if settings.mixup else torch.zeros_like(labels).bool()
    )
    mixed, kept = images, torch.ones(len(images), device=images.device)
    if settings.mixup:
        share = _own_share(draw, settings.mixup)
        kept = torch.where(blends, share, kept)
        mixed = torch.where(_wide(blends), others.lerp(images, _wide(share)), mixed)
    if settings.cutmix:
        covered = _boxes(draw, 1 - _own_share(draw, settings.cutmix), images.shape[2], images.shape[3])
        kept = torch.where(blends, kept, 1 - covered.float().mean((1, 2)))
        mixed = torch.where(_wide(~blends) & covered[:, None], others, mixed)
    own, other = (functional.one_hot(which, classes).to(images.dtype) for which in (labels, labels.flip(0)))
    return mixed, other.lerp(own, kept[:, None])


def _own_share(draw: Draw, parameter: float) -> Tensor:
    """The larger part of a draw from the beta distribution (Zhang et al. 2018, arXiv:1710.09412)."""
    drawn = draw.beta(parameter)
    return torch.maximum(drawn, 1 - drawn)


def _boxes(draw: Draw, area: Tensor, height: int, width: int) -> Tensor:
    """Boxes of the image's shape, of at most these shares of its area, inside it: N x height x width (Yun et al. 2019,
    arXiv:1905.04899; there a box may stick out)."""
    tall, wide = ((root(area) * side).floor() for side in (height, width))
    place = draw.uniform(2)
    top, left = (place[0] * (height - tall + 1)).floor(), (place[1] * (width - wide + 1)).floor()
    rows, columns = (torch.arange(side, device=area.device)[None] for side in (height, width))
    inside_rows = (rows >= top[:, None]) & (rows < (top + tall)[:, None])
    inside_columns = (columns >= left[:, None]) & (columns < (left + wide)[:, None])
    return inside_rows[:, :, None] & inside_columns[:, None, :]


def _wide(values: Tensor) -> Tensor:
    """One value per image, to stand beside images."""
    return values[:, None, None, None]
