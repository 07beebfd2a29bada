"""The rarer changes to a batch of images: perspective, elastic bending, blur, colour.

Images are as `augment` says. kornia is imported where it is used, for that takes long and most runs do without.
"""

import torch
from torch import Tensor
from torch.nn import functional

from darkroom.changes import Color
from darkroom.draw import Draw, brought
from darkroom.kernels import centres, linear, root, sample


def perspective(images: Tensor, draw: Draw, distortion: float, background: Tensor) -> Tensor:
    """Move each corner inwards along both axes by up to `distortion` of half the side, and the image with them."""
    from kornia.geometry.transform import get_perspective_transform

    count, _, height, width = images.shape
    corners = brought(torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]), images.device)
    moved = corners * (1 - distortion * draw.uniform(8).t().view(count, 4, 2))
    # From where the corners are to where they were: the grid says where each output pixel comes from.
    matrix = get_perspective_transform(moved, corners.expand(count, 4, 2))
    plane = torch.empty((3, count, height, width), device=images.device)
    for out, row in zip(plane, matrix.unbind(1), strict=True):
        linear(out, *row.unbind(1))
    # On the horizon the denominator is zero; all of it lies far outside the image, as do the bounds.
    grid = (plane[:2] / plane[2]).nan_to_num_(4.0).clamp_(-4, 4)
    return sample(images, grid.permute(1, 2, 3, 0), background)


def elastic(images: Tensor, draw: Draw, strength: float, smoothness: float, background: Tensor) -> Tensor:
    """Displace each pixel by a random field, smooth over `smoothness` pixels, the longest way being `strength` pixels.

    The field is noise under a Gaussian of that deviation, with the same variance up to the border; each image's own is
    scaled so that its longest displacement has this length. Simard, Steinkraus and Platt 2003,
    doi:10.1109/ICDAR.2003.1227801, who scale the field's norm.
    """
    count, _, height, width = images.shape
    deviation = brought(torch.tensor([smoothness]), images.device)
    rows, columns = (functional.normalize(_bell(side, deviation), p=2.0, dim=2) for side in (height, width))
    field = rows @ (draw.field(2, height, width) * 2 - 1) @ columns.mT
    longest = root(field.square().sum(1).amax((1, 2))).clamp_min_(1e-12)
    field *= (strength / longest).view(-1, 1, 1, 1)
    grid = torch.empty((count, height, width, 2), device=images.device)
    torch.add(centres(width, images.device), field[:, 0], alpha=2 / width, out=grid[..., 0])
    torch.add(centres(height, images.device).unsqueeze(1), field[:, 1], alpha=2 / height, out=grid[..., 1])
    return sample(images, grid, background)


def blur(images: Tensor, draw: Draw, low: float, high: float) -> Tensor:
    """Gaussian blur, for each image with a deviation drawn evenly from `low` to `high` pixels.

    As two products with matrices, whose cost does not depend on the deviation; at the border the weights of the
    pixels that are there are scaled to sum to one.
    """
    deviation = low + draw.uniform()[0] * (high - low)
    rows, columns = (_bell(side, deviation) for side in images.shape[2:])
    rows, columns = rows / rows.sum(2, keepdim=True), columns / columns.sum(2, keepdim=True)
    blurred = rows.unsqueeze(1) @ images @ columns.mT.unsqueeze(1)
    return blurred.clamp_(0, 255).contiguous(memory_format=torch.channels_last)


def _bell(side: int, deviation: Tensor) -> Tensor:
    """A Gaussian about each pixel of a side, highest value 1: for each deviation a matrix of side x side."""
    distance = torch.arange(1 - side, side, device=deviation.device)
    values = torch.exp(-0.5 * (distance / deviation.unsqueeze(1)).square())
    return values.unfold(1, side, 1).flip(1)  # windows onto one long bell, the last first


def color(images: Tensor, draw: Draw, settings: Color) -> Tensor:
    """Brightness, contrast, saturation, hue, in this order, each within 0 to 255; the last two need three channels.

    Brightness is a factor on all values, contrast on the distance from the image's mean grey, saturation on the
    distance from each pixel's grey; hue turns the colour circle of HSV.
    """
    drawn = draw.uniform(4) * 2 - 1
    brightness, contrast, saturation, hue = drawn.view(4, -1, 1, 1, 1)
    images = images.contiguous()  # a channel at a time is faster
    if settings.brightness:
        images = (images * (1 + settings.brightness * brightness)).clamp_(0, 255)
    if settings.contrast:
        mean = _grey(images).mean((1, 2, 3), keepdim=True)
        images = torch.lerp(mean, images, 1 + settings.contrast * contrast).clamp_(0, 255)
    if images.shape[1] == 3 and settings.saturation:
        images = torch.lerp(_grey(images), images, 1 + settings.saturation * saturation).clamp_(0, 255)
    if images.shape[1] == 3 and settings.hue:
        from kornia.enhance import adjust_hue

        turn = hue.flatten() * (settings.hue * 2 * torch.pi)
        images = adjust_hue(images / 255, turn).mul_(255).clamp_(0, 255)
    return images.contiguous(memory_format=torch.channels_last)


def _grey(images: Tensor) -> Tensor:
    """How bright each pixel looks, N x 1 x height x width: the weights of ITU-R BT.601 for red, green and blue."""
    if images.shape[1] != 3:
        return images
    red, green, blue = images.unsqueeze(2).unbind(1)
    return 0.299 * red + 0.587 * green + 0.114 * blue
