"""Augmentations of your own: functions of (images, draw), to be named in `augment`. This one is an example."""

from torch import Tensor

from darkroom.augment.randomness import Draw


def noise(images: Tensor, draw: Draw) -> Tensor:
    """Add noise to each pixel, up to 20 grey levels either way, of a strength of its own for each image."""
    strength = 20 * draw.uniform()[0]
    channels, height, width = images.shape[1:]
    each = 2 * draw.field(channels, height, width) - 1
    return (images + strength.view(-1, 1, 1, 1) * each).clamp(0, 255)
