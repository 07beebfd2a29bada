"""Opens pictures as a model wants them, each decoded once; it needs no torch, so that it can begin before."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkroom.base.errors import UserError
from darkroom.pictures import cutout
from darkroom.pictures.decoding import BadImage, Header, Pixels, Target, decode, png, read
from darkroom.pictures.resizing import covered

Place = tuple[slice, slice]  # rows and columns
Picture = str | Path | bytes | NDArray[np.uint8]


class Opened(NamedTuple):
    """One picture as the network wants it, and what its head says of the original."""

    stored: Pixels  # height x width x channels, as the network wants it
    aspect: float  # width over height
    channels: int  # more than 2 are colours
    source: str | Path | bytes  # where the original lies, or its bytes
    inverted: bool = False  # whether `stored` is the negative
    covered: Place = cutout.EVERYWHERE  # rows and columns with the picture; the rest is black canvas


@dataclass(frozen=True)
class Reading:
    """How pictures become what a network was trained on.

    `light` says that its signs are light on dark, `extent` which share of an image they fill; both serve `fit` alone.
    """

    target: Target
    light: bool = True
    extent: float = cutout.EXTENT

    def open(self, picture: Picture, *, invert: bool = False, fit: bool = False, name: str | None = None) -> Opened:
        """Read one picture; `invert` takes its negative, `fit` cuts out a sign from its background.

        Raises UserError for a picture that cannot be used; the error calls it by `name`, else by its path.
        """
        name = name or (str(picture) if isinstance(picture, str | Path) else "the picture")
        source = png(picture) if isinstance(picture, np.ndarray) else picture
        data = content(source)
        try:
            pixels, found, place = self._fitted(data, invert) if fit else self._decoded(data, invert)
        except BadImage as error:
            raise UserError(f"{name} cannot be used: {error}") from None
        except UserError as error:  # there is nothing to cut out
            raise UserError(f"{name}: {error}") from None
        height, width = self.target.shape[:2] if fit else (found.height, found.width)
        return Opened(pixels, width / height, found.channels, source, invert, place)

    def _decoded(self, data: bytes, invert: bool) -> tuple[Pixels, Header, Place]:
        pixels, found, _ = decode(data, self.target)
        place = covered((found.height, found.width), self.target.shape, self.target.resize)
        return (cutout.negative(pixels, place) if invert else pixels), found, place

    def _fitted(self, data: bytes, invert: bool) -> tuple[Pixels, Header, Place]:
        pixels, found, _, _ = read(data, self.target.shape[2])
        pixels = cutout.negative(pixels) if invert else pixels
        fitted = cutout.fit(pixels, self.target.shape, light=self.light, extent=self.extent)
        return fitted, found, cutout.EVERYWHERE


def content(source: str | Path | bytes) -> bytes:
    """The bytes of a picture file. Raises UserError where it cannot be read."""
    if isinstance(source, bytes):
        return source
    path = Path(source)
    try:
        return path.read_bytes()
    except IsADirectoryError:
        raise UserError(f"{path} is a folder: name the pictures in it, as in {path}/*") from None
    except FileNotFoundError:
        raise UserError(f"there is no picture {path}") from None
    except OSError as error:  # a file of another user, a broken disk
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
