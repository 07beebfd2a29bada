"""Fill page templates: text from data is escaped, and pictures become part of the page."""

import base64
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

TEMPLATES = Path(__file__).with_name("templates")
LARGE = 300_000  # bytes; a larger picture becomes WebP
LONGEST = 16_383  # pixels of a side that WebP can hold
THUMBNAIL = 96  # pixels that the longer side of a gallery image has at most


@dataclass(frozen=True)
class Picture:
    """A picture of a page; its data URI holds all its bytes."""

    uri: str
    alt: str
    width: int
    height: int


def render(template: str, **content: Any) -> str:
    """Fill a template of `templates`, HTML or Markdown. All text is escaped; a name without content is an error."""
    is_html = ".html" in template
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=is_html,  # noqa: S701, in Markdown the next line escapes
        finalize=None if is_html else _markdown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**content)


def _markdown(value: Any) -> Any:
    """Escape text, so that Markdown shows it unchanged, on one line."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    line = re.sub(r"\s+", " ", "".join(letter if letter.isprintable() else " " for letter in value))
    # An underscore inside a word needs no escape.
    return re.sub(r"[\\`*\[\]|~$#&]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", line).replace("<", "&lt;")


def part(name: str) -> Markup:
    """The text of a file of `templates`, which is not escaped."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704, our own


def picture(file: Path, alt: str) -> Picture | None:
    """A PNG file for a page, None where there is no such file. A large one becomes WebP, if its sides allow.

    Its colours are lossy then, its opacity is not: the page tells photographs from paper by it.
    """
    if not file.is_file():
        return None
    data = file.read_bytes()
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None  # the pipeline wrote it
    height, width = pixels.shape[:2]
    if len(data) > LARGE and max(height, width) <= LONGEST:
        return Picture(_uri("webp", _encode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, 80])), alt, width, height)
    return Picture(_uri("png", data), alt, width, height)


def thumbnail(image: NDArray[np.uint8]) -> str:
    """The data URI of an image (uint8, height x width x channels), shrunk to `THUMBNAIL` pixels where it is larger."""
    height, width, channels = image.shape
    if channels == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    shrink = THUMBNAIL / max(height, width)
    if shrink < 1:
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if shrink > 1.5:  # with so few pixels, lossless PNG is small too
        return _uri("png", _encode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 9]))
    return _uri("jpeg", _encode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85]))


def _encode(form: str, pixels: NDArray[Any], options: list[int]) -> bytes:
    return bytes(cv2.imencode(form, pixels, options)[1].tobytes())


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
