"""The encoding of a text file, told from its bytes."""

import codecs

from darkroom.base.errors import UserError

MARKS = (  # UTF-32 first: its mark begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
BINARY = {b"PK\x03\x04": "a zip or an Excel file", b"\x1f\x8b": "compressed by gzip", b"\x89HDF": "an HDF5 file"}
SLICE = 1 << 24  # bytes that are decoded together


def utf8(data: bytes, path: str) -> tuple[bytes, str | None]:
    """A text file's bytes in UTF-8 without a mark, lines ending as they did, and a note if its encoding was a guess.

    Text is UTF-8 unless a mark (BOM) or bytes that UTF-8 does not know say otherwise; then it is Windows-1252, or
    Latin-1 where Windows-1252 has a gap. Raises UserError if the file is no text.
    """
    note = None
    for start, what in BINARY.items():
        if data.startswith(start):
            raise UserError(f"{path} is {what}, no text: unpack it, or save it as CSV (UTF-8)")
    encoding = next((name for mark, name in MARKS if data.startswith(mark)), None)
    if encoding is None and not _is_utf8(data):
        encoding = "cp1252" if _decodes(data, "cp1252") else "latin-1"
        note = f"is not UTF-8: read as {'Windows-1252' if encoding == 'cp1252' else 'Latin-1'}"
    if encoding:
        try:
            data = data.decode(encoding).encode()
        except UnicodeError:
            raise UserError(f"{path} begins as {encoding.upper()} and is damaged: save it as UTF-8") from None
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
