"""Packs the pictures of an archive into one array and one table, in constant memory whatever their number.

A pool of threads decodes the pictures in the archive's own order and appends them to a scratch file. In the end they
are copied into the order of their paths. So the result depends on neither the order of the archive nor the number of
threads, and no file is read twice.
"""

import errno
import hashlib
import math
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from darkroom.config.catalogue import Layout, Subset
from darkroom.intake.archive import File
from darkroom.intake.zip_reader import BadMember
from darkroom.pictures.decoding import BadImage, Header, Pixels, Target, decode

CHUNK_FILES = 128
# The reading thread itself decodes chunks of files this small on average: passing Python's lock would cost more.
SMALL = 2**13  # bytes
CHUNK_BYTES = 2**24
SCRATCH = 2**26  # bytes of pixels that wait in memory for their order; more wait in a file
COPY_BYTES = 2**24
JOINED_BATCHES = 256
SLICE = 2**16  # rows of the index that are looked at together


@dataclass(slots=True)
class _Chunk:
    """The pictures of one task, and their values for the columns of the index."""

    images: list[Pixels] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    subsets: list[Subset] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    headers: list[Header] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)

    def table(self) -> pa.RecordBatch:
        widths, heights, channels, _ = zip(*self.headers, strict=True) if self.headers else ((), (), (), ())
        return pa.record_batch(
            {
                "path": pa.array(self.paths, pa.string()),
                "label": pa.array(self.labels, pa.string()),
                "subset": pa.array(self.subsets, pa.string()),
                "sha256": pa.array(self.hashes, pa.binary(32)),
                "width": pa.array(widths, pa.int32()),
                "height": pa.array(heights, pa.int32()),
                "channels": pa.array(channels, pa.int8()),
            }
        )


def pack(
    files: Iterable[File],
    layout: Layout,
    shape: tuple[int, int, int],
    folder: Path,
    *,
    max_pixels: int,
    threads: int,
) -> tuple[pa.Table, list[tuple[str, str]]]:
    """Decode `files` and write `folder/images.npy`, uint8, N x height x width x channels.

    Returns the index, in the order of the array (train, test, unlabeled; by path within each; labels as text), and the
    rejected files with their reasons, by path. Of files with equal paths, the last one that decodes is kept.
    """
    columns = _Columns()
    rejected: list[tuple[str, str]] = []
    with tempfile.TemporaryFile(buffering=0, dir=folder) as file:
        scratch = _Scratch(file, math.prod(shape))
        # 1. Decode, in the order of the archive.
        for chunk in _in_threads(_chunks(files, shape), layout, shape, max_pixels, threads):
            scratch.append(chunk.images)
            columns.append(chunk.table())
            rejected.extend(chunk.rejected)
        scratch.close()
        # 2. Copy the pixels into the order of the paths.
        table = columns.table()
        order = _final_order(table)
        with (folder / "images.npy").open("wb") as target:
            head = {"descr": "|u1", "fortran_order": False, "shape": (len(order), *shape)}
            np.lib.format.write_array_header_1_0(target, head)
            scratch.copy(order, target)
    # 3. Bring the index into that order, a column at a time: each old column is freed, so that memory holds the index
    #    once.
    unsorted = {name: table[name] for name in table.column_names}
    del table, scratch
    places = pa.array(order)
    return pa.table({name: unsorted.pop(name).take(places) for name in list(unsorted)}), sorted(rejected)


def _chunks(files: Iterable[File], shape: tuple[int, int, int]) -> Iterator[list[File]]:
    at_most = max(1, min(CHUNK_FILES, CHUNK_BYTES // math.prod(shape)))
    chunk: list[File] = []
    size = 0
    for file in files:
        chunk.append(file)
        size += file.size
        if len(chunk) == at_most or size > CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _in_threads(
    chunks: Iterator[list[File]], layout: Layout, shape: tuple[int, int, int], max_pixels: int, threads: int
) -> Iterator[_Chunk]:
    """Decode the chunks in a pool of threads and yield them in their order; only a few are in memory at a time."""
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[_Chunk]] = deque()
        for chunk in chunks:
            if sum(file.size for file in chunk) < SMALL * len(chunk):
                done: Future[_Chunk] = Future()
                done.set_result(_decode_all(chunk, layout, shape, max_pixels))
                waiting.append(done)
            else:
                waiting.append(pool.submit(_decode_all, chunk, layout, shape, max_pixels))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _decode_all(files: list[File], layout: Layout, shape: tuple[int, int, int], max_pixels: int) -> _Chunk:
    chunk = _Chunk()
    target = Target(shape, max_pixels=max_pixels)
    for file in files:
        subset, label = layout.place(file.path) or ("unlabeled", None)
        try:
            if label is None and subset != "unlabeled":
                raise BadImage("it lies in no class folder")
            image, header, _ = decode(file.read(), target)
        except (BadImage, BadMember) as error:
            chunk.rejected.append((file.path, str(error)))
            continue
        chunk.images.append(image)
        chunk.hashes.append(hashlib.sha256(image).digest())  # type: ignore[arg-type]
        chunk.paths.append(file.path)
        chunk.subsets.append(subset)
        chunk.labels.append(label)
        chunk.headers.append(header)
    return chunk


class _Columns:
    """The index as it grows; small batches are joined now and then, for each takes extra memory."""

    def __init__(self) -> None:
        self._joined: list[pa.Table] = []
        self._batches: list[pa.RecordBatch] = [_Chunk().table()]

    def append(self, batch: pa.RecordBatch) -> None:
        self._batches.append(batch)
        if len(self._batches) == JOINED_BATCHES:
            self._join()

    def _join(self) -> None:
        self._joined.append(pa.Table.from_batches(self._batches).combine_chunks())
        self._batches = []

    def table(self) -> pa.Table:
        """The whole index; the parts are freed."""
        self._join()
        joined, self._joined = self._joined, []
        return pa.concat_tables(joined)


def _final_order(table: pa.Table) -> NDArray[np.int64]:
    """The rows of the index in their final order; of rows with the same path, only the last."""
    # The names of the subsets sort as test, train, unlabeled; train comes first.
    rank = pc.index_in(table["subset"], value_set=pa.array(["train", "test", "unlabeled"]))
    keyed = pa.table({"rank": rank, "path": table["path"], "place": pa.array(np.arange(len(table)))})
    keys = [("rank", "ascending"), ("path", "ascending"), ("place", "ascending")]
    order = pc.sort_indices(keyed, keys).to_numpy().astype(np.int64)
    last = np.ones(len(order), bool)
    for start in range(0, len(order) - 1, SLICE):
        paths = table["path"].take(order[start : start + SLICE + 1]).combine_chunks()
        last[start : start + len(paths) - 1] = pc.not_equal(paths[:-1], paths[1:]).to_numpy(zero_copy_only=False)
    kept: NDArray[np.int64] = order[last]
    return kept


class _Scratch:
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
