"""Text with separated columns: CSV, TSV, and TXT whose separator has to be found."""

import csv
import io
import re
from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.csv as pacsv

from darkroom.base.errors import UserError
from darkroom.base.words import counted
from darkroom.intake.table_columns import MAX_ROWS, Key, by_name, check_size, tidy
from darkroom.intake.text_encoding import utf8
from darkroom.pictures.decoding import looks_like_image

if TYPE_CHECKING:
    import _csv

SEPARATORS = "\t,;|"  # in this order: a tab is seldom part of a name, a comma often
SPACE = " "
NO_SEPARATOR = "\x1f"  # ASCII's own, which no text holds: the whole line is one cell
SAMPLE = 1 << 16  # bytes in which the separator is sought
LONGEST_ROW = 1 << 24  # bytes


class Delimited(NamedTuple):
    """The columns of a text, and what a message about them needs."""

    columns: dict[Key, pa.ChunkedArray]
    first_line: int | None  # of the first row, from 1; None if some row takes several lines, or none
    note: str | None


def read(data: bytes, path: str, header: bool) -> Delimited:
    """The columns of a text. Raises UserError, naming the line, if rows differ in length or a quote is not closed."""
    # 1. Text in UTF-8 that begins with its first row and whose lines end as everywhere.
    text, note = utf8(data, path)
    if b"\n" not in text:
        text = text.replace(b"\r", b"\n")
    is_list = PurePosixPath(path).suffix.lower() == ".txt"
    text, comments = _without_comments(text) if is_list else (text, 0)
    if not text.strip():
        raise UserError(f"{path} is empty: give another table")
    lines = text.count(b"\n") + (not text.endswith(b"\n"))
    if lines > MAX_ROWS + 1:
        raise UserError(f"{path} has {lines:,} lines, and a table of labels may have {MAX_ROWS:,} rows: cut it down")
    # 2. Rows of as many cells as the first.
    separator = _separator(text, path)
    if separator == SPACE:
        text = b"\n".join(b" ".join(line.split()) for line in text.split(b"\n"))
    rows = _rows(text, separator)
    ends_in_quotes = b'"' in text[text.rfind(b"\n") + 1 :]
    # Blank lines, or cells of several lines; or does a quote stand alone?
    if rows is None or rows.num_rows < lines or ends_in_quotes:
        fault = _fault(text, separator, comments)
        if rows is None or fault:
            raise UserError(f"{path}: {fault or 'it cannot be read as a table: save it as CSV (UTF-8)'}")
    check_size(rows.num_rows - header, rows.num_columns, path)
    # 3. Columns.
    columns = [column.slice(int(header)) for column in rows.columns]
    # Else there is nothing to strip or compose: cells of several lines may end in one.
    if not text.isascii() or rows.num_rows < lines or re.search(rb"[ \t\v\f\x1c-\x1f]|\r(?!\n)", text):
        columns = [tidy(column) for column in columns]
    keyed: dict[Key, pa.ChunkedArray] = dict(enumerate(columns))
    if header:
        keyed = by_name([column[0].as_py() or "" for column in rows.columns], columns, path)
    return Delimited(keyed, comments + 1 + header if rows.num_rows == lines else None, note)


def _without_comments(text: bytes) -> tuple[bytes, int]:
    """The text after lines at its top that begin with `#`, and the number of these lines."""
    comments = re.match(rb"(?:#[^\n]*(?:\n|\Z))*", text)
    assert comments is not None
    return text[comments.end() :], comments.group().count(b"\n")


