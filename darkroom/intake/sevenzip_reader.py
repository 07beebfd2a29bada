"""The members of a 7z archive, one after the other. Blocks are unpacked as a stream: a piece is in memory at a time.

The standard library unpacks what 7-Zip makes of pictures: LZMA2, its usual method, LZMA, bzip2, and files stored as
they are. py7zr only pushes members into an object of ours, keeps more and more packed bytes in memory where members
are small, and gives a block of Zstandard or deflate no bound.
"""

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import IO, Any, NamedTuple

from darkroom.intake import sevenzip_header
from darkroom.intake.sevenzip_streams import BadSevenZip, Block, Coder
from darkroom.intake.zip_reader import BadMember, Unreadable, failing

MAGIC = b"7z\xbc\xaf\x27\x1c"
START = struct.Struct("<6s2xLQQL")  # magic, checksum of the three that follow: place, size and checksum of the header
PIECE = 2**20
PACKED_PIECE = 2**16
MEMORY = 2**28  # bytes of an LZMA dictionary: as many as `7z -mx=9` asks for at most

STORED, DELTA, LZMA, LZMA2, BZIP2 = b"\0", b"\3", b"\3\1\1", b"\x21", b"\4\2\2"
X86 = (b"\4", b"\3\3\1\3")  # turns addresses in programs; py7zr applies it to everything
METHODS = {
    b"\3\3\1\x1b": "BCJ2",
    b"\3\4\1": "PPMd",
    b"\4\1\x08": "deflate",
    b"\4\1\x09": "deflate64",
    b"\4\xf7\x11\1": "Zstandard",
    b"\4\xf7\x11\2": "Brotli",
}
ENCRYPTION = b"\6\xf1\7\1"
ENCRYPTED = "it is encrypted: unpack it with its password and pack it again without"
LINK = "it is a link to another file: pack the file itself in its place"

Decoder = lzma.LZMADecompressor | bz2.BZ2Decompressor


@dataclass(slots=True)
class _Unpacked:
    """The unpacked bytes of one block; they pass by once, from its beginning."""

    source: Iterator[bytes]
    at: int = 0
    rest: memoryview = field(default_factory=lambda: memoryview(b""))

    def take(self, start: int, size: int) -> Iterator[memoryview]:
        """The bytes from `start` on, in pieces; what lies before them is passed over."""
        end = start + size
        while self.at < end:
            if not self.rest:
                self.rest = memoryview(next(self.source, b""))
                if not self.rest:
                    raise BadSevenZip("its data end early")
            piece = self.rest[: (start if self.at < start else end) - self.at]
            self.rest = self.rest[len(piece) :]
            self.at += len(piece)
            if self.at > start:
                yield piece


class Member(NamedTuple):
    """One file. Its content can be read once, before the next member is asked for."""

    name: str
    size: int
    crc: int | None
    link: bool
    at: int
    block: _Unpacked | None  # None of an empty file
    problem: str = ""  # why it cannot be read

    def content(self) -> Callable[[], bytes]:
        """Unpack the content now; the function returned gives it, or raises BadMember."""
        if self.problem:
            return failing(self.problem)
        data = b"".join(self.block.take(self.at, self.size)) if self.block else b""

        def checked() -> bytes:
            if self.crc is not None and zlib.crc32(data) != self.crc:
                raise BadMember("it has a wrong checksum")
            return data

        return checked

    def pieces(self) -> Iterator[bytes]:
        """The content in pieces of at most 1 MiB. Raises Unreadable, or BadSevenZip where it is damaged."""
        if self.problem:
            raise Unreadable(f"{self.name}: {self.problem}")
        crc = 0
        for piece in self.block.take(self.at, self.size) if self.block else ():
            crc = zlib.crc32(piece, crc)
            yield bytes(piece)
        if self.crc is not None and crc != self.crc:
            raise BadSevenZip(f"{self.name} has a wrong checksum")


def members(stream: IO[bytes], spend: Callable[[int], None]) -> Iterator[Member]:
    """Yield the members of a seekable 7z archive in its own order, which is that of its blocks. Folders are left out.

    `spend` is told beforehand to how many bytes all of them unpack. Raises BadSevenZip for a damaged header, Unreadable
    for an encrypted one.
    """
    contents = sevenzip_header.parse(_header(stream), lambda block: _packed_header(stream, block))
    blocks = contents.streams.blocks
    spend(sum(block.size for block in blocks))
    number, unpacked, problem = -1, None, ""
    for entry in contents.entries():
        if entry.block is not None and entry.block != number:
            number = entry.block
            problem = _problem(blocks[number].coders, blocks[number].chained)
            unpacked = _Unpacked(_unpack(stream, blocks[number]))
        own = LINK if entry.link else problem if entry.block is not None else ""
        yield Member(entry.name, entry.size, entry.crc, entry.link, entry.at, unpacked if entry.size else None, own)


