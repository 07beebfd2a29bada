"""Converts colours from a picture's own colour profile (ICC.1) to sRGB, which everything after it takes for granted.

Cameras and telephones write Adobe RGB or Display P3; read as sRGB, their colours are dull. Colours are converted after
the picture has its final size: little CMS takes many times as long for a photo as OpenCV takes to decode it.
"""

import io
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from darkroom.base.errors import printable

MAX_NAME = 60  # letters
# Colours to try a conversion on: a grid of the cube, and all greys.
_LEVELS = np.array([0, 16, 32, 64, 96, 128, 160, 192, 224, 240, 255], np.uint8)
_GRID = np.stack(np.meshgrid(_LEVELS, _LEVELS, _LEVELS), axis=-1).reshape(-1, 1, 3)
_TRIED = np.concatenate([_GRID, np.arange(256, dtype=np.uint8).repeat(3).reshape(-1, 1, 3)])


Conversion = Callable[[Image.Image], Image.Image]


class Profile(NamedTuple):
    """What a colour profile asks for: nothing (the default), for it is sRGB, or a conversion; or it cannot be used."""

    name: str = ""  # of a profile that is converted
    conversion: Conversion | None = None
    damaged: bool = False


@lru_cache(maxsize=16)  # the pictures of one set mostly carry the same few
def read_profile(content: bytes, mode: str) -> Profile:
    """Read the colour profile of a picture of mode "RGB" or "CMYK".

    A profile counts as sRGB, whatever its name, if it moves no colour by more than one level of 255. One that does not
    fit the mode counts as damaged.
    """
    from PIL import ImageCms  # here, for most pictures have no profile

    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION  # the black of a print becomes black, not dark grey
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(content))
        srgb = ImageCms.createProfile("sRGB")
        conversion = ImageCms.buildTransform(profile, srgb, mode, "RGB", intent, flags).apply
        name = printable(ImageCms.getProfileDescription(profile).strip())[:MAX_NAME] or "without a name"
    except (OSError, ImageCms.PyCMSError):
        return Profile(damaged=True)
    if mode == "RGB" and np.abs(in_srgb(_TRIED, conversion).astype(np.int16) - _TRIED).max() <= 1:
        return Profile()
    return Profile(name, conversion)


def in_srgb(pixels: NDArray[np.uint8], conversion: Conversion) -> NDArray[np.uint8]:
    """Convert RGB pixels (height x width x 3, uint8)."""
    return np.asarray(conversion(Image.fromarray(pixels)), np.uint8)


def profile_of_jpeg(data: bytes) -> Profile:
    """The colour profile of a JPEG of three channels: its APP2 segments, joined by their numbers (ICC.1, annex B.4)."""
    parts: dict[int, bytes] = {}
    count, at = 0, 2
    while at + 18 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:  # the scan begins
        length = data[at + 2] << 8 | data[at + 3]
        if data[at + 1] == 0xE2 and data[at + 4 : at + 16] == b"ICC_PROFILE\0":
            count = data[at + 17]
            parts[data[at + 16]] = data[at + 18 : at + 2 + length]
        at += 1 if data[at + 1] == 0xFF else 2 + length
    if len(parts) != count:
        return Profile(damaged=True)
    return read_profile(b"".join(parts[number] for number in sorted(parts)), "RGB") if parts else Profile()
