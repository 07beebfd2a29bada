"""The members of a zip file, one after the other, with little memory and little work each.

Python's zipfile keeps an object of half a kilobyte for each member and spends 17 µs on reading a small one. With
zipfile behind the same interface, extract of the pictures that `python -m benchmarks scale` makes (28x28, stored) takes
1.6 times the CPU time (100,000 pictures: median of 5 runs in turn; a million, each picture ten times: one run), and for
the million it peaks at 962 MB instead of 381. Format: PKWARE APPNOTE 6.3.10.
"""

import itertools
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

END = struct.Struct("<4s4H2LH")  # end of central directory
LOCATOR64 = struct.Struct("<4sLQL")
END64 = struct.Struct("<4sQ2H2L4Q")
# One member in the central directory: mark, system, flags, method, checksum, sizes, lengths of name, extra, comment,
# attributes (of Unix: mode in the upper half), offset
ENTRY = struct.Struct("<4sxB2xHH4xLLLHHH4xLL")
LOCAL = struct.Struct("<4s5H3L2H")  # the header in front of a member's data; its last two: lengths of name, extra

UNIX = 3
LINK_MODE = 0xA  # the upper four bits of a Unix mode
STORED, DEFLATED = 0, 8
METHODS = {
    9: "deflate64",
    12: "bzip2",
    14: "LZMA",
    93: "Zstandard",
    95: "XZ",
    98: "PPMd",
    99: "AES encryption",
}
LINK = "it is a link to another file: pack again without `zip --symlinks`"
DANGLING = "it is a link whose target is not there"
FULL = 0xFFFFFFFF
PIECE = 2**20


class BadZip(Exception):
    """The zip as a whole is damaged, cut short, or of a kind that cannot be read."""


class Unreadable(Exception):
    """The archive is sound, but of a kind that is not read; the message says of which, and what to do."""


class BadMember(Exception):
    """One member cannot be read; the message says why."""


