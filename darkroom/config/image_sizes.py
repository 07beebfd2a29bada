"""Sizes of images: how a file gives one, which part of an image a network can see, and the middle of an image."""

from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from darkroom.base.errors import UserError
from darkroom.base.words import by

Side = Annotated[int, Field(ge=1, le=4096)]


def _two(size: int | list[int]) -> int | list[int]:
    if isinstance(size, list) and len(size) != 2:
        raise ValueError(f"{size} must be one number, or [height, width]")
    return size


ImageSize = Annotated[Side | list[Side], AfterValidator(_two)]  # one number, or [height, width]


def sides(size: int | list[int]) -> tuple[int, int]:
    """Height and width."""
    return (size[0], size[1]) if isinstance(size, list) else (size, size)


def check_seen(
    seen: Sequence[int], stored: Sequence[int], layers: str, dataset: str, name: Callable[[str], str]
) -> None:
    """Raise UserError where a network cannot see this much (height, width, ...) of an image stored in this shape.

    `layers` are those of a cnn, else empty; `name` is how messages call a key.
    """
    if seen[0] > stored[0] or seen[1] > stored[1]:
        raise UserError(
            f"{name('model.input_size')} is {by(seen[:2])} (height x width), but images of {dataset} are stored as "
            f"{by(stored[:2])}: it can be that at most; a larger image_size in the data set's entry stores more"
        )
    side, halvings = min(seen[:2]), layers.count("P")
    if side >> halvings == 0:
        raise UserError(
            f"{name('model.layers')} is {layers!r}, which halves the image {halvings} times, but one "
            f"of {dataset} is only {side} pixels on its shorter side: leave out a P"
        )


def middle(whole: Sequence[int], part: Sequence[int]) -> tuple[slice, slice]:
    """The rows and columns of the middle of an image; `whole` and `part` begin with a height and a width."""
    top, left = ((whole[axis] - part[axis]) // 2 for axis in (0, 1))
    return slice(top, top + part[0]), slice(left, left + part[1])
