"""What a sample of the pictures says of all: their sides, whether they are grey, how deep their values are."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkroom.base.errors import UserError
from darkroom.base.words import counted
from darkroom.pictures.decoding import MAX_PIXELS, BadImage, png, read
from darkroom.tools.entry_draft import Evidence

SAMPLE = 100
LARGEST, STEP = 224, 32  # image_size
SMALL = 64  # sides up to this stay as they are
GREY = 2  # of 255, the most by which channels of a grey picture differ, for JPEG rounds
SQUARE = 1.05  # longer side by shorter one
DEEP = 2**16 // 4


@dataclass(frozen=True)
class Facts:
    """What was seen in a sample."""

    keys: dict[str, Any]  # channels, image_size, resize, range
    evidence: tuple[Evidence, ...]
    megapixels: float  # mean


def facts(pictures: Iterable[bytes | NDArray[Any]], max_pixels: int = MAX_PIXELS) -> Facts:
    """Look at some pictures: contents of files, or arrays of containers. Raises UserError where none can be read."""
    widths, heights = [], []
    colour, deep, highest, problem = 0, 0, 0, ""
    for data in pictures:
        try:
            content = data if isinstance(data, bytes) else png(_of_8_bits(data))
            pixels, header, notes, _ = read(content, 3, max_pixels)
        except BadImage as error:
            problem = str(error)
            continue
        widths.append(header.width)
        heights.append(header.height)
        small = pixels[:: max(1, header.height // 64), :: max(1, header.width // 64)].astype(np.int16)
        colour += int(np.ptp(small, axis=2).max() > GREY * 2)
        deep += notes.bits == 16
        highest = max(highest, notes.highest)
    if not widths:
        raise UserError(f"none of the pictures that were looked at can be read: {problem or 'the archive lacks them'}")
    width, height = np.array(widths), np.array(heights)
    evidence: list[Evidence] = []
    keys: dict[str, Any] = {}
    count = len(widths)
    keys["channels"] = 3 if colour else 1
    told = (
        f"{counted(colour, 'picture')} of {count} in a sample {'has' if colour == 1 else 'have'} colours"
        if colour
        else f"all {count} in a sample are grey"
    )
    evidence.append(Evidence("channels", str(keys["channels"]), told))
    _shape(width, height, keys, evidence)
    if deep and 0 < highest <= DEEP:
        top = 2 ** highest.bit_length() - 1
        keys["range"] = [0, top]
        because = f"{deep} of {count} in a sample have 16 bits, and their highest value is {highest:,} of 65,535"
        evidence.append(Evidence("range", f"[0, {top}]", because))
    return Facts(keys, tuple(evidence), float((width * height).mean() / 1e6))


def _of_8_bits(array: NDArray[Any]) -> NDArray[np.uint8]:
    """An array of a container as one of a picture file; its values matter only as far as channels differ."""
    top = max(1.0, float(array.max(initial=0)))
    return array if array.dtype == np.uint8 else (array * (255 / top)).clip(0, 255).astype(np.uint8)


def _shape(width: np.ndarray, height: np.ndarray, keys: dict[str, Any], evidence: list[Evidence]) -> None:
    shorter, longer = np.minimum(width, height), np.maximum(width, height)
    median = int(np.median(shorter))
    size = median if median <= SMALL else min(LARGEST, median // STEP * STEP)
    keys["image_size"] = size
    rule = f"the median of the shorter sides is {median}"
    if size != median:
        rule += f"; from {SMALL} on a multiple of {STEP}, at most {LARGEST}"
    evidence.append(Evidence("image_size", str(size), rule))
    ratio = longer / shorter
    shapes = len({(int(one), int(other)) for one, other in zip(width, height, strict=True)})
    square = bool((ratio <= SQUARE).all())
    keys["resize"] = "squash" if square else "crop"
    because = (
        "all in a sample are square, or nearly"
        if square
        else (
            f"{counted(shapes, 'shape')} in a sample, the longest {ratio.max():.1f} times as long as wide: "
            "the middle keeps its proportions"
        )
    )
    evidence.append(Evidence("resize", keys["resize"], because))
