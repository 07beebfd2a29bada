"""7z archives made on the fly, also such as no program writes."""

import lzma
import struct
import zlib

STORED, LZMA, LZMA2, BZIP2 = b"\0", b"\3\1\1", b"\x21", b"\4\2\2"
MAGIC = b"7z\xbc\xaf\x27\x1c"
LINK = (0o120777 << 16) | 0x8000
FOLDER = 0x10


def number(value):
    """A number as 7z writes it."""
    for more in range(8):
        if value < 1 << (7 * (more + 1)):
            first = (0xFF00 >> more) & 0xFF | value >> 8 * more
            return bytes([first]) + (value & (1 << 8 * more) - 1).to_bytes(more, "little")
    return b"\xff" + value.to_bytes(8, "little")


def coder(method=LZMA2, properties=None):
    """A coder in a header; a dictionary of 1 MiB."""
    if properties is None:
        properties = {LZMA2: b"\x10", LZMA: b"\x5d" + struct.pack("<L", 2**20)}.get(method, b"")
    mark = len(method) | 0x20 * bool(properties)
    return bytes([mark]) + method + (number(len(properties)) + properties if properties else b"")


def packed(data, method=LZMA2):
    if method == BZIP2:
        import bz2

        return bz2.compress(data)
    if method not in (LZMA, LZMA2):
        return data
    name = lzma.FILTER_LZMA1 if method == LZMA else lzma.FILTER_LZMA2
    return lzma.compress(data, lzma.FORMAT_RAW, filters=[{"id": name, "preset": 0, "dict_size": 2**20}])


def streams(blocks, coders=None, sizes=None, crcs=True, method=LZMA2):
    """The part of a header about blocks, each of them a list of contents; and their packed bytes."""
    bodies = [packed(b"".join(block), method) for block in blocks]
    coders = coders or number(1) + coder(method)
    sizes = sizes or [[len(content) for content in block] for block in blocks]
    parts = [len(own) for own in sizes]
    sums = b"".join(struct.pack("<L", zlib.crc32(content)) for block in blocks for content in block)
    return (
        b"\6\0" + number(len(bodies)) + b"\t" + b"".join(number(len(body)) for body in bodies) + b"\0"
        b"\7\x0b" + number(len(blocks)) + b"\0" + coders * len(blocks)
        + b"\x0c" + b"".join(number(sum(own)) for own in sizes) + b"\0"
        b"\x08\x0d" + b"".join(map(number, parts))
        + b"\t" + b"".join(number(size) for own in sizes for size in own[:-1])
        + (b"\x0a\1" + sums if crcs else b"") + b"\0\0"
    ), b"".join(bodies)  # fmt: skip


def names_of(names, attributes=None, empty=(), count=None):
    """The part of a header about files; `empty` are the numbers of those without content."""
    text = b"\0" + b"".join(name.encode("utf-16-le", "surrogatepass") + b"\0\0" for name in names)
    part = b"\5" + number(len(names) if count is None else count)
    if empty:
        bits = bytearray(-(-len(names) // 8))
        for at in empty:
            bits[at >> 3] |= 0x80 >> (at & 7)
        part += b"\x0e" + number(len(bits)) + bits
    part += b"\x11" + number(len(text)) + text
    if attributes:
        values = b"\1\0" + b"".join(struct.pack("<L", one) for one in attributes)
        part += b"\x15" + number(len(values)) + values
    return part + b"\0"


def around(body, header):
    """The archive of packed bytes and a header."""
    facts = struct.pack("<QQL", len(body), len(header), zlib.crc32(header))
    return MAGIC + b"\0\4" + struct.pack("<L", zlib.crc32(facts)) + facts + body + header


def sevenzip_of(files, *, blocks=1, method=LZMA2, pack_header=False, attributes=None, **options):
    """A 7z archive of `files`, a mapping or pairs of path and content, in so many blocks."""
    files = list(files.items() if isinstance(files, dict) else files)
    contents = [content for _, content in files if content]
    each = max(1, -(-len(contents) // blocks))
    divided = [contents[at : at + each] for at in range(0, len(contents), each)]
    about, body = streams(divided, method=method, **options) if divided else (b"", b"")
    empty = [at for at, (_, content) in enumerate(files) if not content]
    header = (
        b"\1" + (b"\4" + about if about else b"") + names_of([path for path, _ in files], attributes, empty) + b"\0"
    )
    return around(body, header) if not pack_header else with_packed_header(body, header)


def with_packed_header(body, header, method=LZMA2, size=None, coders=None):
    """An archive whose header is packed, as those of 7-Zip itself are."""
    content = packed(header, method)
    about = (
        b"\x17\6" + number(len(body)) + number(1) + b"\t" + number(len(content)) + b"\0"
        b"\7\x0b\1\0" + (coders or number(1) + coder(method)) + b"\x0c" + number(size or len(header))
        + b"\x0a\1" + struct.pack("<L", zlib.crc32(header)) + b"\0\0"
    )  # fmt: skip
    return around(body + content, about)
