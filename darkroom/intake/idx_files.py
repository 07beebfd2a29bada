"""idx, the format of MNIST: an array of bytes after a short head, plain or gzipped, its labels in a file beside it.

Format: LeCun, Cortes, Burges, «The MNIST database», FILE FORMATS: two zeros, the type, the number of sides, the sides.
"""

import gzip
import io
import re
import struct
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from darkroom.base.errors import UserError
from darkroom.base.words import by
from darkroom.intake.archive import PIECE, buffered
from darkroom.intake.contained import Container, NoPictures, Picture, blocks, form_of, labels, shaped
from darkroom.intake.label_values import Values

TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
MOST_LABELS = 2**26


def head(stream: IO[bytes], path: str) -> tuple["np.dtype[Any]", tuple[int, ...]]:
    """The type and the sides of the array, whose data follow. Raises UserError."""
    start = stream.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in TYPES or not 1 <= start[3] <= 4:
        raise UserError(f"{path} does not begin as an idx file does: give another file")
    sides = stream.read(4 * start[3])
    if len(sides) < 4 * start[3]:
        raise UserError(f"{path} is cut short in its head: give a whole file")
    return np.dtype(TYPES[start[2]]), struct.unpack(f">{start[3]}I", sides)


def plain(container: Container) -> IO[bytes]:
    """The stream of an idx file, unpacked if it is gzipped."""
    if not container.path.lower().endswith(".gz"):
        return container.stream
    unpacked = gzip.GzipFile(fileobj=container.stream)
    return buffered(iter(lambda: unpacked.read(PIECE), b""), container.budget)


def pictures(container: Container) -> Iterator[Picture]:
    """The pictures of an idx file, with the labels of the file beside it. Raises UserError."""
    path, stream = container.path, plain(container)
    kind, (count, *shape) = head(stream, path)
    if not shape or not count:
        what = "no pictures" if shape else f"{count:,} numbers and no pictures, as a file of labels does"
        raise NoPictures(f"{path} holds {what}: give the file of pictures")
    form = form_of(shape, path)
    source, found = _labels(container, count) if container.asked.wants_labels else ("", [None] * count)
    number = 0
    for block in blocks(stream, count, kind, shape, path):
        for values in shaped(block, form):
            yield Picture(str(number), values, labels_from=source, label=found[number])
            number += 1


def _labels(container: Container, count: int) -> tuple[str, Values]:
    """The file of labels, and the label of each picture."""
    candidates = beside(container.path)
    found = container.beside(candidates)
    if found is None:
        names = f"looked for {' and '.join(candidates[:2])}" if candidates else "its own name has no `images` in it"
        raise UserError(
            f"{container.path} has no file of labels beside it ({names}): give both, or take labels from elsewhere, as "
            "from {label} in the pattern"
        )
    path, content = found
    return path, labels(vector(content, path), count, path)


def vector(content: bytes, path: str) -> NDArray[Any]:
    """The numbers of an idx file of labels, plain or gzipped. Raises UserError."""
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.GzipFile(fileobj=io.BytesIO(content)).read(MOST_LABELS)
        except (OSError, EOFError, ValueError) as error:
            raise UserError(f"{path} is damaged ({error}): give a whole file") from None
    stream = io.BytesIO(content)
    kind, shape = head(stream, path)
    data = stream.read()
    if len(data) != int(np.prod(shape, dtype=object)) * kind.itemsize:
        raise UserError(f"{path} is damaged: its head promises {by(shape)} numbers, and {len(data):,} bytes follow")
    return np.frombuffer(data, kind).reshape(shape)


def beside(path: str) -> list[str]:
    """Where the labels of a file of pictures may lie: `t10k-labels-idx1-ubyte` for t10k-images-idx3-ubyte."""
    folder, slash, name = path.rpartition("/")
    found = []
    for before, after in ((folder, name), ("", path)):
        other = re.sub("images?", "labels", after, flags=re.IGNORECASE)
        other = re.sub("idx[0-9]", "idx1", other, flags=re.IGNORECASE)
        if other != after:
            here = before + slash + other if before else other
            plain = re.sub(r"\.gz$", "", here, flags=re.IGNORECASE)
            found += [here, plain if here != plain else f"{here}.gz"]
    return list(dict.fromkeys(found))
