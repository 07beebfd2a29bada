"""Decodes DICOM, the pictures of medicine, as a viewer shows them; pydicom reads it, which is an optional package.

Stored values become those of the device (rescale slope and intercept, or a modality lookup table; in computed
tomography Hounsfield units), and these become grey:

- through the `range` of the entry, in units of the device, where it has one: the lower bound black, the upper white;
- else through the first window that the file gives, or its VOI lookup table;
- else from the lowest to the highest value that the stored bits can hold.

MONOCHROME1, in which low values are bright, is turned over. DICOM PS3.3, C.7.6.3, C.11.1 and C.11.2.
"""

import io
import logging
import warnings
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from darkroom.pictures.depth import ValueRange
from darkroom.pictures.notes import BadImage, Notes, said

NEEDED = "it is DICOM, for which the package pydicom is needed: pip install pydicom"
DEFLATED = b"1.2.840.10008.1.2.1.99"
META = 2**12  # bytes in whose beginning the way of packing is named
GREY, COLOURS, PALETTE = ("MONOCHROME1", "MONOCHROME2"), ("RGB", "YBR_"), "PALETTE COLOR"
Window = tuple[float, float, str]  # centre, width, function


def is_dicom(data: bytes) -> bool:
    """Whether a file begins as DICOM does: with 128 bytes of anything, and a mark."""
    return data[128:132] == b"DICM"


def probe_dicom(data: bytes) -> tuple[int, int, int]:
    """Width, height and channels (1 or 3) of a DICOM file, without its pixels. Raises BadImage."""
    head = _read(data, stop_before_pixels=True)
    try:
        frames, kind = int(head.get("NumberOfFrames") or 1), str(head.get("PhotometricInterpretation"))
        width, height = int(head.get("Columns") or 0), int(head.get("Rows") or 0)
    except Exception as error:  # a number that is none
        raise BadImage(f"its head is damaged ({said(error)})") from None
    if frames > 1:
        raise BadImage(f"it is DICOM of {frames:,} frames, and a picture has one: save the one that counts")
    return width, height, 1 if kind in GREY else 3


def decode_dicom(data: bytes, channels: int, value_range: ValueRange) -> tuple[NDArray[np.uint8], Notes]:
    """Decode a DICOM file to height x width (1 channel) or height x width x 3, uint8. Raises BadImage."""
    dataset = _read(data)
    try:
        kind = str(dataset.PhotometricInterpretation)
        stored = _stored(dataset)
        if kind in GREY:
            pixels, notes = _grey(dataset, stored, value_range)
            return (cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB) if channels == 3 else pixels).astype(np.uint8), notes
        pixels = _colours(dataset, stored, kind)
    except BadImage:
        raise
    except Exception as error:  # pydicom may raise anything on a damaged file
        raise BadImage(f"it does not decode ({said(error)})") from None
    return (cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if channels == 1 else pixels).astype(np.uint8), Notes()


@lru_cache(maxsize=1)
def _pydicom() -> Any:
    try:
        import pydicom
        import pydicom.pixels
    except ImportError:
        raise BadImage(NEEDED) from None
    warnings.filterwarnings("ignore", module=r"pydicom\.")
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    return pydicom


def _read(data: bytes, **options: bool) -> Any:
    """The data set of a file."""
    pydicom = _pydicom()
    if DEFLATED in data[:META]:  # it would unpack to any size
        raise BadImage("it is deflated DICOM, which is not read: save it without")
    try:
        return pydicom.dcmread(io.BytesIO(data), **options)
    except Exception as error:  # pydicom may raise anything on a damaged file
        raise BadImage(f"its head is damaged ({said(error)})") from None


def _stored(dataset: Any) -> NDArray[Any]:
    """The stored values: height x width, or height x width x 3."""
    pydicom = _pydicom()
    packing = dataset.file_meta.TransferSyntaxUID
    if "PixelData" not in dataset:
        raise BadImage("it holds no picture, or one of floating-point values, which have no fixed range")
    if packing.is_compressed:
        try:
            missing = not pydicom.pixels.get_decoder(packing).is_available
        except NotImplementedError:
            raise BadImage(f"it is packed as {packing.name}, which is not read: save it uncompressed") from None
        if missing:
            raise BadImage(
                f"it is packed as {packing.name}, for which pydicom needs another package: "
                "pip install pylibjpeg[all], or save it uncompressed"
            )
        _check_size(dataset)
    pixels: NDArray[Any] = pydicom.pixels.pixel_array(dataset)
    shape = (dataset.Rows, dataset.Columns)
    if pixels.shape not in (shape, (*shape, 3)) or pixels.dtype.itemsize > 2:
        raise BadImage("its values have more than 16 bits, or several layers: save it with 8 or 16 bits")
    return pixels


