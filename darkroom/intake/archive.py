"""Reads the files inside an archive as a stream: zip in zip, tar.gz in 7z, and so on. Nothing is unpacked to disk.

A file's path is the same whether Kaggle served it inside a nested archive or unpacked: the archive's name without
its ending counts as a folder, so `trainingSet.tar.gz` holding `trainingSet/0/img_3.jpg` and the plain file
`trainingSet/trainingSet/0/img_3.jpg` are one path.
"""

import bz2
import gzip
import io
import lzma
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

from numpy.typing import NDArray

from darkroom.base.errors import UserError
from darkroom.intake import sevenzip_reader, tar_reader, zip_reader
from darkroom.intake.sevenzip_streams import BadSevenZip

KINDS = ("zip", "7z", "tar", "tar.gz", "tgz", "tar.bz2", "tbz2", "tar.xz", "txz")
ENDINGS = re.compile(rf"\.({'|'.join(map(re.escape, KINDS))})$", re.IGNORECASE)
LAST_LETTERS = {letter for kind in KINDS for letter in (kind[-1], kind[-1].upper())}
PIECE = 2**20
RAR = re.compile(r"\.(rar|r\d\d)$", re.IGNORECASE)
PART = re.compile(r"\.(7z|zip|tar(\.\w+)?)\.\d{3}$|\.z\d\d$", re.IGNORECASE)
DAMAGE = (zip_reader.BadZip, tar_reader.BadTar, BadSevenZip, EOFError, OSError, zlib.error, lzma.LZMAError)
XZ_MEMORY = 2**28  # bytes; `xz -9` asks for a quarter of it, an archive that was made to do harm for gigabytes
Member = zip_reader.Member | tar_reader.Member | sevenzip_reader.Member
MAX_DEPTH = 4
TOLD = 64  # files between two messages on how far an archive is read
MAX_FILE = 2**29  # bytes of one picture file; what is larger is no picture
SPOOL = 2**26  # a nested zip larger than this waits in a temporary file, for it must be seekable


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds against decompression bombs."""

    members: int = 10_000_000
    bytes: int = 10**12


class File(NamedTuple):
    """One file inside an archive. `read` decompresses it; it may run in another thread and raise
    zip_reader.BadMember, whose message says why this one file cannot be read, as it does for each link."""

    path: str
    size: int
    read: Callable[[], bytes]
    link: bool = False
    values: NDArray[Any] | None = None  # of a picture in a container of arrays; `read` then gives their bytes


Inside = Callable[[IO[bytes], "Budget"], Iterator[File]]  # the pictures in a container, whose stream is given
Wanted = Callable[[str], bool | Inside]


def is_archive(name: str) -> bool:
    """Whether a file's name says that it is an archive we can open."""
    return ENDINGS.search(name) is not None


def foreign(name: str) -> str | None:
    """What a file is whose name says that it is an archive, or a part of one, which is not read; None for others."""
    if RAR.search(name):
        return "a RAR archive, which is not read: unpack it with `7z x` or `unar`, and give the folder"
    if PART.search(name):
        return "one part of an archive: unpack the first part with `7z x`, which finds the others, and give the folder"
    return None


def problem(archive: Path) -> str | None:
    """Why a file is not an archive, judged by its beginning or a zip's directory; None if it may be one."""
    try:
        with archive.open("rb") as stream:
            return None if next(iter(_members(stream, Budget(archive, Limits()))), None) else "it holds no file"
    except (zip_reader.Unreadable, *DAMAGE) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        return str(error)


