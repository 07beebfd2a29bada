"""Makes pictures look like the training images: negatives, and photos of one dark or light sign on a background."""

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.base.errors import UserError
from darkroom.pictures.decoding import Pixels

WORKING_SIDE = 400  # pixels; the longer side of a photo while the background is estimated
ROUNDS = 10  # of the fit of the background; each leaves out the pixels that stand out from the last fit
EVERYWHERE = (slice(None), slice(None))
EXTENT = 20 / 28  # as in MNIST, whose digits fill a box of 20 pixels in images of 28


def negative(pixels: Pixels, where: tuple[slice, slice] = EVERYWHERE) -> Pixels:
    """The negative of an image: white for black and black for white; all but the rows and columns `where` stays."""
    found = pixels.copy()
    found[where] = 255 - found[where]
    return found


def fit(pixels: Pixels, shape: tuple[int, int, int], *, light: bool, extent: float = EXTENT) -> Pixels:
    """Cut out the sign on an even or slowly shaded background, and place it as MNIST places its digits.

    `pixels` and the result are height x width x channels, uint8; the result has `shape`. The background is a quadratic
    surface, fitted to the pixels that do not stand out from it, and is subtracted; contrast is stretched. The sign is
    scaled, with its proportions, until its longer side is the share `extent` of the image, and its centre of mass is
    placed in the middle (LeCun et al. 1998, doi:10.1109/5.726791). It is bright on black if `light` is true, else dark
    on white.

    Raises UserError if `shape` has more than one channel, and if nothing stands out from the background.
    """
    height, width, channels = shape
    if channels != 1:
        raise UserError("--fit makes grey pictures of one sign, but this model was trained on colour: leave it out")
    # 1. Find the sign, in a small version of the photo.
    grey = _grey(pixels).astype(np.float32)
    factor = WORKING_SIDE / max(grey.shape)
    if factor < 1:
        size = tuple(max(1, round(side * factor)) for side in grey.shape[::-1])
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    sign = _sign(grey)
    rows, columns = np.flatnonzero(sign.any(axis=1)), np.flatnonzero(sign.any(axis=0))
    if not len(rows):
        raise UserError("nothing stands out from the ground, so that there is nothing to fit")
    # 2. Cut it out and scale it to its share of the image, at full contrast.
    sign = sign[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    factor = min(extent * height / sign.shape[0], extent * width / sign.shape[1])
    size = (max(1, round(sign.shape[1] * factor)), max(1, round(sign.shape[0] * factor)))
    sign = cv2.resize(sign, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    sign = (255 * sign / sign.max()).round().astype(np.uint8)
    # 3. Set its centre of mass in the middle.
    placed = np.zeros((height, width), np.uint8)
    top, left = _place(sign.sum(axis=1), height), _place(sign.sum(axis=0), width)
    placed[top : top + sign.shape[0], left : left + sign.shape[1]] = sign
    return (placed if light else negative(placed))[..., np.newaxis]


def _grey(pixels: Pixels) -> Pixels:
    if pixels.shape[2] == 1:
        return pixels[..., 0]
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)


def _sign(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far each pixel stands out from the background, 0 to 1: the dark pixels or the bright ones, whichever do more.

    `grey` and the result are height x width.
    """
    # 1. Find the pixels that differ from the background by more than noise, on the dark or the bright side.
    difference = cv2.GaussianBlur(grey, (0, 0), max(grey.shape) / 300) - _background(grey)
    noise = 1.4826 * float(np.median(np.abs(difference)))  # the standard deviation, if the noise is normal
    threshold = max(4 * noise, 12)  # grey levels
    dark, bright = (float(np.maximum(side - threshold, 0).sum()) for side in (-difference, difference))
    difference = -difference if dark > bright else difference
    if not (difference > threshold).any():
        return np.zeros_like(difference)
    # 2. Turn difference into strength; a tenth of the pixels that stand out get full strength.
    full = float(np.quantile(difference[difference > threshold], 0.9))
    strength = np.clip((difference - threshold / 2) / max(full - threshold / 2, 1), 0, 1)
    # 3. Remove specks: pieces with less than a twentieth of the area of the largest.
    count, pieces, statistics, _ = cv2.connectedComponentsWithStats((strength > 0.3).astype(np.uint8), connectivity=8)
    if count == 1:
        return np.zeros_like(difference)
    areas = statistics[:, cv2.CC_STAT_AREA]
    kept = areas >= 0.05 * areas[1:].max()
    kept[0] = False
    # The soft edge of a piece belongs to it.
    near = cv2.dilate(kept[pieces].astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.asarray(strength * near, np.float32)


def _background(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """The quadratic surface through most pixels, by least squares without the pixels that stand out."""
    height, width = grey.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    values = grey.reshape(-1).astype(np.float64)
    # The first guess is level: a sign that fills a third of the picture would tilt a free surface.
    surface = np.full_like(values, np.median(values))
    for iteration in range(ROUNDS):
        difference = np.abs(values - surface)
        inliers = difference <= max(2.5 * 1.4826 * float(np.median(difference)), 2)
        count = 3 if iteration < ROUNDS // 2 else 6  # of terms: a plane first
        weights = np.linalg.lstsq(terms[inliers, :count], values[inliers], rcond=None)[0]
        surface = terms[:, :count] @ weights
    return surface.reshape(height, width).astype(np.float32)


def _place(mass: NDArray[np.uint64], side: int) -> int:
    """Where a line of pixels begins, so that its centre of mass is in the middle of `side`, or as near as possible."""
    centre = float((np.arange(len(mass)) * mass).sum() / mass.sum())
    return int(np.clip(round((side - 1) / 2 - centre), 0, side - len(mass)))
