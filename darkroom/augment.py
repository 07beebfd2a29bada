"""Changes to a batch of training images, drawn anew for each image; on whole batches, without gradient.

torchvision's transforms draw one set of values for a whole batch, and kornia's are 2 to 13 times slower on a CPU.
A change takes and returns float images, N x channels x height x width, with values from 0 to 255, and keeps
channels_last.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor
from torch.nn import functional

from darkroom.params import Affine, Augmentation, Flip, Shift

Change = Callable[[Tensor, Generator], Tensor]


def build(augmentations: Sequence[Augmentation], background: Tensor) -> Change:
    """All changes in their order as one function. `background` (one value per channel) fills what comes into view."""
    changes = [_change(item, background) for item in augmentations]

    @torch.no_grad()
    def augment(images: Tensor, generator: Generator) -> Tensor:
        for change in changes:
            images = change(images, generator)
        return images

    return augment


def _change(item: Augmentation, background: Tensor) -> Change:
    settings = item.change
    if isinstance(settings, Affine):
        return lambda images, generator: affine(images, settings, background, generator)
    if isinstance(settings, Shift):
        return lambda images, generator: shift(images, settings.pixels, background, generator)
    assert isinstance(settings, Flip)
    return lambda images, generator: flip(images, settings.probability, generator)


def shift(images: Tensor, pixels: int, background: Tensor, generator: Generator) -> Tensor:
    """Move each image by a whole number of pixels, up to `pixels` along each axis."""
    count, channels, height, width = images.shape
    offsets = torch.randint(0, 2 * pixels + 1, (2, count), generator=generator).to(images.device)
    padded = background.view(1, -1, 1, 1).expand(count, channels, height + 2 * pixels, width + 2 * pixels)
    padded = padded.contiguous(memory_format=torch.channels_last).clone(memory_format=torch.preserve_format)
    padded[:, :, pixels:-pixels, pixels:-pixels] = images
    # One gather over windows: windows[n, y, x] is the crop whose corner lies at (y, x).
    windows = padded.permute(0, 2, 3, 1).unfold(1, height, 1).unfold(2, width, 1)
    chosen = windows[torch.arange(count, device=images.device), offsets[0], offsets[1]]
    return chosen.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)


def flip(images: Tensor, probability: float, generator: Generator) -> Tensor:
    """Mirror each image left to right with this probability."""
    chosen = torch.rand(len(images), generator=generator).to(images.device) < probability
    return torch.where(chosen.view(-1, 1, 1, 1), images.flip(3), images)


def affine(images: Tensor, settings: Affine, background: Tensor, generator: Generator) -> Tensor:
    """Rotate by up to `degrees`, scale by a factor from 1 - `scale` to 1 + `scale`, move by a share of the side.

    Bilinear; values are drawn evenly and for each image.
    """
    count, _, height, width = images.shape
    drawn = (torch.rand((4, count), generator=generator) * 2 - 1).to(images.device)
    angle = drawn[0] * math.radians(settings.degrees)
    factor = 1 / (1 + drawn[1] * settings.scale)  # the grid says where each output pixel comes from
    cosine, sine = torch.cos(angle) * factor, torch.sin(angle) * factor
    # Coordinates run from -1 to 1 along either side: a turn in an oblong image must allow for its shape.
    rows = [
        torch.stack([cosine, -sine * height / width, 2 * drawn[2] * settings.shift], dim=1),
        torch.stack([sine * width / height, cosine, 2 * drawn[3] * settings.shift], dim=1),
    ]
    grid = functional.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
    ground = background.view(1, -1, 1, 1)
    # What lies outside is sampled as zero, so the ground is taken off first and put back after.
    moved = functional.grid_sample(images - ground, grid, mode="bilinear", align_corners=False) + ground
    return moved.contiguous(memory_format=torch.channels_last)
