"""Brings pixels to the size of the training images, in one of three ways."""

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.config.catalogue import Resize

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
    "number; no side is below 1 pixel; the middle begins at half of what is left over, rounded down."
)


def resize(pixels: NDArray[np.uint8], shape: tuple[int, int, int], how: Resize = "squash") -> NDArray[np.uint8]:
    """Resize pixels (height x width x channels, uint8) to `shape`, which has the same number of channels.

    `squash` ignores proportions; the others keep them, to within half a pixel. `crop` brings the short side to its
    target and takes the centre; `pad` brings the long side to its target and lies in the middle of a black canvas.
    Shrinks by area interpolation, enlarges by bilinear.
    """
    height, width, _ = shape
    if pixels.shape[:2] == (height, width):
        return pixels.reshape(shape)
    if how == "squash":
        return _scaled(pixels, height, width).reshape(shape)
    old_height, old_width = pixels.shape[:2]
    scales = height / old_height, width / old_width
    if how == "crop":
        # What falls outside is cut off first: a picture of one pixel by 5,000 would grow to millions before the cut.
        scale = max(scales)
        rows, columns = _middle(old_height, height / scale), _middle(old_width, width / scale)
        return _scaled(pixels[rows, columns], height, width).reshape(shape)
    canvas = np.zeros(shape, np.uint8)
    inner = canvas[covered((old_height, old_width), shape, how)]
    inner[...] = _scaled(pixels, *inner.shape[:2]).reshape(inner.shape)
    return canvas


def covered(size: tuple[int, int], shape: tuple[int, int, int], how: Resize) -> tuple[slice, slice]:
    """The rows and columns in which a picture of this `size` (height, width) lies once `resize` has brought it here."""
    height, width, _ = shape
    if how != "pad":
        return slice(0, height), slice(0, width)
    scale = min(height / size[0], width / size[1])
    return _middle(height, size[0] * scale), _middle(width, size[1] * scale)


def _middle(side: int, length: float) -> slice:
    """The middle `length` of a side, rounded to whole pixels, at least 1."""
    pixels = min(side, max(1, round(length)))
    start = (side - pixels) // 2
    return slice(start, start + pixels)


def _scaled(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """`pixels` with this height and width; one channel loses its axis."""
    if pixels.shape[:2] == (height, width):
        return np.ascontiguousarray(pixels)  # not a view, which would keep the whole picture in memory
    shrinks = pixels.shape[0] >= height and pixels.shape[1] >= width
    scaled = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(scaled, np.uint8)