def _separator(text: bytes, path: str) -> str:
    """What separates the columns: what gives all lines of a sample, else most, equally many cells, two or more.

    In a .csv the first row decides whether there is one; in other texts commas and spaces may be part of names.
    """
    end = len(text) if len(text) <= SAMPLE else text.rfind(b"\n", 0, SAMPLE)
    end = end if end > 0 else text.find(b"\n")
    lines = [line for line in text[:end].decode(errors="replace").split("\n") if line.strip()]
    ending = PurePosixPath(path).suffix.lower()
    if ending == ".tsv":
        return "\t"
    allowed = SEPARATORS if ending == ".csv" else SEPARATORS + SPACE
    best, share = NO_SEPARATOR, 0.0 if ending == ".csv" else 0.5
    for separator in allowed:
        cells = [len(line.split()) for line in lines] if separator == SPACE else _cells(lines, separator)
        count, rows = Counter(cells).most_common(1)[0] if cells else (1, 0)
        if separator == SPACE and rows < len(cells) and all(map(looks_like_image, lines)):
            continue  # names of pictures, some of which hold spaces
        if count > 1 and rows > share * len(cells) and (ending != ".csv" or cells[0] > 1):
            best, share = separator, rows / len(cells)
    return best


def _cells(lines: list[str], separator: str) -> list[int]:
    """How many cells each row of the lines has."""
    try:
        rows = csv.reader((line.replace("\r", "") + "\n" for line in lines), delimiter=separator)
        return [len(row) for row in rows if row]
    except csv.Error:  # a cell beyond the module's limit
        return []


def _rows(text: bytes, separator: str) -> pa.Table | None:
    """All rows, the header too, as columns of text; None if they cannot be read."""
    first = _first_row(text, separator)
    # One thread: the order of the work, and so an error, is the same each time.
    read_options = pacsv.ReadOptions(use_threads=False, autogenerate_column_names=True, block_size=LONGEST_ROW)
    parse_options = pacsv.ParseOptions(delimiter=separator, newlines_in_values=True)
    types = {f"f{number}": pa.string() for number in range(len(first))}
    convert_options = pacsv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
    try:
        whole = text if text.endswith(b"\n") else text + b"\n"  # a single line needs its end
        return pacsv.read_csv(pa.BufferReader(whole), read_options, parse_options, convert_options) if first else None
    except pa.ArrowInvalid:
        return None


def _first_row(text: bytes, separator: str) -> list[str]:
    """The cells of the first row; none if it cannot be read."""
    end = text.find(b"\n", len(text) - len(text.lstrip()), LONGEST_ROW)
    if end < 0 and len(text) > LONGEST_ROW:
        return []
    try:
        return next((row for row in _reader(text, separator) if row), [])
    except csv.Error:
        return []


def _fault(text: bytes, separator: str, comments: int) -> str | None:
    """What is wrong with the first row that breaks the rules of CSV, and its line; None if all rows keep them."""
    for number, line in enumerate(io.BytesIO(text), 1):
        if len(line) > LONGEST_ROW:
            return f"line {number + comments:,} is longer than {LONGEST_ROW:,} bytes: break it, or close a double quote"
    reader, count, start = _reader(text, separator, strict=True), 0, comments + 1
    try:
        for row in reader:
            count = count or len(row)
            if row and len(row) != count:
                what = {"\t": "tab", SPACE: "space"}.get(separator, f"`{separator}`")
                said = f"line {start:,} has {counted(len(row), 'column')}, and the first row has {count:,}"
                return f"{said}: mend it, and write text that holds a {what}, which separates columns, in double quotes"
            start = comments + reader.line_num + 1
    except csv.Error as error:
        if "field larger" in str(error) or "unexpected end" in str(error):
            return f"the double quote in line {start:,} is never closed: close it, or remove it"
        return f"line {start:,} has a double quote within a cell ({error}): write it twice"
    return None


def _reader(text: bytes, separator: str, strict: bool = False) -> "_csv.Reader":
    csv.field_size_limit(LONGEST_ROW)  # of the whole process; else 131,072 characters
    lines = io.TextIOWrapper(io.BytesIO(text), encoding="utf-8", newline="")
    return csv.reader(lines, delimiter=separator, strict=strict)
