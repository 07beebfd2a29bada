"""The common changes to a batch of images, written for batches of small ones: whole batches, few passes.

torchvision's transforms draw one set of values for a whole batch, and kornia's random ones draw from the global
generator; on small grey images they are 1 to 6 times slower (docs/performance.md).
Images are as `augment` says; `background` has one value per channel.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from darkroom.changes import Affine, Erase
from darkroom.console import UserError
from darkroom.draw import Draw


def crop(images: Tensor, draw: Draw, padding: int, fill: str, background: Tensor) -> Tensor:
    """Pad each side, then cut a window of the old size out at a place drawn for each image.

    `fill` is background, edge or reflect (mirrored at the outermost pixels). Raises UserError where an image is too
    small to be mirrored so far.
    """
    count, channels, height, width = images.shape
    if fill == "reflect" and padding >= min(height, width):
        raise UserError(
            f"the change crop has a padding of {padding} pixels, but images of {height} x {width} (height x width) "
            f"can be mirrored by {min(height, width) - 1} at most: give it a smaller padding, or fill: edge"
        )
    offsets = draw.integers(2 * padding + 1, 2) - padding
    # Beyond its own side an image is out of view: more padding would be memory for nothing.
    top, left = min(padding, height), min(padding, width)
    if fill == "background":
        shape = (count, channels, height + 2 * top, width + 2 * left)
        padded = torch.empty(shape, dtype=images.dtype, device=images.device, memory_format=torch.channels_last)
        padded[:] = background.view(-1, 1, 1)
        padded[:, :, top : top + height, left : left + width] = images
    else:
        padded = functional.pad(images, (left, left, top, top), mode="replicate" if fill == "edge" else "reflect")
    # One gather over windows: windows[n, y, x] is the crop whose corner lies at (y, x).
    windows = padded.permute(0, 2, 3, 1).unfold(1, height, 1).unfold(2, width, 1)
    each = torch.arange(count, device=images.device)
    chosen = windows[each, offsets[0].clamp(-top, top) + top, offsets[1].clamp(-left, left) + left]
    return chosen.contiguous(memory_format=torch.channels_last)


def mirror(images: Tensor, axis: str) -> Tensor:
    """Mirror every image: horizontal swaps left and right, vertical top and bottom."""
    return images.flip(3 if axis == "horizontal" else 2)


def affine(images: Tensor, draw: Draw, settings: Affine, background: Tensor) -> Tensor:
    """Shear, rotate, scale by a factor from 1 - `scale` to 1 + `scale` and move, in one bilinear interpolation.

    Shearing slants what is upright by up to `shear` degrees. Values are drawn evenly and for each image.
    """
    height, width = images.shape[2:]
    drawn = draw.uniform(5) * 2 - 1
    angle, slant = drawn[0] * math.radians(settings.degrees), torch.tan(drawn[1] * math.radians(settings.shear))
    factor = 1 / (1 + drawn[2] * settings.scale)  # the grid says where each output pixel comes from
    cosine, sine = torch.cos(angle) * factor, torch.sin(angle) * factor
    # Coordinates run from -1 to 1 along either side: a turn in an oblong image must allow for its shape.
    grid = torch.empty((len(images), height, width, 2), device=images.device)
    moved = drawn[3:] * 2 * settings.shift
    linear(grid[..., 0], cosine - slant * sine, (-sine - slant * cosine) * (height / width), moved[0])
    linear(grid[..., 1], sine * (width / height), cosine, moved[1])
    return sample(images, grid, background)


def erase(images: Tensor, draw: Draw, settings: Erase, mean: Tensor) -> Tensor:
    """Cover a rectangle of each image, wholly inside it: area even in its range, ratio of the sides even in its log.

    Where a ratio (height over width) would not fit the image, the nearest that does is taken. Zhong et al. 2017,
    arXiv:1708.04896, who draw again instead.
    """
    _, channels, height, width = images.shape
    drawn = draw.uniform(4)
    area = (settings.scale[0] + drawn[0] * (settings.scale[1] - settings.scale[0])) * (height * width)
    low, high = (
        torch.full_like(area, math.log(ratio)).clamp((area / width**2).log(), (height**2 / area).log())
        for ratio in settings.ratio
    )
    ratio = torch.exp(low + drawn[1] * (high - low))
    covered = []
    for side, length, place in ((height, area * ratio, drawn[2]), (width, area / ratio, drawn[3])):
        length = root(length).round().clamp(1, side)
        start = (place * (side - length + 1)).floor()
        pixel = torch.arange(side, device=images.device) - start.unsqueeze(1)
        covered.append(((pixel >= 0) & (pixel < length.unsqueeze(1))).float())
    inside = covered[0][:, None, :, None] * covered[1][:, None, None, :]
    if settings.fill == "noise":
        filling = draw.field(channels, height, width) * 255
    else:
        filling = mean.view(-1, 1, 1) if settings.fill == "mean" else torch.zeros((), device=images.device)
    return torch.lerp(images, filling, inside).contiguous(memory_format=torch.channels_last)


def salt_and_pepper(images: Tensor, draw: Draw, share: float) -> Tensor:
    """Set pixels to 0 or 255, all channels at once: for each image a part of them drawn evenly from 0 to `share`."""
    part = (draw.uniform()[0] * share).view(-1, 1, 1, 1)
    field = draw.field(1, *images.shape[2:])
    # A blend with weights 0 and 1 is exact, and faster than a choice that a CPU cannot foresee.
    blended = torch.lerp(images, (field >= part / 2) * 255.0, (field < part).float())
    return blended.contiguous(memory_format=torch.channels_last)


def root(values: Tensor) -> Tensor:
    """The square root, the same on every processor; `sqrt` on a CPU is MKL's, which is not, portable mode or no."""
    return values.rsqrt().reciprocal()


def centres(side: int, device: torch.device) -> Tensor:
    """The pixels' centres along a side, on the scale from -1 to 1 that `sample` reads."""
    return (2 * torch.arange(side, device=device) + 1) / side - 1


def linear(out: Tensor, across: Tensor, along: Tensor, constant: Tensor) -> None:
    """Set `out` (N x height x width) to across * x + along * y + constant at each pixel's centre, for each image."""
    x, y = centres(out.shape[2], out.device), centres(out.shape[1], out.device)
    row = across.unsqueeze(1) * x + constant.unsqueeze(1)
    torch.add(row.unsqueeze(1), (along.unsqueeze(1) * y).unsqueeze(2), out=out)


def sample(images: Tensor, grid: Tensor, background: Tensor) -> Tensor:
    """Read each image at the points of its grid (N x height x width x 2: x, y; -1 to 1), bilinear."""
    ground = background.view(-1, 1, 1)
    # What lies outside is sampled as zero, so the ground is taken off first and put back after.
    lifted = images.contiguous() - ground  # a channel at a time is faster, here and below
    moved = functional.grid_sample(lifted, grid, mode="bilinear", align_corners=False)
    return moved.add_(ground).clamp_(0, 255).contiguous(memory_format=torch.channels_last)
