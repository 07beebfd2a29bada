"""Decodes a picture file to a uint8 array of the wanted size and channels; its first bytes tell the format.

OpenCV decodes JPEG and PNG, the usual formats, seven times faster than Pillow on small files. Pillow decodes all other
formats, and files that OpenCV would misread without an error (transparency, CMYK). What is unusual about a file, and
what was made of it, is noted.
"""

import struct
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from darkroom.base.errors import UserError
from darkroom.config.catalogue import Resize
from darkroom.pictures.colour_profiles import Conversion, in_srgb, profile_of_jpeg
from darkroom.pictures.depth import ValueRange, to_8_bits
from darkroom.pictures.dicom import decode_dicom, is_dicom, probe_dicom
from darkroom.pictures.notes import NOTHING, Notes, said
from darkroom.pictures.notes import BadImage as BadImage  # for its callers, which know no other module of this room
from darkroom.pictures.orientation import TURNED, mirrored, orientation_of
from darkroom.pictures.pillow_decoding import decode_with_pillow, opened_by_pillow, profile_of_png
from darkroom.pictures.resizing import SPARE, Reduced, reduction, resize

Pixels = NDArray[np.uint8]  # height, width, channels

JPEG = (".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".pjp")
SUFFIXES = frozenset({*JPEG, ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"})
SUFFIXES |= {".heic", ".heif", ".avif", ".dcm", ".dicom"}
MAX_PIXELS = 50_000_000

# `intake.packing` decodes many files at once; OpenCV's own threads would compete with its pool.
cv2.setNumThreads(1)
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # BadImage reports a damaged file

# Flags to be added to grey or to colour: their names say grey, but each is a bit of its own, and the one way to reduced
# colours as RGB.
REDUCED = {
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}

_PNG_HEADER = struct.Struct(">8s4s4sIIBB")
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
# Markers of a JPEG's frame header.
_JPEG_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive: libjpeg decodes these
_JPEG_OTHER_FRAMES = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})


class Header(NamedTuple):
    """What a file says of its picture: size in pixels, and channels (1 grey, 2 grey with alpha, 3 colour, 4 with alpha
    or CMYK)."""

    width: int
    height: int
    channels: int
    plain: bool  # OpenCV reads it right, and nothing about it is worth a note


@dataclass(frozen=True, slots=True)
class Target:
    """What a picture file is to become."""

    shape: tuple[int, int, int]  # height, width, channels: 1 is grey, 3 are RGB
    resize: Resize = "squash"
    range: ValueRange = None  # as in `depth.to_8_bits`; pictures of 8 bits are left alone
    max_pixels: int = MAX_PIXELS


def looks_like_image(path: str) -> bool:
    """Whether a path has the ending of a picture file and is not hidden."""
    dot = path.rfind(".")
    return path[dot:].lower() in SUFFIXES and not is_hidden(path)


def is_hidden(path: str) -> bool:
    """Whether file managers hide a file with this path."""
    return path.startswith((".", "__MACOSX/")) or "/." in path or "/__MACOSX/" in path


def decode(data: bytes, target: Target) -> tuple[Pixels, Header, Notes]:
    """Decode a picture file to pixels of `target.shape` (uint8); also give its header, upright, and what was noted.

    16 bits become 8, a transparent background becomes white, a colour profile is converted to sRGB where colours are
    wanted, an animation gives its first frame, EXIF orientation is applied, DICOM is shown as its viewers show it
    (`dicom`). A JPEG that is much larger than its target is decoded at a fraction of its size. Raises BadImage.
    """
    header = _checked(probe(data), target.max_pixels)
    reduced = _reduction(data, header, target)
    factor = reduced.factor if reduced else 1
    pixels, found, notes, conversion = _read(data, header, target.shape[2], target.range, factor)
    if reduced and pixels.shape[:2] != tuple(-(-side // factor) for side in reduced.size):
        # OpenCV has turned it otherwise than `orientation` tells.
        reduced = None
        pixels, found, notes, conversion = _read(data, header, target.shape[2], target.range)
    if reduced:
        found = header._replace(height=reduced.size[0], width=reduced.size[1])
    pixels = resize(pixels, target.shape, target.resize, reduced)
    return (pixels if conversion is None else in_srgb(pixels, conversion)), found, notes


def read(
    data: bytes, channels: int, max_pixels: int = MAX_PIXELS, value_range: ValueRange = None
) -> tuple[Pixels, Header, Notes, Conversion | None]:
    """Decode a picture file in its own size to 1 or 3 channels, else as `decode`. Raises BadImage.

    Last comes the conversion to sRGB that is left to do, once the pixels have their final size.
    """
    return _read(data, _checked(probe(data), max_pixels), channels, value_range)


def _checked(header: Header, max_pixels: int) -> Header:
    if header.width * header.height > max_pixels:
        raise BadImage(f"it is {header.width}x{header.height}, more than extract.max_pixels allows")
    return header


def _reduction(data: bytes, header: Header, target: Target) -> Reduced | None:
    """How much smaller a file can be decoded (scaled inverse DCT, JPEG alone); None where it cannot.

    It must stay large enough for the target: `resizing.reduction`.
    """
    if data[:2] != b"\xff\xd8" or header.channels not in (1, 3):
        return None
    stored = header.height, header.width
    if max(stored) < SPARE * 2 * min(target.shape[:2]):
        return None  # as most small pictures
    orientation = orientation_of(data)
    size = stored[::-1] if orientation in TURNED else stored
    factor = reduction(size, target.shape, target.resize)
    return Reduced(factor, size, mirrored(orientation)) if factor > 1 else None


def _read(
    data: bytes, header: Header, channels: int, value_range: ValueRange, factor: int = 1
) -> tuple[Pixels, Header, Notes, Conversion | None]:
    """As `read`, with the header at hand; a JPEG at 1/`factor` of its size (1, 2, 4, 8)."""
    kind = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB
    if header.plain:
        pixels, notes, conversion = _decode_with_opencv(data, kind | REDUCED[factor]), NOTHING, None
    else:
        pixels, notes, conversion = _decode_unusual(data, header, kind, value_range, factor)
    if pixels.shape[:2] != (header.height, header.width):  # EXIF orientation has turned the picture
        header = header._replace(height=pixels.shape[0], width=pixels.shape[1])
    return (pixels if channels == 3 else pixels[:, :, np.newaxis]), header, notes, conversion


def png(array: Pixels) -> bytes:
    """Encode an array (uint8, height x width or height x width x 1 or 3) as a PNG file. Raises UserError for others."""
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3)):
        raise UserError(
            f"an array of {array.dtype} and shape {array.shape} is no picture: wanted is uint8, "
            "height x width or height x width x 1 or 3"
        )
    if not array.size:
        raise UserError(f"an array of shape {array.shape} is no picture: it has no pixels")
    grey = array.ndim == 2 or array.shape[2] == 1
    return cv2.imencode(".png", array if grey else cv2.cvtColor(array, cv2.COLOR_RGB2BGR))[1].tobytes()


def probe(data: bytes) -> Header:
    """Read size and channels from the head of a file, without decoding it. Raises BadImage."""
    if data[:2] == b"\xff\xd8":
        return _probe_jpeg(data)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return _probe_png(data)
    return _probe_other(data)


def _probe_jpeg(data: bytes) -> Header:
    # The pictures of one set mostly begin with the same bytes, so the cache often knows the first 256.
    header = _jpeg_head(data[:256]) or _jpeg_head.__wrapped__(data)
    if header is None:
        raise BadImage("it is cut short or no JPEG")
    return header


@lru_cache(maxsize=256)
def _jpeg_head(data: bytes) -> Header | None:
    """The size in the frame header; None if `data` ends before it. ISO/IEC 10918-1, annex B."""
    at, end, has_profile = 2, len(data) - 9, False
    while at < end and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _JPEG_FRAMES:
            height, width, channels = (
                data[at + 5] << 8 | data[at + 6],
                data[at + 7] << 8 | data[at + 8],
                data[at + 9],
            )
            return _sized(width, height, channels, plain=channels != 4 and not has_profile)
        if marker in _JPEG_OTHER_FRAMES:
            raise BadImage("it is a lossless or arithmetic-coded JPEG, which is not supported: save it as usual JPEG")
        if marker == 0xE2 and data[at + 4 : at + 16] == b"ICC_PROFILE\0":
            has_profile = True
        at += 1 if marker == 0xFF else 2 + (data[at + 2] << 8 | data[at + 3])
    return None


def _probe_png(data: bytes) -> Header:
    if len(data) < _PNG_HEADER.size or data[12:16] != b"IHDR":
        raise BadImage("it is cut short or no PNG")
    *_, width, height, bits, colour = _PNG_HEADER.unpack_from(data)
    if colour not in _PNG_CHANNELS:
        raise BadImage("it is no valid PNG")
    _check_chunks(data)
    head = data[33 : data.find(b"IDAT", 33)]
    plain = bits <= 8 and colour not in (4, 6) and b"tRNS" not in head and b"iCCP" not in head
    return _sized(width, height, _PNG_CHANNELS[colour], plain=plain)


def _has_alpha(data: bytes) -> bool:
    """Whether a PNG has an alpha channel, or names a colour that is transparent."""
    return data[25] in (4, 6) or b"tRNS" in data[33 : data.find(b"IDAT", 33)]


def _check_chunks(data: bytes) -> None:
    """Refuse a PNG with a chunk longer than the file: OpenCV would allocate its declared length, up to 4 GB."""
    at = 8
    while at + 8 <= len(data) and data[at : at + 8] != b"\0\0\0\0IEND":
        at += 12 + int.from_bytes(data[at : at + 4], "big")
        if at > len(data):
            raise BadImage("it is cut short or no PNG")


def _probe_other(data: bytes) -> Header:
    if is_dicom(data):
        return _sized(*probe_dicom(data), plain=False)
    try:
        with opened_by_pillow(data) as picture:
            bands = "RGB" if picture.mode == "P" else picture.getbands()  # a palette holds colours
            return _sized(*picture.size, channels=len(bands), plain=False)
    except UnidentifiedImageError:
        raise BadImage("it is empty" if not data else "it is no picture of a known format") from None
    except BadImage:
        raise
    except Exception as error:  # Pillow's readers may raise anything on a damaged file
        raise BadImage(f"its head is damaged ({said(error)})") from None


def _sized(width: int, height: int, channels: int, *, plain: bool) -> Header:
    if not width or not height:
        raise BadImage("it has no pixels")
    return Header(width, height, channels, plain)


def _decode_with_opencv(data: bytes, flags: int) -> NDArray[Any]:
    """Decode a file; 16 bits stay 16 (uint16) if the flags say so. Raises BadImage."""
    try:  # `suppress` would take a fiftieth of the time of a small picture
        pixels: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise BadImage("it does not decode: the file is damaged or cut short")
    return pixels


def _decode_unusual(
    data: bytes, header: Header, kind: int, value_range: ValueRange, factor: int
) -> tuple[Pixels, Notes, Conversion | None]:
    """Decode a file whose header is not plain, as `read`; `kind` is OpenCV's flag for grey or colour."""
    jpeg, png = data[:2] == b"\xff\xd8", data[:4] == b"\x89PNG"
    cmyk = jpeg and header.channels == 4
    if cmyk:
        # Pillow is silent about data that end early; OpenCV says it where `decoder_warnings` listens.
        with suppress(BadImage):
            _decode_with_opencv(data, cv2.IMREAD_REDUCED_GRAYSCALE_8)
    if not (jpeg or png) and is_dicom(data):
        return *decode_dicom(data, 1 if kind == cv2.IMREAD_GRAYSCALE else 3, value_range), None
    if cmyk or (png and _has_alpha(data)) or not (jpeg or png):
        return decode_with_pillow(data, 1 if kind == cv2.IMREAD_GRAYSCALE else 3, value_range)
    pixels, notes = _decode_with_opencv(data, cv2.IMREAD_ANYDEPTH | kind | REDUCED[factor]), NOTHING
    if pixels.dtype == np.uint16:
        notes = Notes(bits=16, highest=int(pixels.max()))
        pixels = to_8_bits(pixels, value_range)
    if kind != cv2.IMREAD_COLOR_RGB or header.channels != 3:
        return pixels, notes, None
    profile = profile_of_jpeg(data) if jpeg else profile_of_png(data)
    return pixels, notes._replace(profile=profile.name, damaged_profile=profile.damaged), profile.conversion