class _Source:
    """The bytes of the zip before its directory, read ahead if members are read in the order of the file."""

    def __init__(self, stream: IO[bytes], end: int) -> None:
        self._stream, self._end = stream, end
        self._start, self._block = 0, b""

    def view(self, offset: int, size: int) -> tuple[bytes, int]:
        """A block of bytes, and the place in it of the `size` bytes at `offset`; the block may end at the directory."""
        place = offset - self._start
        if place < 0 or place + size > len(self._block):
            follows = 0 <= place <= len(self._block) + PIECE
            # Both numbers come from the archive and may be absurd, so both end where the directory begins.
            offset = min(offset, self._end)
            self._stream.seek(offset)
            wanted = min(max(size, PIECE) if follows else size, self._end - offset)
            self._start, self._block = offset, self._stream.read(wanted)
            place = 0
        return self._block, place

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes at `offset`, fewer where the directory begins."""
        block, place = self.view(offset, size)
        return block[place : place + size]


class Member(NamedTuple):
    """One member: its name, its size once decompressed, and where its content lies."""

    name: str
    size: int
    source: _Source
    packed: int
    method: int
    encrypted: bool
    crc: int
    offset: int
    link: bool = False  # its content is a path; `fetch` packs a link whose target is not there without one

    def content(self) -> Callable[[], bytes]:
        """Read the packed bytes now; the function returned decompresses them, in any thread, or raises BadMember."""
        problem = self._problem()
        if problem:
            return failing(problem)
        if self.packed > 2 * self.size + PIECE:  # deflate adds a few bytes at most; and memory must hold them
            return failing(f"it is packed in {self.packed:,} bytes where {self.size:,} are declared")
        block, at, start = self._find()
        if start + self.packed <= len(block):
            packed = block[start : start + self.packed]
        else:
            packed = self.source.read(self.offset + start - at, self.packed)
        return lambda: self._unpack(packed)

    def pieces(self) -> Iterator[bytes]:
        """The content in pieces of at most 1 MiB. Raises BadZip where it is damaged."""
        problem = self._problem()
        if problem:
            raise BadZip(f"{self.name}: {problem}")
        inflater = zlib.decompressobj(-15)
        _, at, start = self._find()
        place, crc = self.offset + start - at, 0
        end = place + self.packed
        while place < end:
            packed = self.source.read(place, min(end - place, PIECE))
            if not packed:
                raise BadZip(f"{self.name} is cut short")
            place += len(packed)
            for piece in (packed,) if self.method == STORED else _inflated(inflater, packed):
                crc = zlib.crc32(piece, crc)
                yield piece
        if crc != self.crc:
            raise BadZip(f"{self.name} has a wrong checksum")

    def _problem(self) -> str:
        if self.link:
            return LINK if self.size else DANGLING
        if self.encrypted:
            return "it is encrypted: unpack it with its password and pack it again without"
        if self.method not in (STORED, DEFLATED):
            method = METHODS.get(self.method, f"method {self.method}")
            return f"it is compressed with {method}: pack it again with deflate, zip's usual method"
        return ""

    def _find(self) -> tuple[bytes, int, int]:
        """A block of bytes that holds the member's own header, the header's place in it, and that of the data.

        The data itself may reach beyond the block.
        """
        # One read for header and data: the name is as long as in the directory, the extra field hardly longer.
        block, at = self.source.view(self.offset, LOCAL.size + len(self.name) + 64 + min(self.packed, PIECE))
        if block[at : at + 4] != b"PK\3\4" or len(block) - at < LOCAL.size:
            raise BadZip(f"{self.name} is not where the archive's directory says")
        name, extra = block[at + 26] | block[at + 27] << 8, block[at + 28] | block[at + 29] << 8
        return block, at, at + LOCAL.size + name + extra

    def _unpack(self, packed: bytes) -> bytes:
        if self.method == DEFLATED:
            try:
                # Deflate shrinks 1032-fold at best, so a small member cannot fill the memory; a large one that lies
                # about its size could, and is given no more room than it declares.
                if self.packed < PIECE // 16:
                    content = zlib.decompress(packed, -15, max(1, min(self.size, PIECE)))
                else:
                    content = zlib.decompressobj(-15).decompress(packed, max(1, self.size))
            except zlib.error:
                raise BadMember("its compressed data is damaged") from None
        else:
            content = packed
        if len(content) != self.size:
            raise BadMember(f"it has {len(content)} bytes where {self.size} are declared")
        if zlib.crc32(content) != self.crc:
            raise BadMember("it has a wrong checksum")
        return content


def _inflated(inflater: "zlib._Decompress", packed: bytes) -> Iterator[bytes]:
    """Unpack bytes into pieces of at most 1 MiB, none of them empty."""
    piece = inflater.decompress(packed, PIECE)
    while piece:
        yield piece
        # What did not fit waits inside the inflater, even where no packed byte is left.
        piece = inflater.decompress(inflater.unconsumed_tail, PIECE)


def failing(problem: str) -> Callable[[], bytes]:
    """The `content()` of a member that cannot be read: a function that raises BadMember."""

    def read() -> bytes:
        raise BadMember(problem)

    return read


def members(stream: IO[bytes]) -> Iterator[Member]:
    """Yield the members of a seekable zip in the order of its central directory. Folders are left out.

    Raises BadZip where the directory is missing or damaged.
    """
    start, size, count, shift = _directory(stream)
    source = _Source(stream, start)
    buffer, at, place, end = b"", 0, start, start + size
    whole = -1  # from here on, an entry may reach beyond the buffer
    for number in itertools.count():
        if at > whole and place < end:
            stream.seek(place)
            buffer = buffer[at:] + stream.read(min(PIECE, end - place))
            place, at = stream.tell(), 0
            whole = len(buffer) - ENTRY.size - 3 * 0xFFFF
        if not buffer.startswith(b"PK\1\2", at) or len(buffer) - at < ENTRY.size:
            # Of more members than 16 bits count, some tools (macOS's own among them) write the last 16 bits.
            if number >= count:
                return
            raise BadZip("its directory is damaged")
        (_, system, flags, method, crc, packed, size,
         name_length, extra_length, comment_length, mode, offset) = ENTRY.unpack_from(buffer, at)  # fmt: skip
        at += ENTRY.size
        raw = buffer[at : at + name_length]
        if FULL in (packed, size, offset):
            extra = buffer[at + name_length : at + name_length + extra_length]
            size, packed, offset = _zip64(extra, size, packed, offset)
        at += name_length + extra_length + comment_length
        if raw.endswith(b"/"):
            continue
        link = mode >> 28 == LINK_MODE and system == UNIX
        yield Member(_name(raw, flags), size, source, packed, method, bool(flags & 1), crc, offset + shift, link)


def _name(raw: bytes, flags: int) -> str:
    # Many tools write UTF-8 without saying so; bytes that are not UTF-8 are in the old DOS code page.
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace") if flags & 0x800 else raw.decode("cp437")


def _directory(stream: IO[bytes]) -> tuple[int, int, int, int]:
    """Start and size of the central directory, number of members, and bytes that stand before the archive."""
    length = stream.seek(0, 2)
    tail_start = max(0, length - END.size - 0xFFFF)
    stream.seek(tail_start)
    tail = stream.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < END.size:
        raise BadZip("it has no directory at its end")
    _, _, _, _, count, size, offset, _ = END.unpack_from(tail, at)
    end = tail_start + at
    if count == 0xFFFF or FULL in (size, offset):
        stream.seek(max(0, end - LOCATOR64.size))
        locator = stream.read(LOCATOR64.size)
        if locator[:4] == b"PK\6\7":
            stream.seek(max(0, end - LOCATOR64.size - END64.size))
            record = stream.read(END64.size)
            if record[:4] != b"PK\6\6":
                raise BadZip("its zip64 directory is damaged")
            *_, count, size, offset = END64.unpack(record)
            end -= LOCATOR64.size + END64.size
    start = end - size
    if start < 0 or offset > start:
        raise BadZip("its directory lies outside the file")
    return start, size, count, start - offset


def _zip64(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Sizes and offset of a member whose directory entry has no room for them."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            field = extra[at + 4 : at + 4 + length]
            numbers = iter(struct.unpack_from(f"<{len(field) // 8}Q", field))
            try:
                size = next(numbers) if size == FULL else size
                packed = next(numbers) if packed == FULL else packed
                offset = next(numbers) if offset == FULL else offset
            except StopIteration:
                break
            return size, packed, offset
        at += 4 + length
    raise BadZip("a zip64 entry is damaged")
