"""Your own networks: functions that build one, which the parameter `model.name` names. This one is an example."""

from torch import Tensor, nn


def residual(shape: tuple[int, int, int]) -> nn.Module:
    """A small residual network (He et al. 2015, arXiv:1512.03385) from images to 64 features each.

    `shape` is height, width, channels of an image. Darkroom adds the last layer, from features to classes.
    """
    _, _, channels = shape
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        Block(32),
        nn.Conv2d(32, 64, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        Block(64),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


class Block(nn.Module):
    """Two convolutions, whose result is added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.activation = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.activation(images + self.change(images))
        return found