def _header(stream: IO[bytes]) -> bytes:
    length = stream.seek(0, 2)
    stream.seek(0)
    start = stream.read(START.size)
    if len(start) < START.size:
        raise BadSevenZip("it is cut short" if start else "it is empty")
    magic, crc, place, size, header_crc = START.unpack(start)
    if magic != MAGIC:
        raise BadSevenZip("it does not begin as a 7z archive does")
    if zlib.crc32(start[12:]) != crc:
        raise BadSevenZip("its beginning has a wrong checksum")
    if START.size + place + size > length:
        raise BadSevenZip("it ends before its header, which stands last")
    if size > sevenzip_header.LONGEST_HEADER:
        raise BadSevenZip(f"its header has {size:,} bytes")
    stream.seek(START.size + place)
    header = stream.read(size)
    if zlib.crc32(header) != header_crc:
        raise BadSevenZip("its header has a wrong checksum")
    return header


def _packed_header(stream: IO[bytes], block: Block) -> bytes:
    if problem := _problem(block.coders, block.chained):
        raise Unreadable(f"the list of its files does not unpack, for {problem}")
    return b"".join(_Unpacked(_unpack(stream, block)).take(0, block.size))


@lru_cache(maxsize=16)  # an archive may have a block for each member, mostly all of one kind
def _problem(coders: tuple[Coder, ...], chained: bool) -> str:
    """Why a block with these coders cannot be unpacked; nothing if it can."""
    if any(coder.method == ENCRYPTION for coder in coders):
        return ENCRYPTED
    try:
        _decoder(coders if chained else ())
    except MemoryError as error:
        return str(error)
    except (LookupError, ValueError, struct.error, lzma.LZMAError):
        foreign = {coder.method for coder in coders} - {STORED, DELTA, LZMA, LZMA2, BZIP2, *X86}
        names = sorted(METHODS.get(method, f"method {method.hex()}") for method in foreign)
        how = f"with {' and '.join(names)}" if names else "in an unusual way"
        return f"it is compressed {how}: pack it again with LZMA2, 7-Zip's usual method"
    return ""


def _unpack(stream: IO[bytes], block: Block) -> Iterator[bytes]:
    """The unpacked bytes of a block, in pieces of at most 1 MiB."""
    decoder = _decoder(block.coders)
    place = START.size + block.start
    end, left = place + block.packed, block.size
    while left:
        packed = b""
        if decoder is None or decoder.needs_input:
            stream.seek(place)
            packed = stream.read(min(PACKED_PIECE, end - place))
            if not packed:
                return
            place += len(packed)
        piece = packed[:left] if decoder is None else decoder.decompress(packed, min(left, PIECE))
        left -= len(piece)
        if piece:
            yield piece


def _decoder(coders: tuple[Coder, ...]) -> Decoder | None:
    """What unpacks a block; None where it is stored as it is.

    Raises MemoryError where that would take too much, and LookupError, ValueError, struct.error or LZMAError for others
    that are not read.
    """
    methods = [coder.method for coder in coders]
    if methods == [STORED]:
        return None
    if methods == [BZIP2]:
        return bz2.BZ2Decompressor()
    filters = _filters(coders)
    if (needed := sum(one.get("dict_size", 0) for one in filters)) > MEMORY:
        raise MemoryError(f"it needs {needed:,} bytes of memory to be unpacked: pack it again with `7z a -md=64m`")
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)


def _filters(coders: tuple[Coder, ...]) -> list[dict[str, Any]]:
    """The coders as liblzma names them, in the order in which they pack. Raises LookupError for others."""
    found: list[dict[str, Any]] = []
    for method, properties in coders:
        if method == LZMA:
            code, size = struct.unpack("<BL", properties)
            numbers = {"lc": code % 9, "lp": code // 9 % 5, "pb": code // 45}
            found.append({"id": lzma.FILTER_LZMA1, "dict_size": size, **numbers})
        elif method == LZMA2:
            (code,) = properties
            size = min((2 | code & 1) << (code // 2 + 11), 2**32 - 1)
            found.append({"id": lzma.FILTER_LZMA2, "dict_size": size})
        elif method == DELTA:
            (code,) = properties
            found.append({"id": lzma.FILTER_DELTA, "dist": code + 1})
        # With LZMA, whose end is not marked, liblzma would keep back the last bytes of what this one gives.
        elif method in X86 and found and found[0]["id"] == lzma.FILTER_LZMA2:
            found.append({"id": lzma.FILTER_X86})
        else:
            raise LookupError
    return found[::-1]
