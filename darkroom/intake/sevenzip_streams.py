"""Reads which blocks a 7z archive is packed in, by what methods, and how each block divides into parts, the members.

Format: 7zFormat.txt of Igor Pavlov's LZMA SDK, «Streams Info». What it calls a folder is here a block.
"""

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

# Marks of the parts of a header.
END, PACKED, BLOCKS, PARTS = 0, 6, 7, 8
SIZE, CHECKSUMS, BLOCK, UNPACKED_SIZES, PART_COUNTS = range(9, 14)
COMPLEX, WITH_PROPERTIES = 0x10, 0x20  # of a coder: it has several streams; it has properties
MOST = 2**21  # members, blocks or streams: more are not a data set but an attack
MOST_CODERS = 32  # as in 7-Zip itself, and as many streams between them


class BadSevenZip(Exception):
    """The archive as a whole is damaged or cut short."""


class Coder(NamedTuple):
    """One step of unpacking."""

    method: bytes
    properties: bytes


class Block(NamedTuple):
    """Members that are packed as one stream."""

    coders: tuple[Coder, ...]  # in the order in which they unpack
    chained: bool  # each coder but the first takes what the one before it gives, and nothing else
    size: int  # unpacked
    streams: int  # in which it is packed
    crc: int | None
    start: int = 0  # of its packed bytes, counted from the end of the signature
    packed: int = 0


@dataclass
class Streams:
    """Blocks, and the sizes and checksums of the parts of each, one part a member."""

    blocks: list[Block] = field(default_factory=list)
    sizes: list[list[int]] = field(default_factory=list)
    crcs: list[list[int | None]] = field(default_factory=list)


