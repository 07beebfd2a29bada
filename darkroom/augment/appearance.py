"""Augmentations that change pixel values: blur, colour, erase, salt and pepper. `pipeline` gives the form of images."""

import torch
from torch import Tensor

from darkroom.augment import operations
from darkroom.augment.arithmetic import gaussians
from darkroom.augment.randomness import Draw, rectangles
from darkroom.config.augmentations import Color, Erase


def blur(images: Tensor, draw: Draw, low: float, high: float) -> Tensor:
    """Gaussian blur; each image's standard deviation is uniform from `low` to `high` pixels.

    Two matrix products do it, so the cost does not depend on the deviation. At the border, the weights of the pixels
    inside the image are scaled to sum to one.
    """
    deviation = low + draw.uniform()[0] * (high - low)
    rows, columns = (gaussians(side, deviation) for side in images.shape[2:])
    rows, columns = rows / rows.sum(2, keepdim=True), columns / columns.sum(2, keepdim=True)
    blurred = rows.unsqueeze(1) @ images @ columns.mT.unsqueeze(1)
    return blurred.clamp_(0, 255).contiguous(memory_format=torch.channels_last)


def color(images: Tensor, draw: Draw, settings: Color) -> Tensor:
    """Change brightness, contrast, saturation and hue, in this order; values are clipped to 0 to 255 after each.

    Brightness multiplies all values, contrast the distance from the image's mean grey, saturation the distance from
    the pixel's own grey; hue turns the colour circle of HSV. Images of one channel have no saturation and hue.
    """
    drawn = draw.uniform(4) * 2 - 1
    brightness, contrast, saturation, hue = drawn.view(4, -1, 1, 1, 1)
    images = images.contiguous()  # a channel at a time is faster
    if settings.brightness:
        images = operations.brightness(images, 1 + settings.brightness * brightness)
    if settings.contrast:
        images = operations.contrast(images, 1 + settings.contrast * contrast)
    if images.shape[1] == 3 and settings.saturation:
        images = operations.saturation(images, 1 + settings.saturation * saturation)
    if images.shape[1] == 3 and settings.hue:
        images = _turn_hue(images, settings.hue * hue).clamp_(0, 255)
    return images.contiguous(memory_format=torch.channels_last)


def _turn_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue of each image by `turn` (N x 1 x 1 x 1; 1 is the whole circle). Grey pixels do not change.

    A pixel keeps the values of its largest and smallest channel, so it keeps value and saturation. Smith 1978, "Color
    Gamut Transform Pairs", doi:10.1145/800248.807361, with the hue in sixths of the circle: red at 0, green at 2, blue
    at 4.
    """
    red, green, blue = images.unsqueeze(2).unbind(1)
    largest, smallest = images.amax(1, keepdim=True), images.amin(1, keepdim=True)
    spread = largest - smallest
    # 1. The hue: how far the pixel leans from its largest channel to one of the two beside it; for grey any number.
    of_green = (blue - red) / spread + 2
    of_blue = (red - green) / spread + 4
    hue = torch.where(largest == red, (green - blue) / spread, torch.where(largest == green, of_green, of_blue))
    hue = (hue + 6 * turn).nan_to_num_(0.0).remainder_(6)
    # 2. The channels: each is largest up to one sixth from its own hue, smallest beyond two sixths, linear in between.
    #    Red lies at both ends of the scale, so its slopes have the other sign.
    shares = torch.cat([(hue - 3).abs_() - 1, 2 - (hue - 2).abs_(), 2 - (hue - 4).abs_()], dim=1)
    return torch.addcmul(smallest, spread, shares.clamp_(0, 1))


def erase(images: Tensor, draw: Draw, settings: Erase, mean: Tensor) -> Tensor:
    """Cover a rectangle inside each image: its area is uniform, its ratio of height to width log-uniform.

    A ratio that does not fit into the image is replaced by the nearest that does; Zhong et al. 2017, arXiv:1708.04896,
    draw again instead. `mean` has one value per channel.
    """
    _, channels, height, width = images.shape
    covered = []  # rows, then columns; the rectangle is where they cross
    for side, (first, number) in zip(
        (height, width), rectangles(draw, (height, width), settings.scale, settings.ratio), strict=True
    ):
        pixel = torch.arange(side, device=images.device) - first.unsqueeze(1)
        covered.append(((pixel >= 0) & (pixel < number.unsqueeze(1))).float())
    inside = covered[0][:, None, :, None] * covered[1][:, None, None, :]
    if settings.fill == "noise":
        filling = draw.field(channels, height, width) * 255
    else:
        filling = mean.view(-1, 1, 1) if settings.fill == "mean" else torch.zeros((), device=images.device)
    return torch.lerp(images, filling, inside).contiguous(memory_format=torch.channels_last)


def salt_and_pepper(images: Tensor, draw: Draw, share: float) -> Tensor:
    """Set pixels to 0 or 255, all channels at once; each image's part of such pixels is uniform from 0 to `share`."""
    part = (draw.uniform()[0] * share).view(-1, 1, 1, 1)
    field = draw.field(1, *images.shape[2:])
    # A blend with weights 0 and 1 is exact, and faster than `where`, whose branches a CPU cannot predict.
    blended = torch.lerp(images, (field >= part / 2) * 255.0, (field < part).float())
    return blended.contiguous(memory_format=torch.channels_last)