def files(
    archive: Path,
    *,
    wanted: Wanted,
    may_hold: Callable[[str], bool],
    limits: Limits,
    reached: Callable[[int, int], object] = lambda files, place: None,
) -> Iterator[File]:
    """Yield the wanted files of an archive and of the archives inside it, in the archive's own order.

    `wanted` decides by path, and answers with a function for a container, whose pictures that function yields; a link
    is yielded in any case, for it may stand for a folder. `may_hold` says whether a nested archive, given as a folder,
    is worth opening. `reached` is told now and then how many files were yielded, and how many bytes of the archive are
    read.
    Raises UserError where the archive as a whole is damaged, encrypted or beyond the limits.
    """
    budget = Budget(archive, limits)
    try:
        with archive.open("rb") as stream:
            budget.place = stream.tell
            for number, file in enumerate(_walk(stream, "", wanted, may_hold, budget, depth=0)):
                if not number % TOLD:
                    reached(number, budget.place())
                yield file
    except zip_reader.Unreadable as error:
        inside = f", in {budget.inside}" if budget.inside else ""
        raise UserError(f"{archive}{inside} cannot be read: {error}") from None
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        inside = f", in {budget.inside}" if budget.inside else ""
        if str(error) == "Memory usage limit exceeded":  # lzma's
            raise UserError(
                f"{archive}{inside} needs more than {XZ_MEMORY:,} bytes of memory to be unpacked: "
                "pack it again with `xz -9` or a lower number"
            ) from None
        raise UserError(
            f"{archive}{inside} is damaged or cut short ({error}): delete it, fetch it again with `dvc repro -f fetch`"
        ) from None


class Budget:
    """Counts members and unpacked bytes against the limits.

    `inside` is the path of the nested archive being read, `place` how many bytes of the outermost one are read.
    """

    def __init__(self, archive: Path, limits: Limits) -> None:
        self.archive, self.limits = archive, limits
        self.members = self.bytes = 0
        self.inside = ""
        self.place: Callable[[], int] = lambda: 0

    def count(self, size: int) -> None:
        self.members += 1
        if self.members > self.limits.members:
            raise UserError(
                f"{self.archive} holds more than {self.limits.members:,} files: "
                "raise extract.max_members in params.yaml if that is right"
            )
        self.spend(size)

    def spend(self, size: int) -> None:
        self.bytes += size
        if self.bytes > self.limits.bytes:
            raise UserError(
                f"{self.archive} unpacks to more than {self.limits.bytes:,} bytes: "
                "raise extract.max_bytes in params.yaml if that is right"
            )


def _walk(
    stream: IO[bytes],
    folder: str,
    wanted: Wanted,
    may_hold: Callable[[str], bool],
    budget: Budget,
    depth: int,
) -> Iterator[File]:
    """Yield the wanted files below `folder`, the path of this archive inside the outermost one."""
    if depth > MAX_DEPTH:
        raise UserError(
            f"{budget.archive}, in {budget.inside}: archives stand inside archives more than {MAX_DEPTH} deep"
        )
    for member in _members(stream, budget):
        path = _clean(folder + member.name)
        nested = path[-1:] in LAST_LETTERS and ENDINGS.search(path)  # most files end with another letter
        if nested:
            inner = path[: nested.start()]
            if may_hold(inner):
                outside, place = budget.inside, budget.place
                budget.inside = path
                content = buffered(member.pieces(), budget)
                yield from _walk(content, inner + "/", wanted, may_hold, budget, depth + 1)
                budget.inside, budget.place = outside, place
        elif callable(answer := member.link or wanted(path)):
            outside, place = budget.inside, budget.place
            budget.inside = path
            for picture in answer(buffered(member.pieces(), budget), budget):
                budget.count(0)
                yield picture
            budget.inside, budget.place = outside, place
        elif answer:
            budget.count(member.size)
            yield File(path, member.size, _content(member), member.link)


def _content(member: "Member") -> Callable[[], bytes]:
    if member.size > MAX_FILE:
        return zip_reader.failing(f"it has {member.size:,} bytes, and no picture has more than {MAX_FILE:,}")
    return member.content()


