"""Looks into an archive, or a folder that will become one, without unpacking it: its files by name, and its tables."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from darkroom.config.patterns import composed
from darkroom.intake import folder_files, tables
from darkroom.intake.archive import Limits
from darkroom.intake.zip_reader import BadMember
from darkroom.pictures.decoding import is_hidden, looks_like_image

SLICE = 2**16  # names that are packed together
TABLE_BYTES = 2**27  # of one table that is looked into
ALL_TABLES = 2**29  # bytes of all of them
TEXTS_IN_A_FOLDER = 20  # a folder of more texts holds one for each picture, such as its boxes
TEXTS = 400
READ, READ_OF_EACH = 100, 3  # folders of which some pictures are read on the way, and how many of each


class Names:
    """Paths by their folders, in Unicode's composed form; of each path little more than its name's own bytes is kept.

    `folders` are sorted; `counts` (int64) are the numbers of files right in each.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        places: dict[str, int] = {}
        codes: list[NDArray[np.int32]] = []
        chunks: list[pa.Array] = []
        for part in _slices(paths):
            split = [path.rpartition("/") for path in part]
            codes.append(np.array([places.setdefault(folder, len(places)) for folder, _, _ in split], np.int32))
            chunks.append(pa.array([name for _, _, name in split], pa.large_string()))
        self.folders = sorted(places)
        rank = np.empty(len(places), np.int32)
        rank[[places[folder] for folder in self.folders]] = np.arange(len(places))
        code = rank[np.concatenate(codes)] if codes else np.empty(0, np.int32)
        names = pa.chunked_array(chunks, pa.large_string()).combine_chunks()
        self._names = names.take(pa.array(np.argsort(code, kind="stable")))
        self.counts = np.bincount(code, minlength=len(places)).astype(np.int64)
        self._starts = np.concatenate([[0], np.cumsum(self.counts)])

    def __len__(self) -> int:
        return len(self._names)

    def names(self, folder: int) -> list[str]:
        """The names of the files right in one folder, given by its place in `folders`."""
        start = int(self._starts[folder])
        found: list[str] = self._names.slice(start, int(self.counts[folder])).to_pylist()
        return found

    def paths(self, folders: Iterable[int] | None = None) -> Iterator[str]:
        """The paths of the files right in some folders, or of all."""
        for folder in range(len(self.folders)) if folders is None else folders:
            start = f"{self.folders[folder]}/" if self.folders[folder] else ""
            for name in self.names(folder):
                yield start + name


@dataclass(frozen=True)
class Survey:
    """What an archive holds, hidden files aside."""

    source: Path
    limits: Limits
    pictures: Names
    others: Names
    tables: dict[str, bytes]  # content by path
    read: dict[str, bytes] = field(default_factory=dict)  # some pictures of each folder, where reading later costs much


def survey(source: Path, limits: Limits) -> Survey:
    """Look through an archive or a folder once, reading its tables alone. Raises UserError where it is damaged."""
    pictures, others = _Collector(), _Collector()
    streamed = ["" if source.suffix.lower() != ".zip" and not source.is_dir() else "/"]  # where what is passed is past
    taken: Counter[str] = Counter()
    texts: Counter[tuple[str, int, str]] = Counter()

    def wanted(path: str) -> bool:
        path = composed(path)
        if looks_like_image(path):
            pictures.add(path)
            folder = path.rpartition("/")[0]
            if len(taken) < READ and taken[folder] < READ_OF_EACH and path.startswith(streamed[-1]):
                taken[folder] += 1
                return True
        elif not is_hidden(path):
            others.add(path)
            if tables.may_be_table(path) or path.lower().endswith(".mat"):
                above = path.rpartition("/")[0].rpartition("/")[0]  # so that of train/*/boxes.txt some are read too
                place = (above, path.count("/"), path[path.rfind(".") :])
                texts[place] += 1
                return texts[place] <= TEXTS_IN_A_FOLDER and len(texts) <= TEXTS
        return False

    def may_hold(folder: str) -> bool:
        streamed.append(f"{composed(folder)}/")
        return True

    content: dict[str, bytes] = {}
    read: dict[str, bytes] = {}
    left = ALL_TABLES
    for file in folder_files.files(source, wanted=wanted, may_hold=may_hold, limits=limits):
        if file.link or file.size > min(TABLE_BYTES, left):
            continue
        try:
            place = read if looks_like_image(file.path) else content
            place[composed(file.path)] = file.read()
            left -= file.size
        except BadMember:  # the pipeline says so, should an entry name it
            continue
    return Survey(source, limits, pictures.names(), others.names(), content, read)


def contents(source: Path, paths: Collection[str], limits: Limits) -> Iterator[tuple[str, bytes]]:
    """The contents of some files of an archive or a folder; those that are damaged are left out."""
    left = set(paths)
    above = {path[:place] for path in left for place, letter in enumerate(path) if letter == "/"}
    if not left:
        return
    wanted = lambda path: composed(path) in left  # noqa: E731
    may_hold = lambda folder: composed(folder) in above  # noqa: E731
    for file in folder_files.files(source, wanted=wanted, may_hold=may_hold, limits=limits):
        path = composed(file.path)
        if file.link or path not in left:
            continue
        with suppress(BadMember):
            yield path, file.read()
        left.discard(path)
        if not left:
            return


class _Collector:
    """Paths that come one by one, packed in slices."""

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._packed: list[pa.Array] = []

    def add(self, path: str) -> None:
        self._waiting.append(path)
        if len(self._waiting) == SLICE:
            self._packed.append(pa.array(self._waiting, pa.large_string()))
            self._waiting = []

    def names(self) -> Names:
        packed, waiting = self._packed, self._waiting
        return Names(path for part in (*(one.to_pylist() for one in packed), waiting) for path in part)


def _slices(paths: Iterable[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for path in paths:
        part.append(path)
        if len(part) == SLICE:
            yield part
            part = []
    if part:
        yield part
