"""The few ways in which some augmentations can change an image at all: exact mirrors, quarter turns, fixed parts.

Where the body of a network stays as it is, it need see each such view of an image but once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from darkroom.augment.pipeline import alternating
from darkroom.augment.randomness import Draw, to_device
from darkroom.config.augmentations import Augmentation, Flip, Turn
from darkroom.config.image_sizes import middle

PARTS = 5  # of an image of which the network sees a part: the middle and the four corners


@dataclass(frozen=True)
class Views:
    """Mirrors and turns in their order, and the part (height, width) of an image that the network sees, if not all.

    A view has a number from 0 to `count` - 1; number 0 is the image's middle, not mirrored and not turned.
    """

    changes: Sequence[Flip | Turn]
    part: tuple[int, int] | None

    @property
    def count(self) -> int:
        """The number of different views."""
        return math.prod(self._ways)

    @property
    def _ways(self) -> list[int]:
        ways = [4 if isinstance(change, Turn) else 2 for change in self.changes]
        return ways if self.part is None else [*ways, PARTS]

    def drawn(self, draw: Draw) -> Tensor:
        """The number of the view of each image of the batch: int64, as many as images, on the draw's device."""
        number = torch.zeros(len(draw.chosen), dtype=torch.int64, device=draw.device)
        chosen = [_chosen(change, draw) for change in self.changes]
        if self.part is not None:
            chosen.append(draw.integers(PARTS)[0])
        for ways, way in zip(self._ways, chosen, strict=True):
            number = number * ways + way
        return number

    def of(self, images: Tensor, number: int) -> Tensor:
        """One view of all these images: uint8, N x height x width x channels, before and after."""
        chosen = []
        for ways in reversed(self._ways):
            number, way = divmod(number, ways)
            chosen.append(way)
        chosen.reverse()
        for change, way in zip(self.changes, chosen, strict=False):
            if isinstance(change, Turn):
                images = images.rot90(way, (1, 2))
            elif way:
                images = images.flip(2 if change.axis == "horizontal" else 1)
        return images if self.part is None else _part(images, self.part, chosen[-1])


def of(augmentations: Sequence[Augmentation], square: bool, part: tuple[int, int] | None) -> Views | None:
    """All views that a list of augmentations makes of images, `square` or not; None if it makes countless ones."""
    changes = [item.settings for item in augmentations]
    exact = [change for change in changes if isinstance(change, Flip) or (isinstance(change, Turn) and square)]
    return Views(exact, part) if len(exact) == len(changes) else None


def _chosen(change: Flip | Turn, draw: Draw) -> Tensor:
    if isinstance(change, Turn):
        return (draw.integers(4)[0] + 1) % 4  # quarter turns; `pipeline.turn` counts them from one
    if change.alternate:
        return to_device(1 - alternating(draw, change.axis), draw.device)
    return (draw.uniform()[0] < change.probability).long()


def _part(images: Tensor, sides: tuple[int, int], way: int) -> Tensor:
    """The middle (0) or a corner (1 to 4) of these images."""
    height, width = images.shape[1:3]
    if way == 0:
        rows, columns = middle((height, width), sides)
    else:
        down, right = divmod(way - 1, 2)
        top, left = down * (height - sides[0]), right * (width - sides[1])
        rows, columns = slice(top, top + sides[0]), slice(left, left + sides[1])
    return images[:, rows, columns]
