"""Changes of values: blur, colour, erased rectangles, salt and pepper. Images are as `pipeline` says."""

import math

import torch
from torch import Tensor

from darkroom.augment.arithmetic import bell, root
from darkroom.augment.randomness import Draw
from darkroom.config.augmentations import Color, Erase


def blur(images: Tensor, draw: Draw, low: float, high: float) -> Tensor:
    """Gaussian blur, for each image with a deviation drawn evenly from `low` to `high` pixels.

    As two products with matrices, whose cost does not depend on the deviation; at the border the weights of the
    pixels that are there are scaled to sum to one.
    """
    deviation = low + draw.uniform()[0] * (high - low)
    rows, columns = (bell(side, deviation) for side in images.shape[2:])
    rows, columns = rows / rows.sum(2, keepdim=True), columns / columns.sum(2, keepdim=True)
    blurred = rows.unsqueeze(1) @ images @ columns.mT.unsqueeze(1)
    return blurred.clamp_(0, 255).contiguous(memory_format=torch.channels_last)


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
        images = _turn_hue(images, settings.hue * hue).clamp_(0, 255)
    return images.contiguous(memory_format=torch.channels_last)


def _grey(images: Tensor) -> Tensor:
    """How bright each pixel looks, N x 1 x height x width: the weights of ITU-R BT.601 for red, green and blue."""
    if images.shape[1] != 3:
        return images
    red, green, blue = images.unsqueeze(2).unbind(1)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def _turn_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue of each image by `turn` (N x 1 x 1 x 1, 1 being the whole circle); the grey ones have none.

    Largest and smallest channel of a pixel stay, so do value and saturation. Smith 1978, "Color Gamut Transform
    Pairs", doi:10.1145/800248.807361, with the hue in sixths of the circle: red at 0, green at 2, blue at 4.
    """
    red, green, blue = images.unsqueeze(2).unbind(1)
    largest, smallest = images.amax(1, keepdim=True), images.amin(1, keepdim=True)
    spread = largest - smallest
    # 1. The hue: how far the pixel leans from its largest channel to one of the two beside it. Of grey it is anything.
    of_green = (blue - red) / spread + 2
    of_blue = (red - green) / spread + 4
    hue = torch.where(largest == red, (green - blue) / spread, torch.where(largest == green, of_green, of_blue))
    hue = (hue + 6 * turn).nan_to_num_(0.0).remainder_(6)
    # 2. The channels: each is largest within a sixth of its own hue, smallest beyond two, and between them a slope.
    #    Red lies at both ends of the scale, so its slopes are the other way round.
    shares = torch.cat([(hue - 3).abs_() - 1, 2 - (hue - 2).abs_(), 2 - (hue - 4).abs_()], dim=1)
    return torch.addcmul(smallest, spread, shares.clamp_(0, 1))


def erase(images: Tensor, draw: Draw, settings: Erase, mean: Tensor) -> Tensor:
    """Cover a rectangle of each image, wholly inside it: area even in its range, ratio of the sides even in its log.

    Where a ratio (height over width) would not fit the image, the nearest that does is taken. Zhong et al. 2017,
    arXiv:1708.04896, who draw again instead.
    """
    _, channels, height, width = images.shape
    drawn = draw.uniform(4)
    # 1. Area, and a ratio of the sides that fits it.
    area = (settings.scale[0] + drawn[0] * (settings.scale[1] - settings.scale[0])) * (height * width)
    low, high = (
        torch.full_like(area, math.log(ratio)).clamp((area / width**2).log(), (height**2 / area).log())
        for ratio in settings.ratio
    )
    ratio = torch.exp(low + drawn[1] * (high - low))
    # 2. Which rows and columns are covered; the rectangle is where both are.
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
