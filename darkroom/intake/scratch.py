"""Decoded pictures in the order in which they came, until their final order is known."""

import errno
from typing import IO

import numpy as np
from numpy.typing import NDArray

from darkroom.pictures.decoding import Pixels

SCRATCH = 2**26  # bytes of pixels that wait in memory for their order; more wait in a file
COPY_BYTES = 2**24


def write_head(file: IO[bytes], shape: tuple[int, ...]) -> None:
    """Write what a .npy file of uint8 begins with; the pixels follow."""
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


class Scratch:
    """Pictures in the order in which they came: in memory while they are few, else in a file."""

    def __init__(self, file: IO[bytes], row_bytes: int) -> None:
        self._file, self._row_bytes = file, row_bytes
        rows = max(1, SCRATCH // row_bytes)
        self._buffer = np.empty((rows, row_bytes), np.uint8)
        self._filled = self._in_file = 0

    def append(self, images: list[Pixels]) -> None:
        joined = b"".join(images)  # type: ignore[arg-type]
        rows = np.frombuffer(joined, np.uint8).reshape(-1, self._row_bytes)
        while len(rows):
            if self._filled == len(self._buffer):
                self._spill()
            part = rows[: len(self._buffer) - self._filled]
            self._buffer[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            rows = rows[len(part) :]

    def _spill(self) -> None:
        left = self._buffer[: self._filled].data.cast("B")
        while left:  # a disk that is nearly full takes a part, and refuses the rest
            left = left[self._file.write(left) :]
        self._in_file += self._filled
        self._filled = 0

    def close(self) -> None:
        """End the appending; if pictures are in the file, the rest goes there too and the memory is freed."""
        if self._in_file:
            self._spill()
            self._buffer = self._buffer[:0].copy()

    def copy(self, places: NDArray[np.int64], target: IO[bytes]) -> None:
        """Write the pictures at these places to `target`, in this order."""
        if not self._in_file:
            step = max(1, COPY_BYTES // self._row_bytes)
            for start in range(0, len(places), step):
                target.write(self._buffer[places[start : start + step]].data)
            return
        # Read without a memory map, whose pages would count as this process's memory, and read pictures that lie
        # together at once.
        starts = np.flatnonzero(np.diff(places, prepend=-2) != 1)
        lengths = np.diff(starts, append=len(places))
        for first, count in zip(places[starts].tolist(), lengths.tolist(), strict=True):
            self._file.seek(first * self._row_bytes)
            for left in range(count * self._row_bytes, 0, -COPY_BYTES):
                target.write(self._read(min(COPY_BYTES, left)))

    def _read(self, size: int) -> bytes:
        pieces = b""
        while len(pieces) < size:  # the system may give less than it is asked for
            piece = self._file.read(size - len(pieces))
            if not piece:
                raise OSError(errno.EIO, "the file of pixels is shorter than what was written to it")
            pieces += piece
        return pieces