def _members(stream: IO[bytes], budget: "Budget") -> "Iterator[Member]":
    """The members of an archive. Its first bytes decide the format, and its name only if they do not."""
    head = stream.peek(tar_reader.BLOCK)  # type: ignore[attr-defined]
    # A file named .zip may begin with a program that unpacks it. It is no zip if it begins as a web page, as another
    # format, or with zeros, as a tar without files does.
    name = (budget.inside or budget.archive.name).lower()
    other = head.startswith((b"\0", b"<", *COMPRESSED)) or head[257:262] == b"ustar"
    if head.startswith(b"Rar!"):
        raise zip_reader.Unreadable(f"it is {foreign('.rar')}")
    if head.startswith(sevenzip_reader.MAGIC) or (name.endswith(".7z") and not (other or head.startswith(b"PK"))):
        return sevenzip_reader.members(stream if stream.seekable() else spooled(stream, budget), budget.spend)
    if head.startswith(b"PK") or (name.endswith(".zip") and not other):
        return zip_reader.members(stream if stream.seekable() else spooled(stream, budget))
    for magic, unpacked in COMPRESSED.items():
        if head.startswith(magic):
            return tar_reader.members(buffered(unpacked(stream), budget))
    return tar_reader.members(stream)


def _gunzipped(stream: IO[bytes]) -> Iterator[bytes]:
    return iter(partial(gzip.GzipFile(fileobj=stream).read, PIECE), b"")


def _bunzipped(stream: IO[bytes]) -> Iterator[bytes]:
    return iter(partial(bz2.BZ2File(stream).read, PIECE), b"")


def _unxzed(stream: IO[bytes]) -> Iterator[bytes]:
    """Unpack xz as lzma.LZMAFile does, but within XZ_MEMORY; several xz streams may follow one another."""
    packed = stream.read(PIECE)
    while packed:
        decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
        while not decoder.eof:
            piece = decoder.decompress(packed, PIECE)
            packed = stream.read(PIECE) if decoder.needs_input else b""
            if piece:
                yield piece
            elif decoder.needs_input and not packed:
                raise EOFError("its xz stream is cut short")
        packed = decoder.unused_data.lstrip(b"\0")
        while not packed and (more := stream.read(PIECE)):
            packed = more.lstrip(b"\0")


COMPRESSED: dict[bytes, Callable[[IO[bytes]], Iterator[bytes]]] = {
    b"\x1f\x8b": _gunzipped,
    b"BZh": _bunzipped,
    b"\xfd7zXZ": _unxzed,
}


def spooled(stream: IO[bytes], budget: "Budget") -> IO[bytes]:
    """The rest of a stream as a seekable one: in memory up to SPOOL bytes, else in a temporary file."""
    first = budget.place()
    start = stream.read(SPOOL)
    spool: IO[bytes] = io.BytesIO(start)
    if len(start) == SPOOL:
        spool = tempfile.TemporaryFile()  # noqa: SIM115, it lives as long as the walk
        spool.write(start)
        shutil.copyfileobj(stream, spool, PIECE)
    # The outer archive stands still while the spool is read: its place is as far between as the spool's.
    size, length = max(1, spool.seek(0, io.SEEK_END)), budget.place() - first
    budget.place = lambda: first + length * spool.tell() // size
    return spool


def buffered(pieces: Iterator[bytes], budget: "Budget") -> IO[bytes]:
    return io.BufferedReader(_Pieces(pieces, budget), PIECE)  # type: ignore[type-var]


class _Pieces(io.RawIOBase):
    """Unpacked pieces as a stream, counted against the limits as they are read."""

    def __init__(self, pieces: Iterator[bytes], budget: "Budget") -> None:
        self._pieces, self._left, self._budget = pieces, b"", budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        if not self._left:
            self._left = next(self._pieces, b"")
            self._budget.spend(len(self._left))
        taken = self._left[: len(buffer)]
        self._left = self._left[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)


def _clean(path: str) -> str:
    """A member's path with `/` as separator and without `.`, `..` or a root; no file is ever written there."""
    if "\\" in path or "//" in path or "./" in path or path.startswith("/"):
        parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
        return "/".join(parts)
    return path