class Reader:
    """Takes numbers off a header."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def byte(self) -> int:
        if self.at >= len(self.data):
            raise BadSevenZip("its header is cut short")
        self.at += 1
        return self.data[self.at - 1]

    def take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise BadSevenZip("its header is cut short")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self) -> int:
        """A number of up to 64 bits: as many ones as the first byte begins with, as many bytes follow."""
        first = self.byte()
        if first < 0x80:
            return first
        more = 8 - (first ^ 0xFF).bit_length()
        return int.from_bytes(self.take(more), "little") | (first & (0x7F >> more)) << 8 * more

    def count(self) -> int:
        """A number of things, each of which takes a bit of the header at least."""
        found = self.number()
        if found > min(MOST, 8 * (len(self.data) - self.at)):
            raise BadSevenZip(f"its header counts {found:,} of something")
        return found

    def bits(self, count: int) -> list[bool]:
        packed = self.take(-(-count // 8))
        return [bool(packed[at >> 3] & 0x80 >> (at & 7)) for at in range(count)]

    def some(self, count: int, *, external: bool = False) -> list[int | None]:
        """Numbers of 32 bits, or None for those that are not given; they may stand elsewhere, which nobody writes."""
        given = [True] * count if self.byte() else self.bits(count)
        if external and self.byte():
            raise BadSevenZip("its header lies in several places")
        numbers = iter(struct.unpack(f"<{sum(given)}I", self.take(4 * sum(given))))
        return [next(numbers) if one else None for one in given]

    def expect(self, mark: int) -> None:
        if self.byte() != mark:
            raise BadSevenZip("its header is damaged")


def read_streams(read: Reader) -> Streams:
    """The blocks of an archive, or of a packed header. Raises BadSevenZip for damaged ones."""
    found, start = Streams(), 0
    packed: list[int] = []
    mark = read.byte()
    if mark == PACKED:
        start, packed = _packed(read)
        mark = read.byte()
    if mark == BLOCKS:
        found.blocks = _blocks(read)
        mark = read.byte()
    found.sizes = [[block.size] for block in found.blocks]
    found.crcs = [[block.crc] for block in found.blocks]
    if mark == PARTS:
        _divide(read, found)
        mark = read.byte()
    if mark != END:
        raise BadSevenZip("its header is damaged")
    # The packed streams of all blocks lie one after the other.
    used = 0
    for at, block in enumerate(found.blocks):
        own = packed[used : used + block.streams]
        if len(own) < block.streams:
            raise BadSevenZip("its header has more blocks than packed streams")
        found.blocks[at] = block._replace(start=start, packed=sum(own))
        start, used = start + sum(own), used + block.streams
    return found


def _packed(read: Reader) -> tuple[int, list[int]]:
    """Where the packed streams begin, and the size of each."""
    start, count = read.number(), read.count()
    sizes = []
    mark = read.byte()
    if mark == SIZE:
        sizes = [read.number() for _ in range(count)]
        mark = read.byte()
    if mark == CHECKSUMS:
        read.some(count)
        mark = read.byte()
    if mark != END:
        raise BadSevenZip("its header is damaged")
    return start, sizes


def _blocks(read: Reader) -> list[Block]:
    read.expect(BLOCK)
    count = read.count()
    read.expect(0)  # else they stand elsewhere
    known: dict[tuple[Coder, ...], tuple[Coder, ...]] = {}
    chains = [_chain(read, known) for _ in range(count)]
    read.expect(UNPACKED_SIZES)
    sizes = [[read.number() for _ in range(outputs)][last] for _, _, _, outputs, last in chains]
    crcs: list[int | None] = [None] * count
    mark = read.byte()
    if mark == CHECKSUMS:
        crcs = read.some(count)
        mark = read.byte()
    if mark != END:
        raise BadSevenZip("its header is damaged")
    return [
        Block(coders, chained, size, streams, crc)
        for (coders, chained, streams, _, _), size, crc in zip(chains, sizes, crcs, strict=True)
    ]


def _chain(
    read: Reader, known: dict[tuple[Coder, ...], tuple[Coder, ...]]
) -> tuple[tuple[Coder, ...], bool, int, int, int]:
    """The coders of a block in the order in which they unpack; whether they form a chain; the number of its packed
    streams, of its outputs, and the number of the output that nothing takes up."""
    coders, inputs, outputs = [], 0, 0
    for _ in range(min(read.count(), MOST_CODERS)):
        flags = read.byte()
        method = read.take(flags & 0xF)
        ins, outs = (read.number(), read.number()) if flags & COMPLEX else (1, 1)
        coders.append(Coder(method, read.take(read.number()) if flags & WITH_PROPERTIES else b""))
        inputs, outputs = inputs + ins, outputs + outs
    if not coders or not max(inputs, outputs) <= MOST_CODERS or inputs < outputs or not outputs:
        raise BadSevenZip("its header is damaged")
    # A bond says which input takes what an output gives.
    follows = {}
    for _ in range(outputs - 1):
        taker = read.number()
        follows[read.number()] = taker
    streams = inputs - outputs + 1
    if streams > 1:
        for _ in range(streams):
            read.number()
    last = next((output for output in range(outputs) if output not in follows), 0)
    order = [next((one for one in range(inputs) if one not in follows.values()), 0)]
    while order[-1] in follows and len(order) < len(coders):
        order.append(follows[order[-1]])
    chained = inputs == outputs == len(coders) == len(order) and set(order) == set(range(len(coders)))
    steps = tuple(coders[at] for at in order) if chained else tuple(coders)
    return known.setdefault(steps, steps), chained, streams, outputs, last


def _divide(read: Reader, found: Streams) -> None:
    """Divide the blocks into parts."""
    counts = [1] * len(found.blocks)
    mark = read.byte()
    if mark == PART_COUNTS:
        counts = [read.count() for _ in found.blocks]
        mark = read.byte()
        if sum(counts) > MOST:
            raise BadSevenZip(f"its header counts {sum(counts):,} files")
    for at, (block, count) in enumerate(zip(found.blocks, counts, strict=True)):
        sizes = [read.number() for _ in range(count - 1)] if mark == SIZE else []
        found.sizes[at] = [*sizes, block.size - sum(sizes)] if count else []
        if len(found.sizes[at]) != count or (count and found.sizes[at][-1] < 0):
            raise BadSevenZip("its header is damaged")
    if mark == SIZE:
        mark = read.byte()
    # A block of one part may have given its checksum already.
    missing = [at for at, count in enumerate(counts) if count != 1 or found.blocks[at].crc is None]
    found.crcs = [
        [block.crc] if count == 1 else [None] * count for block, count in zip(found.blocks, counts, strict=True)
    ]
    if mark == CHECKSUMS:
        crcs = iter(read.some(sum(counts[at] for at in missing)))
        for at in missing:
            found.crcs[at] = [next(crcs) for _ in range(counts[at])]
        mark = read.byte()
    if mark != END:
        raise BadSevenZip("its header is damaged")
