"""Operations on pixel values, with a value given for each image; `color` and the policies run them.

Images are float32, N x channels x height x width, 0 to 255; so are the results, in new memory. A CPU is several times
as fast where they lie channel after channel in memory, not in channels_last. Factors, bits and thresholds have the
shape N x 1 x 1 x 1. The operations are PIL's (ImageEnhance, ImageOps), as torchvision's are, on values that need not be
whole.
"""

import torch
from torch import Tensor


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply all values by the factor."""
    return (images * factor).clamp_(0, 255)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply the distance of all values from the image's mean grey by the factor."""
    return torch.lerp(grey(images).mean((1, 2, 3), keepdim=True), images, factor).clamp_(0, 255)


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply the distance of each pixel's values from its own grey by the factor; grey images stay as they are."""
    return torch.lerp(grey(images), images, factor).clamp_(0, 255)


def grey(images: Tensor) -> Tensor:
    """The brightness of each pixel, N x 1 x height x width: ITU-R BT.601's weighted sum of red, green and blue."""
    if images.shape[1] != 3:
        return images
    red, green, blue = images.unsqueeze(2).unbind(1)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def sharpness(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply the distance of each pixel from a smoothed image by the factor; the outermost pixels stay as they are.

    The smoothed image weighs a pixel by 5 and its eight neighbours by 1.
    """
    changed = images.clone()
    if min(images.shape[2:]) < 3:
        return changed
    inner = images[:, :, 1:-1, 1:-1]
    rows = images[:, :, :-2] + images[:, :, 1:-1] + images[:, :, 2:]
    smooth = (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]).add_(inner, alpha=4).div_(13)
    changed[:, :, 1:-1, 1:-1] = torch.lerp(smooth, inner, factor).clamp_(0, 255)
    return changed


def posterize(images: Tensor, bits: Tensor) -> Tensor:
    """Keep only the upper `bits` (int64) of the eight of each value, rounded first: 127.999 is 128."""
    step = (1 << (8 - bits)).to(images.dtype)
    return images.round().div_(step).floor_().mul_(step)


def solarize(images: Tensor, threshold: Tensor) -> Tensor:
    """Invert the values that, rounded, reach the threshold."""
    # A blend with weights 0 and 1 is exact, and faster than `where`.
    return torch.lerp(images, 255 - images, (images.round() >= threshold).to(images.dtype))


def autocontrast(images: Tensor) -> Tensor:
    """Stretch the values of each channel to the whole range; a channel of one value stays as it is."""
    values = images.flatten(2)
    darkest, brightest = values.amin(2)[..., None, None], values.amax(2)[..., None, None]
    spread = brightest - darkest
    darkest, factor = torch.where(spread > 0, darkest, 0.0), torch.where(spread > 0, 255 / spread, 1.0)
    return (images - darkest).mul_(factor).clamp_(0, 255)


def equalize(images: Tensor) -> Tensor:
    """Give each channel about equally many pixels of each value; values are rounded first.

    PIL's way: the pixels other than those of the channel's largest value are dealt out in steps of a 255th of their
    number. A channel with fewer of them than 255 stays as it is.
    """
    # 1. Count the pixels of each value, N x channels x 256.
    values = images.round().long().flatten(2)
    counts = torch.zeros((*values.shape[:2], 256), dtype=torch.int64, device=images.device)
    counts.scatter_add_(2, values, counts.new_ones(1).expand_as(values))
    # 2. The new value of each: how many steps of pixels are darker.
    upto = counts.cumsum(2)
    largest = counts.gather(2, upto.argmax(2, keepdim=True))
    step = (values.shape[2] - largest).div_(255, rounding_mode="floor")
    darker = upto - counts
    new = ((darker + step // 2) // step.clamp_min(1)).clamp_max_(255)
    # 3. Look them up.
    equalized = new.to(images.dtype).gather(2, values).view(images.shape)
    return torch.where(step.unsqueeze(3) > 0, equalized, images)
