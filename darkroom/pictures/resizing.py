"""Brings pixels to the size of the training images, in one of three ways.

The part of a picture that is kept, and where it goes, follow from its original size alone. So a picture that was
decoded at a fraction of its size gives the same part as the whole one.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.config.catalogue import Resize
from darkroom.config.image_sizes import middle

# What `resize` does, for those who bring pictures to size without it; w x h is the picture, W x H the wanted size.
IN_WORDS: dict[Resize, str] = {
    "squash": "scale the picture from w x h to W x H, whatever its proportions",
    "crop": "with s = max(W/w, H/h), cut the middle min(w, round(W/s)) x min(h, round(H/s)) pixels out of the "
    "picture, then scale them to W x H",
    "pad": "with s = min(W/w, H/h), scale the picture to min(W, round(w*s)) x min(H, round(h*s)) pixels, then lay "
    "it in the middle of a black image of W x H",
}
HOW_TO_SCALE = (
    "Scale with OpenCV: INTER_AREA where neither side grows, else INTER_LINEAR. round() takes a half to the even "
    "number; no side is below 1 pixel; the middle begins at half of what is left over, rounded down, and where a part "
    "that is cut out is at least 16, 8 or 4 times W x H on both sides, at the nearest multiple of 8, 4 or 2 (a half "
    "rounds up)."
)
FACTORS = (8, 4, 2)  # by which libjpeg decodes smaller, the largest first
SPARE = 2  # times the pixels that are needed: area interpolation from fewer shows the decoder's own rounding


class Reduced(NamedTuple):
    """How pixels came to be fewer: each stands for a block of `factor` x `factor` pixels of the original.

    `mirrored` says for each axis (rows, columns) whether the blocks are counted from its end, as in a picture that was
    turned after it was decoded. The last block may reach beyond the original.
    """

    factor: int
    size: tuple[int, int]  # height and width of the original
    mirrored: tuple[bool, bool] = (False, False)


class _Axis(NamedTuple):
    """One axis of a picture: the length that is kept of its side, and the pixels that it becomes."""

    side: int
    kept: int
    filled: int


def reduction(size: tuple[int, int], shape: tuple[int, int, int], how: Resize) -> int:
    """The largest factor that leaves each side of what is kept of a picture (height, width) twice what is needed.

    8, 4 or 2; or 1, which is none.
    """
    axes = _axes(size, shape, how)
    fits = (factor for factor in FACTORS if all(axis.kept >= SPARE * factor * axis.filled for axis in axes))
    return next(fits, 1)


def resize(
    pixels: NDArray[np.uint8], shape: tuple[int, int, int], how: Resize = "squash", reduced: Reduced | None = None
) -> NDArray[np.uint8]:
    """Resize pixels (height x width x channels, uint8) to `shape`, which has the same number of channels.

    `squash` ignores proportions; the others keep them, to within half a pixel. `crop` brings the short side to its
    target and takes the centre; `pad` brings the long side to its target and lies in the middle of a black canvas.
    Shrinks by area interpolation, enlarges by bilinear. `reduced` says that the pixels are fewer than the picture's,
    by the factor of `reduction`.
    """
    if pixels.shape[:2] == shape[:2] and reduced is None:
        return pixels.reshape(shape)
    size = reduced.size if reduced else pixels.shape[:2]
    rows, columns = axes = _axes(size, shape, how)
    if reduced:
        scaled = _scaled_blocks(pixels, axes, reduced)
    else:
        # What falls outside is cut off first: a picture of one pixel by 5,000 would grow to millions before the cut.
        factor = reduction(size, shape, how) if how == "crop" else 1
        top, left = _start(rows, factor), _start(columns, factor)
        kept = pixels[top : top + rows.kept, left : left + columns.kept]
        scaled = _scaled(kept, rows.filled, columns.filled)
    if how != "pad":
        return scaled.reshape(shape)
    canvas = np.zeros(shape, np.uint8)
    inner = canvas[covered(size, shape, how)]
    inner[...] = scaled.reshape(inner.shape)
    return canvas


def covered(size: tuple[int, int], shape: tuple[int, int, int], how: Resize) -> tuple[slice, slice]:
    """The rows and columns in which a picture of this `size` (height, width) lies once `resize` has brought it here."""
    rows, columns = _axes(size, shape, how)
    return middle(shape, (rows.filled, columns.filled))


def _axes(size: tuple[int, int], shape: tuple[int, int, int], how: Resize) -> tuple[_Axis, _Axis]:
    """Rows and columns of a picture (height, width) that is to get `shape`; no length is 0."""
    (height, width), (to_height, to_width) = size, shape[:2]
    if how == "squash":
        return _Axis(height, height, to_height), _Axis(width, width, to_width)
    scales = to_height / height, to_width / width
    if how == "crop":
        kept = [min(side, max(1, round(target / max(scales)))) for side, target in zip(size, shape, strict=False)]
        return _Axis(height, kept[0], to_height), _Axis(width, kept[1], to_width)
    filled = [min(target, max(1, round(side * min(scales)))) for side, target in zip(size, shape, strict=False)]
    return _Axis(height, height, filled[0]), _Axis(width, width, filled[1])


def _start(axis: _Axis, factor: int) -> int:
    """Where the middle of a side begins: at the border of a block, whether the picture is reduced or not."""
    return ((axis.side - axis.kept) // 2 + factor // 2) // factor * factor


def _scaled_blocks(pixels: NDArray[np.uint8], axes: tuple[_Axis, _Axis], reduced: Reduced) -> NDArray[np.uint8]:
    """The kept part of reduced pixels, scaled; one channel loses its axis."""
    factor = reduced.factor
    # 1. Count from where the decoder counted its blocks.
    ways = tuple(slice(None, None, -1 if mirrored else 1) for mirrored in reduced.mirrored)
    # 2. Take the blocks that hold the part: the first begins where it does, the last may reach beyond it.
    first = [_start(axis, factor) // factor for axis in axes]
    count = [-(-axis.kept // factor) for axis in axes]
    part = pixels[ways][first[0] : first[0] + count[0], first[1] : first[1] + count[1]]
    # 3. By the scale of the part itself, not of the blocks, OpenCV gives the last block its true share.
    scale = [axis.filled * factor / axis.kept for axis in axes]
    scaled = cv2.resize(
        np.ascontiguousarray(part), None, fx=scale[1], fy=scale[0], interpolation=cv2.INTER_AREA
    )  # fmt: skip
    return np.ascontiguousarray(scaled[ways], np.uint8)


def _scaled(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """`pixels` with this height and width; one channel loses its axis."""
    if pixels.shape[:2] == (height, width):
        return np.ascontiguousarray(pixels)  # not a view, which would keep the whole picture in memory
    shrinks = pixels.shape[0] >= height and pixels.shape[1] >= width
    scaled = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(scaled, np.uint8)
