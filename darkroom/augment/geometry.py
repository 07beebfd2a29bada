"""Augmentations that move pixels: crops, mirror, affine, perspective, elastic; fast on batches of small images.

torchvision's transforms draw one set of values for a whole batch, and kornia's draw from the global generator; on small
grey images they take 1 to 6 times as long (docs/performance.md). `pipeline` gives the form of images; `background` has
one value per channel.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from darkroom.augment.arithmetic import gaussians, square_root
from darkroom.augment.randomness import Draw, rectangles, to_device
from darkroom.base.errors import UserError
from darkroom.config.augmentations import Affine, ResizedCrop


def crop(images: Tensor, draw: Draw, padding: int, fill: str, background: Tensor) -> Tensor:
    """Pad each side by `padding` pixels, then cut out a window of the old size at a random place for each image.

    `fill` is background, edge or reflect (mirrored at the outermost pixels). Raises UserError if the images are too
    small to mirror so many pixels.
    """
    count, channels, height, width = images.shape
    if fill == "reflect" and padding >= min(height, width):
        raise UserError(
            f"the change crop has a padding of {padding} pixels, but images of {height} x {width} (height x width) "
            f"can be mirrored by {min(height, width) - 1} at most: give it a smaller padding, or fill: edge"
        )
    offsets = draw.integers(2 * padding + 1, 2) - padding
    # An image that moves by more than its side is out of view, so no more padding than that is needed.
    top, left = min(padding, height), min(padding, width)
    if fill == "background":
        shape = (count, channels, height + 2 * top, width + 2 * left)
        padded = torch.empty(shape, dtype=images.dtype, device=images.device, memory_format=torch.channels_last)
        padded[:] = background.view(-1, 1, 1)
        padded[:, :, top : top + height, left : left + width] = images
    else:
        padded = functional.pad(images, (left, left, top, top), mode="replicate" if fill == "edge" else "reflect")
    return _windows(padded, offsets[0].clamp(-top, top) + top, offsets[1].clamp(-left, left) + left, (height, width))


def part(images: Tensor, draw: Draw, sides: tuple[int, int]) -> Tensor:
    """Cut a part of this height and width out of each image, at a random place: all places are equally likely."""
    top, left = (draw.integers(whole - side + 1)[0] for whole, side in zip(images.shape[2:], sides, strict=True))
    return _windows(images, top, left, sides)


def _windows(images: Tensor, top: Tensor, left: Tensor, sides: tuple[int, int]) -> Tensor:
    """The window of this height and width of each image whose corner lies at `top` and `left`, whole numbers (N)."""
    # One gather: windows[n, y, x] is the window whose corner lies at (y, x).
    windows = images.permute(0, 2, 3, 1).unfold(1, sides[0], 1).unfold(2, sides[1], 1)
    chosen = windows[torch.arange(len(images), device=images.device), top, left]
    return chosen.contiguous(memory_format=torch.channels_last)


def resized_crop(images: Tensor, draw: Draw, settings: ResizedCrop) -> Tensor:
    """Cut a rectangle of whole pixels out of each image and enlarge it to the image's size, bilinear.

    Nothing shrinks by it, so there is nothing to smooth before. Szegedy et al. 2015, arXiv:1409.4842, and torchvision
    draw again where a rectangle does not fit; here its ratio of the sides is the nearest that does.
    """
    count, _, height, width = images.shape
    low, high = settings.ratio
    # `rectangles` counts height over width.
    rows, columns = rectangles(draw, (height, width), settings.scale, (1 / high, 1 / low))
    grid = torch.empty((count, height, width, 2), device=images.device)
    for axis, (side, (first, number)) in enumerate(((width, columns), (height, rows))):
        first, number = first.unsqueeze(1), number.unsqueeze(1)
        place = first + (torch.arange(side, device=images.device) + 0.5) * (number / side) - 0.5
        # Beyond the centres of its outermost pixels, the rectangle goes on as they are.
        place = ((place.maximum(first).minimum(first + number - 1)) * 2 + 1) / side - 1
        grid[..., axis] = place.unsqueeze(1 + axis)
    seen = functional.grid_sample(images.contiguous(), grid, "bilinear", padding_mode="border", align_corners=False)
    return seen.clamp_(0, 255).contiguous(memory_format=torch.channels_last)


def mirror(images: Tensor, axis: str) -> Tensor:
    """Mirror every image: horizontal swaps left and right, vertical top and bottom."""
    return images.flip(3 if axis == "horizontal" else 2)


def affine(images: Tensor, draw: Draw, settings: Affine, background: Tensor) -> Tensor:
    """Shear, rotate, scale by a factor from 1 - `scale` to 1 + `scale` and move, in one bilinear interpolation.

    Shearing slants upright lines by up to `shear` degrees. All values are uniform, and drawn for each image.
    """
    height, width = images.shape[2:]
    drawn = draw.uniform(5) * 2 - 1
    angle, slant = drawn[0] * math.radians(settings.degrees), torch.tan(drawn[1] * math.radians(settings.shear))
    factor = 1 / (1 + drawn[2] * settings.scale)  # the grid says where each output pixel comes from
    cosine, sine = torch.cos(angle) * factor, torch.sin(angle) * factor
    # Coordinates run from -1 to 1 along each side, so a rotation takes the image's ratio of sides into account.
    grid = torch.empty((len(images), height, width, 2), device=images.device)
    moved = drawn[3:] * 2 * settings.shift
    linear(grid[..., 0], cosine - slant * sine, (-sine - slant * cosine) * (height / width), moved[0])
    linear(grid[..., 1], sine * (width / height), cosine, moved[1])
    return sample(images, grid, background)


def centres(side: int, device: torch.device) -> Tensor:
    """The centres of the pixels along a side, in the coordinates of `sample`, from -1 to 1."""
    return (2 * torch.arange(side, device=device) + 1) / side - 1


def linear(out: Tensor, across: Tensor, along: Tensor, constant: Tensor) -> None:
    """Set `out` (N x height x width) to across * x + along * y + constant at each pixel's centre, for each image."""
    x, y = centres(out.shape[2], out.device), centres(out.shape[1], out.device)
    row = across.unsqueeze(1) * x + constant.unsqueeze(1)
    torch.add(row.unsqueeze(1), (along.unsqueeze(1) * y).unsqueeze(2), out=out)


