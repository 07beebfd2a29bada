"""One picture file to one uint8 array: told apart by its first bytes, decoded, brought to size and channels.

JPEG and PNG, nearly all there is, go through OpenCV, which is seven times faster than Pillow on small files. The
forms that OpenCV would misread without a word (transparency, CMYK) and all other formats go through Pillow.
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

# One file is one task of a thread pool of ours; OpenCV's own threads would only stand in the way.
cv2.setNumThreads(1)
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # of a damaged file our own sentence tells
warnings.filterwarnings("ignore", module=r"PIL\.")  # likewise
logging.getLogger("PIL").setLevel(logging.CRITICAL)
Image.MAX_IMAGE_PIXELS = None  # `decode` has its own limit, and tells it before anything is decoded

_PNG_HEADER = struct.Struct(">8s4s4sIIBB")
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_JPEG_SIZES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive: what libjpeg decodes
_JPEG_OTHER_SIZES = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})


class BadImage(Exception):
    """The file is no picture that can be used; the message says why."""


class Found(NamedTuple):
    """What the file itself says: its size and channels (1 grey, 2 grey with alpha, 3 colour, 4 with alpha or CMYK)."""

    width: int
    height: int
    channels: int
    plain: bool  # OpenCV alone reads it right


def looks_like_image(path: str) -> bool:
    """Whether a path ends like a picture file and is not one of the hidden files that file managers leave."""
    dot = path.rfind(".")
    return path[dot:].lower() in SUFFIXES and not is_hidden(path)


def is_hidden(path: str) -> bool:
    """Whether file managers show nothing of a file with this path."""
    return path.startswith((".", "__MACOSX/")) or "/." in path or "/__MACOSX/" in path


def decode(data: bytes, shape: tuple[int, int, int], max_pixels: int = MAX_PIXELS) -> tuple[Pixels, Found]:
    """Decode a picture file to `shape` (height, width, channels; 1 channel is grey, 3 are RGB), uint8.

    Shrinks by area interpolation, enlarges by bilinear. 16 bits become 8, a transparent ground becomes white, an
    animation is its first frame, EXIF orientation is applied. Raises BadImage.
    """
    pixels, found = read(data, shape[2], max_pixels)
    return resize(pixels, shape), found


def read(data: bytes, channels: int, max_pixels: int = MAX_PIXELS) -> tuple[Pixels, Found]:
    """Decode a picture file in its own size, with so many channels, else as `decode`. Raises BadImage.

    The size that is found is that of the picture held upright.
    """
    found = probe(data)
    if found.width * found.height > max_pixels:
        raise BadImage(f"it is {found.width}x{found.height}, more than extract.max_pixels allows")
    if found.plain:
        kind = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB
        try:
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), kind)
        except cv2.error:
            pixels = None
        if pixels is None:
            raise BadImage("it does not decode: the file is damaged or cut short")
    else:
        pixels = _decode_with_pillow(data, channels)
    if pixels.shape[:2] != (found.height, found.width):  # the camera was held sideways
        found = found._replace(height=pixels.shape[0], width=pixels.shape[1])
    return (pixels if channels == 3 else pixels[:, :, np.newaxis]), found


def resize(pixels: Pixels, shape: tuple[int, int, int]) -> Pixels:
    """Bring pixels (height x width x channels) to the height and width of `shape`, which has the same channels."""
    height, width, _ = shape
    if pixels.shape[:2] != (height, width):
        shrinks = pixels.shape[0] >= height and pixels.shape[1] >= width
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return pixels.reshape(shape)


def png(array: Pixels) -> bytes:
    """A picture given as an array, as a file."""
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3)):
        raise UserError(
            f"an array of {array.dtype} and shape {array.shape} is no picture: wanted is uint8, "
            "height x width or height x width x 1 or 3"
        )
    if not array.size:
        raise UserError(f"an array of shape {array.shape} is no picture: it has no pixels")
    grey = array.ndim == 2 or array.shape[2] == 1
    return cv2.imencode(".png", array if grey else cv2.cvtColor(array, cv2.COLOR_RGB2BGR))[1].tobytes()


def probe(data: bytes) -> Found:
    """Read size and channels from the head of a file, without decoding it. Raises BadImage."""
    if data[:2] == b"\xff\xd8":
        return _probe_jpeg(data)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return _probe_png(data)
    return _probe_other(data)


def _probe_jpeg(data: bytes) -> Found:
    # The pictures of one set mostly begin with the same bytes, so the head is looked up before it is read.
    found = _jpeg_head(data[:256]) or _jpeg_head.__wrapped__(data)
    if found is None:
        raise BadImage("it is cut short or no JPEG")
    return found


@lru_cache(maxsize=256)
def _jpeg_head(data: bytes) -> Found | None:
    """What the frame header says; None if `data` ends before it. ISO/IEC 10918-1, annex B."""
    at, end = 2, len(data) - 9
    while at < end and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _JPEG_SIZES:
            height, width, channels = (
                data[at + 5] << 8 | data[at + 6],
                data[at + 7] << 8 | data[at + 8],
                data[at + 9],
            )
            return _sized(width, height, channels, plain=channels != 4)
        if marker in _JPEG_OTHER_SIZES:
            raise BadImage("it is a lossless or arithmetic-coded JPEG, which is not supported: save it as usual JPEG")
        at += 1 if marker == 0xFF else 2 + (data[at + 2] << 8 | data[at + 3])
    return None


def _probe_png(data: bytes) -> Found:
    if len(data) < _PNG_HEADER.size or data[12:16] != b"IHDR":
        raise BadImage("it is cut short or no PNG")
    *_, width, height, _, colour = _PNG_HEADER.unpack_from(data)
    if colour not in _PNG_CHANNELS:
        raise BadImage("it is no valid PNG")
    _check_chunks(data)
    has_alpha = colour in (4, 6) or b"tRNS" in data[33 : data.find(b"IDAT", 33)]
    return _sized(width, height, _PNG_CHANNELS[colour], plain=not has_alpha)


def _check_chunks(data: bytes) -> None:
    """OpenCV takes the memory that a chunk of a PNG asks for, up to 4 GB, before it looks whether so much follows."""
    at = 8
    while at + 8 <= len(data) and data[at : at + 8] != b"\0\0\0\0IEND":
        at += 12 + int.from_bytes(data[at : at + 4], "big")
        if at > len(data):
            raise BadImage("it is cut short or no PNG")


def _probe_other(data: bytes) -> Found:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            bands = "RGB" if picture.mode == "P" else picture.getbands()  # a palette is of colours, as in a PNG
            return _sized(*picture.size, channels=len(bands), plain=False)
    except UnidentifiedImageError:
        raise BadImage("it is empty" if not data else "it is no picture of a known format") from None
    except Exception as error:  # Pillow's readers raise whatever a broken file leads them to
        raise BadImage(f"its head is damaged ({error})") from None


def _sized(width: int, height: int, channels: int, *, plain: bool) -> Found:
    if not width or not height:
        raise BadImage("it has no pixels")
    return Found(width, height, channels, plain)


def _decode_with_pillow(data: bytes, channels: int) -> Pixels:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            picture: Image.Image = ImageOps.exif_transpose(opened)
            # A 16-bit PGM is read as I too; a TIFF in that mode may hold anything, also below zero.
            if picture.mode == "F" or (picture.mode == "I" and opened.format == "TIFF"):
                raise BadImage(
                    "it holds floating-point, signed or 32-bit values, which have no fixed range: save it with 8 or 16 "
                    "bits"
                )
            if picture.mode in ("I", "I;16", "I;16B", "I;16L"):
                picture = Image.fromarray((np.asarray(picture, dtype=np.uint32) >> 8).clip(0, 255).astype(np.uint8))
            if picture.has_transparency_data:
                ground = Image.new("RGBA", picture.size, "white")
                picture = Image.alpha_composite(ground, picture.convert("RGBA"))
            return np.asarray(picture.convert("L" if channels == 1 else "RGB"))
    except BadImage:
        raise
    except Exception as error:  # see above
        raise BadImage(f"it does not decode ({error})") from None
