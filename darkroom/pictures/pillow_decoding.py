"""Decodes with Pillow what OpenCV does not read, or would misread without an error."""

import io
import logging
import warnings
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps

from darkroom.pictures.colour_profiles import Conversion, Profile, read_profile
from darkroom.pictures.depth import ValueRange, to_8_bits
from darkroom.pictures.notes import NOTHING, BadImage, Notes, said

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM", "AVIF")
HEIC = "it is HEIC, for which the package pillow-heif is needed: pip install pillow-heif"

warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)
Image.MAX_IMAGE_PIXELS = None  # `decoding.read` has its own limit, which it checks before decoding


def opened_by_pillow(data: bytes) -> ImageFile.ImageFile:
    """A picture file, of which the head alone is read. Raises BadImage for HEIC without its package, else as Pillow."""
    # A file of ISO's base media format: both HEIC and AVIF name their kind in its first box (ISO/IEC 23008-12).
    if data[4:8] != b"ftyp" or b"avi" in data[8 : min(int.from_bytes(data[:4], "big"), 256)]:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    _register_heic()
    return Image.open(io.BytesIO(data), formats=("HEIF",))


@lru_cache(maxsize=1)
def _register_heic() -> None:
    try:
        import pillow_heif
    except ImportError:
        raise BadImage(HEIC) from None
    pillow_heif.register_heif_opener(decode_threads=1, thumbnails=False)


def decode_with_pillow(
    data: bytes, channels: int, value_range: ValueRange
) -> tuple[NDArray[np.uint8], Notes, Conversion | None]:
    """Decode a picture file to height x width (1 channel) or height x width x 3, uint8; else as `decoding.read`.

    Inks (CMYK) with a profile are converted here. Raises BadImage.
    """
    try:
        with opened_by_pillow(data) as opened:
            picture, notes = _of_8_bits(opened, data, value_range)
            # Lay it on white, unless there would be nothing else to see.
            if picture.has_transparency_data:
                picture = picture if picture.mode == "RGBA" else picture.convert("RGBA")
                if picture.getbbox() is None:  # no pixel has an alpha above 0
                    notes = notes._replace(clear=True)
                else:
                    picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
            content, conversion = opened.info.get("icc_profile"), None
            if content and channels == 3 and len(picture.getbands()) >= 3:
                profile = read_profile(content, "CMYK" if picture.mode == "CMYK" else "RGB")
                notes = notes._replace(profile=profile.name, damaged_profile=profile.damaged)
                conversion = profile.conversion
                if picture.mode == "CMYK" and conversion is not None:
                    picture, conversion = conversion(picture), None
            return np.asarray(picture.convert("L" if channels == 1 else "RGB")), notes, conversion
    except BadImage:
        raise
    except Exception as error:  # Pillow's readers may raise anything on a damaged file
        raise BadImage(f"it does not decode ({said(error)})") from None


def profile_of_png(data: bytes) -> Profile:
    """The colour profile of a PNG of colours."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            content = picture.info.get("icc_profile")
    except Exception:  # as above
        return Profile(damaged=True)
    return read_profile(content, "RGB") if content else Profile()


def _of_8_bits(opened: ImageFile.ImageFile, data: bytes, value_range: ValueRange) -> tuple[Image.Image, Notes]:
    """The upright picture in a mode of 8 bits, and what was noted about its values."""
    # Pillow itself drops the low byte of colours, by a raw mode such as "RGB;16B".
    low_bytes_dropped = any(";16" in str(tile.args) for tile in opened.tile)
    picture: Image.Image = ImageOps.exif_transpose(opened)
    # Mode I means 16 bits in a PGM or PNG; in a TIFF its values have no fixed range, and may be negative.
    if picture.mode == "F" or (picture.mode == "I" and opened.format == "TIFF"):
        raise BadImage(
            "it holds floating-point, signed or 32-bit values, which have no fixed range: save it with 8 or 16 bits"
        )
    if picture.mode in ("I", "I;16", "I;16B", "I;16L"):
        values = np.asarray(picture).astype(np.uint16)
        return Image.fromarray(to_8_bits(values, value_range)), Notes(bits=16, highest=int(values.max()))
    if not low_bytes_dropped:
        return picture, NOTHING
    # OpenCV keeps them. (Its IMREAD_COLOR_RGB gives blue, green, red for a TIFF of 16 bits.)
    colours = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)
    if colours is None or colours.dtype != np.uint16 or colours.shape[:2] != picture.size[::-1]:
        if value_range is not None:
            raise BadImage("its colours of 16 bits do not decode: save it as PNG")
        return picture, Notes(bits=16)
    if value_range is not None:
        spread = Image.fromarray(to_8_bits(colours[..., ::-1], value_range))
        if picture.has_transparency_data:
            spread.putalpha(picture.convert("RGBA").getchannel("A"))
        picture = spread
    return picture, Notes(bits=16, highest=int(colours.max()))
