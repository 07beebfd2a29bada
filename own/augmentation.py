"""Your own augmentations: functions of (images, draw) that the parameter `augment` names. This one is an example."""

from torch import Tensor

from darkroom.augment.randomness import Draw


def noise(images: Tensor, draw: Draw) -> Tensor:
    """Add uniform noise to each pixel, up to 20 grey levels either way; each image has its own random strength.

    `images` are float32, N x channels x height x width, 0 to 255.
    """
    strength = 20 * draw.uniform()[0]
    channels, height, width = images.shape[1:]
    each = 2 * draw.field(channels, height, width) - 1
    return (images + strength.view(-1, 1, 1, 1) * each).clamp(0, 255)