def sample(images: Tensor, grid: Tensor, background: Tensor) -> Tensor:
    """Sample each image at the points of its grid (N x height x width x 2: x, y; -1 to 1), bilinear."""
    return sample_planes(images, grid, background).contiguous(memory_format=torch.channels_last)


def sample_planes(images: Tensor, grid: Tensor, background: Tensor) -> Tensor:
    """What `sample` returns, but channel after channel in memory."""
    offset = background.view(-1, 1, 1)
    # `grid_sample` gives zero outside the image, so the background is subtracted before and added after.
    shifted = images.contiguous() - offset  # a channel at a time is faster, here and below
    moved = functional.grid_sample(shifted, grid, mode="bilinear", align_corners=False)
    return moved.add_(offset).clamp_(0, 255)


def perspective(images: Tensor, draw: Draw, distortion: float, background: Tensor) -> Tensor:
    """Move each corner inwards along both axes by up to `distortion` of half the side, and the image with them."""
    count, _, height, width = images.shape
    corners = to_device(torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]), images.device)
    moved = corners * (1 - distortion * draw.uniform(8).t().view(count, 4, 2))
    # The matrix maps the moved corners back: the grid says where each output pixel comes from.
    matrix = _to_square(moved)
    plane = torch.empty((3, count, height, width), device=images.device)
    for out, row in zip(plane, matrix.unbind(1), strict=True):
        linear(out, *row.unbind(1))
    # On the horizon the denominator is zero; the horizon and the bounds lie far outside the image.
    grid = (plane[:2] / plane[2]).nan_to_num_(4.0).clamp_(-4, 4)
    return sample(images, grid.permute(1, 2, 3, 0), background)


def _to_square(corners: Tensor) -> Tensor:
    """The projective maps (N x 3 x 3, up to a factor) of quadrangles to the square from -1 to 1.

    `corners` (N x 4 x 2: x, y) map to (-1, -1), (1, -1), (1, 1) and (-1, 1). Method: Heckbert 1989, "Fundamentals of
    Texture Mapping and Image Warping", section 2.2.3, the closed form of the square's map, and its inverse.
    """
    first, second, third, fourth = corners.unbind(1)
    # 1. The map of the square to the quadrangle divides by u * across + v * along + whole at (u, v). Without the
    #    division it is linear, so its values at the corners have an alternating sum of 0: two equations, for x and y.
    bent = first - second + third - fourth
    leans = -first - second + third + fourth, -first + second + third - fourth
    across, along, whole = -_area(bent, leans[1]), -_area(leans[0], bent), _area(*leans)
    # 2. Each corner before the division, as (x, y, 1) times its divisor; sums of them are the columns of the matrix.
    divisors = torch.stack(
        [whole - across - along, whole + across - along, whole + across + along, whole - across + along], dim=1
    )
    first, second, third, fourth = (functional.pad(corners, (0, 1), value=1.0) * divisors.unsqueeze(2)).unbind(1)
    u, v, constant = second + third - first - fourth, third + fourth - first - second, first + second + third + fourth
    # 3. The rows of the inverse stand upright on the other two columns; its determinant is a factor.
    return torch.stack([v.cross(constant, dim=1), constant.cross(u, dim=1), u.cross(v, dim=1)], dim=1)


def _area(first: Tensor, second: Tensor) -> Tensor:
    """The signed area of the parallelogram that two vectors (N x 2) span."""
    return first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]


def elastic(images: Tensor, draw: Draw, strength: float, smoothness: float, background: Tensor) -> Tensor:
    """Displace each pixel by a smooth random field, by `strength` pixels at most.

    The field is noise, smoothed by a Gaussian with a standard deviation of `smoothness` pixels; its variance is the
    same up to the border. Each image's field is scaled so that its longest displacement has `strength` pixels. Simard,
    Steinkraus and Platt 2003, doi:10.1109/ICDAR.2003.1227801, scale the field's norm instead.
    """
    count, _, height, width = images.shape
    deviation = to_device(torch.tensor([smoothness]), images.device)
    rows, columns = (functional.normalize(gaussians(side, deviation), p=2.0, dim=2) for side in (height, width))
    field = rows @ (draw.field(2, height, width) * 2 - 1) @ columns.mT
    longest = square_root(field.square().sum(1).amax((1, 2))).clamp_min_(1e-12)
    field *= (strength / longest).view(-1, 1, 1, 1)
    grid = torch.empty((count, height, width, 2), device=images.device)
    torch.add(centres(width, images.device), field[:, 0], alpha=2 / width, out=grid[..., 0])
    torch.add(centres(height, images.device).unsqueeze(1), field[:, 1], alpha=2 / height, out=grid[..., 1])
    return sample(images, grid, background)