def _check_size(dataset: Any) -> None:
    """Compare the size of a JPEG inside with what the head says: only the latter was held against the limit."""
    frame = _pydicom().encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)
    try:
        with Image.open(io.BytesIO(frame), formats=("JPEG", "JPEG2000")) as inside:
            size = inside.size
    except UnidentifiedImageError:
        return  # another way of packing, none of which gives more than the head says
    if size != (dataset.Columns, dataset.Rows):
        raise BadImage(f"its head says {dataset.Columns}x{dataset.Rows}, but the picture inside is {size[0]}x{size[1]}")


def _grey(dataset: Any, stored: NDArray[Any], value_range: ValueRange) -> tuple[NDArray[np.uint8], Notes]:
    """Grey values, and by what way they came."""
    limits = np.iinfo(stored.dtype)
    levels = np.arange(limits.min, limits.max + 1, dtype=stored.dtype)  # every value that can be stored: a table
    units = np.asarray(_pydicom().pixels.apply_modality_lut(levels, dataset), np.float64)
    if value_range is not None:
        table, notes = _between(units, *value_range), Notes()
    elif (window := _window(dataset)) is not None:
        table, notes = _through(units, window), Notes(shown="of DICOM shown through the window that each file gives")
    elif "VOILUTSequence" in dataset:
        top = 2 ** int(dataset.VOILUTSequence[0].LUTDescriptor[2]) - 1
        table = _between(_pydicom().pixels.apply_voi(units.astype(np.int64), dataset), 0, top)
        notes = Notes(shown="of DICOM shown through the lookup table that each file gives")
    else:
        bits = min(int(dataset.BitsStored), 8 * stored.dtype.itemsize)
        held = (levels >= -(2 ** (bits - 1))) & (levels < 2 ** (bits - 1)) if limits.min else levels < 2**bits
        table = _between(units, float(units[held].min()), float(units[held].max()))
        plain = bits == 16 and not limits.min and np.array_equal(units, levels)
        notes = Notes(shown=f"of DICOM without a window, shown over all values that {bits} bits hold")
        if plain:
            notes = notes._replace(bits=16, highest=int(stored.max()))
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        table = 255 - table
    return table[stored.astype(np.int32) - int(limits.min)], notes


def _window(dataset: Any) -> Window | None:
    """The first window of a file; None where it has none that can be used."""
    values = [dataset.get(name) for name in ("WindowCenter", "WindowWidth")]
    first = [value[0] if isinstance(value, list | tuple) or hasattr(value, "append") else value for value in values]
    if None in first or "" in first:
        return None
    centre, width = (float(value) for value in first)
    if not (np.isfinite(centre) and np.isfinite(width) and width > 0):
        return None
    return centre, width, str(dataset.get("VOILUTFunction") or "LINEAR")


def _through(units: NDArray[np.float64], window: Window) -> NDArray[np.uint8]:
    """PS3.3, C.11.2.1.2 and C.11.2.1.3."""
    centre, width, function = window
    if function == "SIGMOID":
        return np.rint(255 / (1 + np.exp(np.clip(-4 * (units - centre) / width, -700, 700)))).astype(np.uint8)
    if function == "LINEAR_EXACT":
        return _between(units, centre - width / 2, centre + width / 2)
    half = max(0.0, (width - 1) / 2)
    return _between(units, centre - 0.5 - half, centre - 0.5 + half)


def _between(units: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """0 at `low` and below, 255 at `high` and above."""
    if low >= high:
        return np.where(units > low, 255, 0).astype(np.uint8)
    return np.rint((units - low) * (255 / (high - low))).clip(0, 255).astype(np.uint8)


def _colours(dataset: Any, stored: NDArray[Any], kind: str) -> NDArray[np.uint8]:
    """Colours of 8 bits."""
    bits = int(dataset.BitsStored)
    if kind == PALETTE:
        stored = _pydicom().pixels.apply_color_lut(stored, dataset)
        bits = 8 * stored.dtype.itemsize
    elif not kind.startswith(COLOURS) or stored.ndim != 3:
        raise BadImage(f"its colours are stored as {kind}, which is not read: save it as RGB or MONOCHROME2")
    return (stored >> max(0, bits - 8)).astype(np.uint8)
