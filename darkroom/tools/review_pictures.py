"""Pictures for the page of `darkroom review`: the original from the archive, else the pixels that the network gets."""

import time
from collections import OrderedDict
from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.config.patterns import composed
from darkroom.config.stage_files import Source
from darkroom.dataset.packed import load_images, load_index
from darkroom.intake import archive, folder_files
from darkroom.intake.zip_reader import BadMember, Unreadable
from darkroom.pictures.colour_profiles import in_srgb
from darkroom.pictures.decoding import BadImage, Pixels, png, read

LONGEST = 1600  # pixels of a side of an original on the page, at most
LOSSLESS = 2**18  # pixels; a picture with more is sent as a JPEG
QUALITY = 92
PATIENCE = 3.0  # seconds that an original may take, else no other is looked for
KEPT = 8  # originals in memory


class Pictures:
    """The pictures of the data set, by row."""

    def __init__(self) -> None:
        self.images = load_images()
        index = load_index("path", "label", "width", "height", "channels")
        self._paths, self._labels = index["path"].to_numpy(), index["label"].to_numpy(np.int64, na_value=-1)
        self._found = index[["height", "width", "channels"]].to_numpy(np.int64)
        source = paths.RAW / Source.read(paths.SOURCE).archive if paths.SOURCE.is_file() else None
        self._source = source if source and source.exists() else None
        self._originals: OrderedDict[int, bytes | None] = OrderedDict()
        self._lock = Lock()  # one at a time looks into the archive
        self._too_slow = False

    def path(self, row: int) -> str:
        """The path of a picture inside the archive."""
        return str(self._paths[row])

    def label(self, row: int) -> int | None:
        """The number of its class; None where it has none."""
        label = int(self._labels[row])
        return None if label < 0 else label

    def packed(self, row: int) -> bytes:
        """The stored pixels, as a PNG file."""
        return png(self.images[row])

    def original(self, row: int) -> bytes | None:
        """The picture as found, as a PNG or JPEG file of at most `LONGEST` pixels a side.

        None where the stored pixels are all that the picture has, the archive is not here or has lost it, or takes
        long to look into, as a large .tar.gz does.
        """
        with self._lock:
            if row not in self._originals and not self._too_slow:
                start = time.monotonic()
                self._originals[row] = self._read(row)
                self._too_slow = time.monotonic() - start > PATIENCE
                while len(self._originals) > KEPT:
                    self._originals.popitem(last=False)
            return self._originals.get(row)

    def has_more(self, row: int) -> bool:
        """Whether the picture as found had more pixels or colours than what is stored, and its archive is here."""
        height, width, channels = self._found[row].tolist()
        stored = self.images.shape[1:]
        return self._source is not None and not ((height, width) == stored[:2] and (channels == 1 or stored[2] == 3))

    def _read(self, row: int) -> bytes | None:
        if self._source is None or not self.has_more(row):
            return None
        content = content_of(self._source, self.path(row))
        try:
            return None if content is None else for_page(content)
        except BadImage:
            return None


def content_of(source: Path, path: str) -> bytes | None:
    """The bytes of the picture at `path` inside an archive or a folder; None where it is not there."""
    wanted = composed(path)
    try:
        for file in folder_files.files(
            source,
            wanted=lambda found: composed(found) == wanted,
            may_hold=lambda folder: wanted.startswith(composed(folder) + "/"),
            limits=archive.Limits(),
        ):
            if composed(file.path) == wanted and not file.link:
                return file.read()
    except (UserError, BadMember, Unreadable, *archive.DAMAGE):
        return None
    return None


def for_page(content: bytes) -> bytes:
    """A picture file in any format that Darkroom reads, as one that every browser shows. Raises BadImage."""
    pixels, _, _, conversion = read(content, 3)
    longest = max(pixels.shape[:2])
    if longest > LONGEST:
        size = [max(1, round(side * LONGEST / longest)) for side in pixels.shape[1::-1]]
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return encoded(pixels if conversion is None else in_srgb(pixels, conversion))


def encoded(pixels: Pixels) -> bytes:
    """PNG for a small picture, so that each pixel is as it was; JPEG for a large one."""
    if pixels.shape[0] * pixels.shape[1] <= LOSSLESS:
        return png(pixels)
    file = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    return file.tobytes()
