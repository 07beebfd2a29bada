"""Decodes a picture file to a uint8 array of the wanted size and channels; its first bytes tell the format.

OpenCV decodes JPEG and PNG, the usual formats, seven times faster than Pillow on small files. Pillow decodes all other
formats, and files that OpenCV would misread without an error (transparency, CMYK).
"""

import io
import logging
import struct
import warnings
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from darkroom.base.errors import UserError

Pixels = NDArray[np.uint8]  # height, width, channels

JPEG = (".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".pjp")
SUFFIXES = frozenset({*JPEG, ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"})
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM")
MAX_PIXELS = 50_000_000

# `intake.packing` decodes many files at once; OpenCV's own threads would compete with its pool.
cv2.setNumThreads(1)
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # BadImage reports a damaged file
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)
Image.MAX_IMAGE_PIXELS = None  # `read` has its own limit, which it checks before decoding

_PNG_HEADER = struct.Struct(">8s4s4sIIBB")
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
# Markers of a JPEG's frame header.
_JPEG_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive: libjpeg decodes these
_JPEG_OTHER_FRAMES = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})


class BadImage(Exception):
    """The file is not a usable picture; the message says why."""


class Header(NamedTuple):
    """What a file says of its picture: size in pixels, and channels (1 grey, 2 grey with alpha, 3 colour, 4 with alpha
    or CMYK)."""

    width: int
    height: int
    channels: int
    plain: bool  # OpenCV reads it right


def looks_like_image(path: str) -> bool:
    """Whether a path has the ending of a picture file and is not hidden."""
    dot = path.rfind(".")
    return path[dot:].lower() in SUFFIXES and not is_hidden(path)


def is_hidden(path: str) -> bool:
    """Whether file managers hide a file with this path."""
    return path.startswith((".", "__MACOSX/")) or "/." in path or "/__MACOSX/" in path


def decode(data: bytes, shape: tuple[int, int, int], max_pixels: int = MAX_PIXELS) -> tuple[Pixels, Header]:
    """Decode a picture file to `shape` (height, width, channels; 1 channel is grey, 3 are RGB), uint8.

    Shrinks by area interpolation, enlarges by bilinear. 16 bits become 8, a transparent background becomes white, an
    animation gives its first frame, EXIF orientation is applied. Also returns the header, with width and height of the
    upright picture. Raises BadImage.
    """
    pixels, header = read(data, shape[2], max_pixels)
    return resize(pixels, shape), header


def read(data: bytes, channels: int, max_pixels: int = MAX_PIXELS) -> tuple[Pixels, Header]:
    """Decode a picture file in its own size to 1 or 3 channels, else as `decode`. Raises BadImage."""
    header = probe(data)
    if header.width * header.height > max_pixels:
        raise BadImage(f"it is {header.width}x{header.height}, more than extract.max_pixels allows")
    if header.plain:
        kind = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB
        try:
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), kind)
        except cv2.error:
            pixels = None
        if pixels is None:
            raise BadImage("it does not decode: the file is damaged or cut short")
    else:
        pixels = _decode_with_pillow(data, channels)
    if pixels.shape[:2] != (header.height, header.width):  # EXIF orientation has turned the picture
        header = header._replace(height=pixels.shape[0], width=pixels.shape[1])
    return (pixels if channels == 3 else pixels[:, :, np.newaxis]), header


def resize(pixels: Pixels, shape: tuple[int, int, int]) -> Pixels:
    """Resize pixels (height x width x channels, uint8) to `shape`, which has the same number of channels."""
    height, width, _ = shape
    if pixels.shape[:2] != (height, width):
        shrinks = pixels.shape[0] >= height and pixels.shape[1] >= width
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return pixels.reshape(shape)


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
    at, end = 2, len(data) - 9
    while at < end and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _JPEG_FRAMES:
            height, width, channels = (
                data[at + 5] << 8 | data[at + 6],
                data[at + 7] << 8 | data[at + 8],
                data[at + 9],
            )
            return _sized(width, height, channels, plain=channels != 4)
        if marker in _JPEG_OTHER_FRAMES:
            raise BadImage("it is a lossless or arithmetic-coded JPEG, which is not supported: save it as usual JPEG")
        at += 1 if marker == 0xFF else 2 + (data[at + 2] << 8 | data[at + 3])
    return None


def _probe_png(data: bytes) -> Header:
    if len(data) < _PNG_HEADER.size or data[12:16] != b"IHDR":
        raise BadImage("it is cut short or no PNG")
    *_, width, height, _, colour = _PNG_HEADER.unpack_from(data)
    if colour not in _PNG_CHANNELS:
        raise BadImage("it is no valid PNG")
    _check_chunks(data)
    has_alpha = colour in (4, 6) or b"tRNS" in data[33 : data.find(b"IDAT", 33)]
    return _sized(width, height, _PNG_CHANNELS[colour], plain=not has_alpha)


def _check_chunks(data: bytes) -> None:
    """Refuse a PNG with a chunk longer than the file: OpenCV would allocate its declared length, up to 4 GB."""
    at = 8
    while at + 8 <= len(data) and data[at : at + 8] != b"\0\0\0\0IEND":
        at += 12 + int.from_bytes(data[at : at + 4], "big")
        if at > len(data):
            raise BadImage("it is cut short or no PNG")


def _probe_other(data: bytes) -> Header:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            bands = "RGB" if picture.mode == "P" else picture.getbands()  # a palette holds colours
            return _sized(*picture.size, channels=len(bands), plain=False)
    except UnidentifiedImageError:
        raise BadImage("it is empty" if not data else "it is no picture of a known format") from None
    except Exception as error:  # Pillow's readers may raise anything on a damaged file
        raise BadImage(f"its head is damaged ({error})") from None


def _sized(width: int, height: int, channels: int, *, plain: bool) -> Header:
    if not width or not height:
        raise BadImage("it has no pixels")
    return Header(width, height, channels, plain)


def _decode_with_pillow(data: bytes, channels: int) -> Pixels:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            picture: Image.Image = ImageOps.exif_transpose(opened)
            # Mode I means 16 bits in a PGM or PNG; in a TIFF its values have no fixed range, and may be negative.
            if picture.mode == "F" or (picture.mode == "I" and opened.format == "TIFF"):
                raise BadImage(
                    "it holds floating-point, signed or 32-bit values, which have no fixed range: save it with 8 or 16 "
                    "bits"
                )
            if picture.mode in ("I", "I;16", "I;16B", "I;16L"):
                picture = Image.fromarray((np.asarray(picture, dtype=np.uint32) >> 8).clip(0, 255).astype(np.uint8))
            if picture.has_transparency_data:
                background = Image.new("RGBA", picture.size, "white")
                picture = Image.alpha_composite(background, picture.convert("RGBA"))
            return np.asarray(picture.convert("L" if channels == 1 else "RGB"))
    except BadImage:
        raise
    except Exception as error:  # as in `_probe_other`
        raise BadImage(f"it does not decode ({error})") from None
