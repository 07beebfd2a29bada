"""Reads the header of a 7z archive: the names of its members, and where the content of each lies.

py7zr's reader keeps half a kilobyte for each member, takes two bytes at a time off the names, and believes the counts
of a header that was made to do harm. Format: 7zFormat.txt of Igor Pavlov's LZMA SDK.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from darkroom.intake.sevenzip_streams import END, BadSevenZip, Block, Reader, Streams, read_streams

# Marks of the parts of a header.
HEADER, STREAMS, FILES = 1, 4, 5
EMPTY, NAMES, ATTRIBUTES, ENCODED_HEADER = 0x0E, 0x11, 0x15, 0x17
LAYERS = 4  # of packed headers: 7-Zip packs a header once
LONGEST_HEADER = 2**26  # bytes, unpacked: enough for a million members
FOLDER, UNIX_MODE = 0x10, 0x8000  # of a member's attributes; with the second, the upper 16 bits are a Unix mode
KIND, FOLDER_KIND, LINK_KIND = 0xF000, 0x4000, 0xA000  # of a Unix mode
REPARSE_POINT = 0x400  # a link of Windows


class Entry(NamedTuple):
    """One member that is no folder."""

    name: str
    size: int
    crc: int | None
    link: bool
    block: int | None  # the number of its block; None of an empty file
    at: int  # its place in the unpacked block


@dataclass
class Contents:
    """What an archive holds. `names` ends each name with a zero character."""

    streams: Streams = field(default_factory=Streams)
    count: int = 0
    names: str = ""
    empty: list[bool] = field(default_factory=list)
    attributes: list[int | None] = field(default_factory=list)

    def entries(self) -> Iterator[Entry]:
        """The members in their order."""
        parts = _parts(self.streams)
        at = 0
        for number in range(self.count):
            end = self.names.index("\0", at)
            name, at = self.names[at:end], end + 1
            attributes = (self.attributes[number] if self.attributes else 0) or 0
            kind = attributes >> 16 & KIND if attributes & UNIX_MODE else 0
            link = kind == LINK_KIND or bool(attributes & REPARSE_POINT)
            if self.empty and self.empty[number]:
                if not (attributes & FOLDER or kind == FOLDER_KIND):
                    yield Entry(name, 0, None, link, None, 0)
                continue
            part = next(parts, None)
            if part is None:
                raise BadSevenZip("its header names more files than it has contents")
            block, start, size, crc = part
            yield Entry(name, size, crc, link, block, start)


def _parts(streams: Streams) -> Iterator[tuple[int, int, int, int | None]]:
    """Each part's block, its place in it, its size and its checksum."""
    for number, (sizes, crcs) in enumerate(zip(streams.sizes, streams.crcs, strict=True)):
        at = 0
        for size, crc in zip(sizes, crcs, strict=True):
            yield number, at, size, crc
            at += size


def parse(header: bytes, unpack: Callable[[Block], bytes]) -> Contents:
    """Read a header; where it is packed itself, `unpack` gives the bytes of its block.

    Raises BadSevenZip for one that is damaged, or that asks for more than any data set has.
    """
    for _ in range(LAYERS):
        read = Reader(header)
        mark = read.byte() if header else END
        if mark == ENCODED_HEADER:
            streams = read_streams(read)
            if not streams.blocks:
                raise BadSevenZip("its header is damaged")
            block = streams.blocks[0]
            if block.size > LONGEST_HEADER:
                raise BadSevenZip(f"its header has {block.size:,} bytes")
            header = unpack(block)
            if block.crc is not None and zlib.crc32(header) != block.crc:
                raise BadSevenZip("its header has a wrong checksum")
        elif mark == HEADER:
            return _contents(read)
        elif header:
            break
        else:
            return Contents()
    raise BadSevenZip("its header is damaged")


def _contents(read: Reader) -> Contents:
    found = Contents()
    mark = read.byte()
    if mark == STREAMS:
        found.streams = read_streams(read)
        mark = read.byte()
    if mark == FILES:
        _files(read, found)
        mark = read.byte()
    if mark != END:
        raise BadSevenZip("its header is damaged")
    return found


def _files(read: Reader, found: Contents) -> None:
    found.count = read.count()
    while mark := read.byte():
        part = Reader(read.take(read.number()))
        if mark == EMPTY:
            found.empty = part.bits(found.count)
        elif mark == ATTRIBUTES:
            found.attributes = part.some(found.count, external=True)
        elif mark == NAMES:
            if part.byte():
                raise BadSevenZip("its header lies in several places")
            found.names = part.data[1:].decode("utf-16-le", "replace")
    if found.names.count("\0") < found.count:
        raise BadSevenZip("its header names fewer files than it counts")
