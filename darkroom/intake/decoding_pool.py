"""Decodes pictures in a pool of threads, in the order of their archive, and ties what is noticed to each file."""

import hashlib
import math
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import pyarrow as pa

from darkroom.intake.archive import File
from darkroom.intake.layout import Place
from darkroom.intake.zip_reader import BadMember
from darkroom.pictures.arrays import from_array
from darkroom.pictures.decoder_warnings import mark, warned_since, warning_of
from darkroom.pictures.decoding import Header, Pixels, Target, decode
from darkroom.pictures.notes import NOTHING, BadImage, Notes

CHUNK_FILES = 128
# The reading thread itself decodes chunks of files this small on average: passing Python's lock would cost more.
SMALL = 2**13  # bytes
CHUNK_BYTES = 2**24

Placed = tuple[File, Place]


@dataclass(slots=True)
class Chunk:
    """The pictures of one task, and their values for the columns of the index."""

    images: list[Pixels] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)  # of the pixels
    file_hashes: list[bytes] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)
    headers: list[Header] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)  # path and reason
    noted: list[tuple[str, Notes]] = field(default_factory=list)  # pictures of which something is unusual
    warned: list[tuple[str, str]] = field(default_factory=list)  # path, and what the decoder said
    suspect: bool = False  # a decoder, perhaps in another thread, has written a warning meanwhile

    def table(self) -> pa.RecordBatch:
        """The rows of the index, with labels as text."""
        widths, heights, channels, _ = zip(*self.headers, strict=True) if self.headers else ((), (), (), ())
        return pa.record_batch(
            {
                "path": pa.array([file.path for file, _ in self.placed], pa.string()),
                "label": pa.array([place.label for _, place in self.placed], pa.string()),
                "subset": pa.array([place.subset for _, place in self.placed], pa.string()),
                "group": pa.array([place.group for _, place in self.placed], pa.string()),
                "sha256": pa.array(self.hashes, pa.binary(32)),
                "file_sha256": pa.array(self.file_hashes, pa.binary(32)),
                "width": pa.array(widths, pa.int32()),
                "height": pa.array(heights, pa.int32()),
                "channels": pa.array(channels, pa.int8()),
            }
        )

    def drop(self, at: int, reason: str) -> None:
        """Reject a picture that was decoded."""
        self.rejected.append((self.placed[at][0].path, reason))
        for column in (self.images, self.hashes, self.file_hashes, self.placed, self.headers):
            del column[at]


def decoded(files: Iterable[Placed], target: Target, threads: int) -> Iterator[Chunk]:
    """Decode the pictures and yield them in their order; only a few chunks are in memory at a time."""
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Chunk]] = deque()

        def first() -> Chunk:
            chunk = waiting.popleft().result()
            if chunk.suspect:
                wait(waiting)  # no other thread may decode while the warnings are tied to their files
                _tie_warnings(chunk)
            return chunk

        for chunk in _chunks(files, target.shape):
            if sum(file.size for file, _ in chunk) < SMALL * len(chunk):
                done: Future[Chunk] = Future()
                done.set_result(_decode_all(chunk, target))
                waiting.append(done)
            else:
                waiting.append(pool.submit(_decode_all, chunk, target))
            if len(waiting) > threads:
                yield first()
        while waiting:
            yield first()


def _chunks(files: Iterable[Placed], shape: tuple[int, int, int]) -> Iterator[list[Placed]]:
    at_most = max(1, min(CHUNK_FILES, CHUNK_BYTES // math.prod(shape)))
    chunk: list[Placed] = []
    size = 0
    for placed in files:
        chunk.append(placed)
        size += placed[0].size
        if len(chunk) == at_most or size > CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _decode_all(files: list[Placed], target: Target) -> Chunk:
    chunk, before = Chunk(), mark()
    for placed in files:
        file, place = placed
        try:
            if place.problem:
                raise BadImage(place.problem)
            content = file.read()
            image, header, notes = decode(content, target) if file.values is None else from_array(file.values, target)
        except (BadImage, BadMember) as error:
            chunk.rejected.append((file.path, str(error)))
            continue
        chunk.images.append(image)
        chunk.hashes.append(hashlib.sha256(image).digest())  # type: ignore[arg-type]
        chunk.file_hashes.append(hashlib.sha256(content).digest())
        chunk.placed.append(placed)
        chunk.headers.append(header)
        if notes is not NOTHING:
            chunk.noted.append((file.path, notes))
    chunk.suspect = warned_since(before)
    return chunk


def _tie_warnings(chunk: Chunk) -> None:
    """Decode the pictures once more, one by one, and note which of them the decoder warns of."""
    for at in reversed(range(len(chunk.placed))):
        file, _ = chunk.placed[at]
        try:
            if file.values is None and (message := warning_of(file.read())):
                chunk.warned.append((file.path, message))
        except BadImage as error:
            chunk.drop(at, str(error))
