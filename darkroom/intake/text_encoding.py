"""The encoding of a text file, told from its bytes."""

import codecs

from darkroom.base.errors import UserError

MARKS = (  # UTF-32 first: its mark begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)
BINARY = {b"PK\x03\x04": "a zip or an Excel file", b"\x1f\x8b": "compressed by gzip", b"\x89HDF": "an HDF5 file"}
SLICE = 1 << 24  # bytes that are decoded together


def encoding_of(data: bytes, path: str) -> tuple[bytes, str, str | None]:
    """The mark (BOM) of a text file, empty where it has none, the encoding of what follows, and a note on a guess.

    Text is UTF-8 unless a mark or bytes that UTF-8 does not know say otherwise; then it is Windows-1252, or Latin-1
    where Windows-1252 has a gap. Raises UserError if the file is no text.
    """
    for start, what in BINARY.items():
        if data.startswith(start):
            raise UserError(f"{path} is {what}, no text: unpack it, or save it as CSV (UTF-8)")
    for mark, encoding in MARKS:
        if data.startswith(mark):
            if not _decodes(data[len(mark) :], encoding):
                raise UserError(f"{path} begins as {encoding[:6].upper()} and is damaged: save it as UTF-8")
            return mark, encoding, None
    if _is_utf8(data):
        return b"", "utf-8", None
    encoding = "cp1252" if _decodes(data, "cp1252") else "latin-1"
    return b"", encoding, f"is not UTF-8: read as {'Windows-1252' if encoding == 'cp1252' else 'Latin-1'}"


def utf8(data: bytes, path: str) -> tuple[bytes, str | None]:
    """A text file's bytes in UTF-8 without a mark, lines ending as they did, and a note if its encoding was a guess.

    Raises UserError if the file is no text.
    """
    mark, encoding, note = encoding_of(data, path)
    data = data[len(mark) :] if encoding == "utf-8" else data[len(mark) :].decode(encoding).encode()
    place = data.find(b"\0")
    if place >= 0:
        line = data.count(b"\n", 0, place) + 1
        raise UserError(f"{path} holds a NUL byte in line {line:,}: it is no text, or damaged; save it as UTF-8")
    return data, note


def _is_utf8(data: bytes) -> bool:
    return data.isascii() or _decodes(data, "utf-8")


def _decodes(data: bytes, encoding: str) -> bool:
    """Whether bytes can be decoded; a slice at a time, to keep little text in memory."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(data), SLICE):
            decoder.decode(data[start : start + SLICE], final=start + SLICE >= len(data))
    except UnicodeError:
        return False
    return True
