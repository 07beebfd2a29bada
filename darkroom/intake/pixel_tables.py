"""CSV of pixels: one picture a row, one number a column, or all numbers in one field with spaces between."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from darkroom.base.errors import UserError
from darkroom.base.words import counted, did_you_mean, listed
from darkroom.intake.contained import USUAL_LABELS, Asked, Container, NoPictures, Picture, form_of, settled, shaped
from darkroom.intake.table_columns import Key, in_words, tidied, tidy

BLOCK = 2**23  # bytes of text that are read together
LONGEST_LINE = 2**24
MOST_COLUMNS = 65_536 + 100
FEWEST_PIXELS = 16


@dataclass(frozen=True)
class Columns:
    """Which columns hold what, by their places."""

    names: list[Key]
    separator: str
    pixels: list[int]  # one: a field of many numbers
    label: int | None
    group: int | None
    split: int | None

    @property
    def is_field(self) -> bool:
        return len(self.pixels) == 1

    @property
    def used(self) -> list[int]:
        return [place for place in (self.label, self.group, self.split) if place is not None]


def pictures(container: Container) -> Iterator[Picture]:
    """The pictures of a CSV of pixels. Raises UserError."""
    path, asked = container.path, container.asked
    # 1. The first lines say what the columns are.
    columns, first, line = columns_of(container.stream, path, asked)
    others = [
        str(columns.names[place]) for place in range(len(columns.names)) if place not in columns.used + columns.pixels
    ]
    if others and columns.used:
        container.said.append(
            f"{path}: {counted(len(others), 'column')} ({listed(others)}) {'is' if len(others) == 1 else 'are'} not "
            f"used: where one says the group or the subset of a row, write labels: {{file: {path}, split: COLUMN}}"
        )
    source = f"{path}, column {columns.names[columns.label]}" if columns.label is not None else ""
    # 2. Their rows, block by block.
    form, number = None, 0
    for text in _blocks(container.stream, first, path):
        rows = _rows(text, columns, line, path, asked)
        line += text.count(b"\n")
        if not rows.num_rows:
            continue
        numbers = _field(rows, columns, path, asked) if columns.is_field else _matrix(rows, columns, path)
        form = form or form_of(numbers.shape[1:], path)
        form = settled(form, numbers, container)
        if numbers.shape[1] != form.height * form.width * form.channels:
            raise UserError(
                f"{path}: rows from {number:,} on have {numbers.shape[1]:,} numbers, and the first has others"
            )
        label, group, split = (_texts(rows, columns, place) for place in (columns.label, columns.group, columns.split))
        for values, *said in zip(shaped(numbers, form), label, group, split, strict=True):
            yield Picture(str(number), values, b"", "", source, *said)
            number += 1
    if not number:
        raise UserError(f"{path} holds no rows: give another file")


def columns_of(stream: IO[bytes], path: str, asked: Asked) -> tuple[Columns, bytes, int]:
    """What the columns are; the first row, which is read, and the number of its line. Raises UserError."""
    top = _line(stream, path).removeprefix(b"\xef\xbb\xbf")
    if b"\0" in top or not top.strip():
        raise UserError(f"{path} is {'no text in UTF-8' if top.strip() else 'empty'}: save it as CSV (UTF-8)")
    separator = max(",;\t", key=lambda one: top.count(one.encode()))
    cells = _cells(top, separator)
    by_number = any(isinstance(key, int) for key in (asked.label, asked.group, asked.split))
    has_header = not by_number and not _are_values(cells)
    first = _line(stream, path) if has_header else top
    values = _cells(first, separator)
    names: list[Key] = [tidied(cell) or f"unnamed {at}" for at, cell in enumerate(cells)] if has_header else []
    names = names or list(range(len(cells)))
    if len(names) > MOST_COLUMNS:
        raise UserError(
            f"{path} has {len(names):,} columns, and pictures in a table may have {MOST_COLUMNS:,}: save them as .npz"
        )
    if len(values) != len(names):
        if not first.strip():
            raise UserError(f"{path} holds no rows: give another file")
        raise UserError(f"{path}: line 2 has {counted(len(values), 'column')}, and the first {len(names):,}: mend it")
    return _roles(names, values, separator, path, asked), first, 1 + has_header


def _are_values(cells: Sequence[str]) -> bool:
    """Whether the first line holds numbers as a row does; names may be numbers too, one after the other."""
    if not all(_is_number(cell) for part in cells for cell in part.split()[:FEWEST_PIXELS]):
        return False
    whole = [int(cell) if cell.strip().isdecimal() else -1 for cell in cells]
    return not (len(whole) > FEWEST_PIXELS and whole == list(range(whole[0], whole[0] + len(whole))))


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*-?[0-9]{1,20}(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?\s*", text) is not None


def _roles(names: list[Key], values: list[str], separator: str, path: str, asked: Asked) -> Columns:
    given = {what: _place(names, getattr(asked, what), path) for what in ("label", "group", "split")}
    rest = [place for place in range(len(names)) if place not in given.values()]
    # 1. A field of many numbers, else the columns of numbers whose names have one form: pixel0, pixel1 …
    pixels = [place for place in rest if _is_field(values[place])]
    if len(pixels) > 1:
        raise UserError(f"{path}: columns {in_words([names[one] for one in pixels])} all hold pixels: leave one")
    if not pixels:
        forms = {place: re.sub("[0-9]+", "#", str(names[place])) for place in rest if _is_number(values[place])}
        usual = Counter(forms.values()).most_common(1)
        pixels = [place for place, form in forms.items() if usual and form == usual[0][0]]
        if len(pixels) < FEWEST_PIXELS:
            raise NoPictures(
                f"{path} is no table of pixels: it has {counted(len(names), 'column')} ({in_words(names[:5])} …), and "
                "wanted are one column a pixel (pixel0, pixel1 …) or a column of numbers with spaces between; if it "
                "holds labels of picture files, name it in `labels`, not in a subset"
            )
    # 2. The label.
    if given["label"] is None and asked.wants_labels:
        others = [place for place in rest if place not in pixels]
        given["label"] = _label(names, others, len(pixels), path)
    return Columns(names, separator, pixels, given["label"], given["group"], given["split"])


def _label(names: list[Key], others: list[int], pixels: int, path: str) -> int | None:
    usual = [place for place in others if str(names[place]).lower() in USUAL_LABELS]
    if len(usual) == 1:
        return usual[0]
    has_header = isinstance(names[0], str)
    if not others and (has_header or np.sqrt(pixels) % 1 == 0 or np.sqrt(pixels / 3) % 1 == 0):
        return None
    what = f"it has {in_words([names[one] for one in usual or others])}" if has_header else "it has no header"
    example = names[(usual or others)[0]] if has_header else 0
    raise UserError(
        f"{path}: which column is the label? {what}: say it in datasets.yaml, as in "
        f"`labels: {{file: {path}, label: {example}}}`"
    )


def _place(names: list[Key], key: Key | None, path: str) -> int | None:
    if key is None:
        return None
    if key not in names:
        known = did_you_mean(str(key), map(str, names), 20)
        raise UserError(f"{path} has no column {key!r}: {known}")
    return names.index(key)


def _is_field(value: str) -> bool:
    parts = value.split()
    return len(parts) >= FEWEST_PIXELS and all(map(_is_number, parts[:FEWEST_PIXELS]))


def field_of(line: bytes, columns: Columns) -> list[str]:
    """The numbers in the field of a row, as text."""
    return _cells(line, columns.separator)[columns.pixels[0]].split()


def _line(stream: IO[bytes], path: str) -> bytes:
    line = stream.readline(LONGEST_LINE)
    if len(line) == LONGEST_LINE:
        raise UserError(f"{path} has a line of more than {LONGEST_LINE:,} bytes: it is no table of pixels")
    return line


def _cells(line: bytes, separator: str) -> list[str]:
    csv.field_size_limit(LONGEST_LINE)
    return next(csv.reader([line.decode("utf-8", "replace").rstrip("\r\n")], delimiter=separator), [])


def _blocks(stream: IO[bytes], first: bytes, path: str) -> Iterator[bytes]:
    """The text of all rows in blocks of whole lines."""
    rest = first
    while data := stream.read(BLOCK):
        text = rest + data
        end = text.rfind(b"\n") + 1
        rest = text[end:]
        if len(rest) > LONGEST_LINE:
            raise UserError(f"{path} has a line of more than {LONGEST_LINE:,} bytes: it is no table of pixels")
        if end:
            yield text[:end]
    if rest.strip():
        yield rest if rest.endswith(b"\n") else rest + b"\n"


def _rows(text: bytes, columns: Columns, line: int, path: str, asked: Asked) -> pa.Table:
    """A block as columns by their places: pixels as numbers, others as text. Raises UserError, naming the line."""
    number = pa.string() if columns.is_field else _kind(asked)
    kinds = dict.fromkeys(map(str, columns.pixels), number) | dict.fromkeys(map(str, columns.used), pa.string())
    read = pacsv.ReadOptions(
        use_threads=False, column_names=[str(at) for at in range(len(columns.names))], block_size=len(text) + 1
    )
    convert = pacsv.ConvertOptions(
        column_types=kinds, include_columns=list(kinds), strings_can_be_null=True, null_values=[""]
    )
    try:
        return pacsv.read_csv(pa.BufferReader(text), read, pacsv.ParseOptions(delimiter=columns.separator), convert)
    except pa.ArrowInvalid as error:
        said = re.sub(r"Row #([0-9]+)", lambda found: f"line {int(found[1]) + line - 1:,}", str(error))
        raise _unfit(path, said[:300], asked) from None


def _unfit(path: str, what: str, asked: Asked) -> UserError:
    wanted = "numbers" if asked.range else "whole numbers from 0 to 255"
    more = "" if asked.range else "; if they range over others, say so, as in range: [0, 4095] or range: [0, 1]"
    return UserError(f"{path} ({what}): wanted are rows of equally many {wanted}{more}")


def _kind(asked: Asked) -> pa.DataType:
    return pa.uint8() if asked.range is None else pa.float32()


def _matrix(rows: pa.Table, columns: Columns, path: str) -> NDArray[Any]:
    found = []
    for place in columns.pixels:
        column = rows[str(place)]
        if column.null_count:
            raise UserError(
                f"{path} lacks a number in column {str(columns.names[place])!r}: fill it, or take the row out"
            )
        found.append(column.to_numpy())
    return np.stack(found, axis=1)


def _field(rows: pa.Table, columns: Columns, path: str, asked: Asked) -> NDArray[Any]:
    """The numbers in a field of each row: rows x numbers."""
    texts = pc.ascii_trim_whitespace(pc.fill_null(rows[str(columns.pixels[0])], ""))
    parts = pc.ascii_split_whitespace(texts).combine_chunks()
    counts = pc.list_value_length(parts).to_numpy(zero_copy_only=False)
    if (counts != counts[0]).any():
        at = int(np.argmax(counts != counts[0]))
        raise _unfit(path, f"a row has {counts[0]:,} numbers, and one {at:,} rows further {counts[at]:,}", asked)
    try:
        numbers = pc.list_flatten(parts).cast(_kind(asked)).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid as error:
        raise _unfit(path, str(error)[:300], asked) from None
    found: NDArray[Any] = numbers.reshape(len(counts), -1)
    return found


def _texts(rows: pa.Table, columns: Columns, place: int | None) -> list[str | None]:
    found: list[str | None] = [None] * rows.num_rows if place is None else tidy(rows[str(place)]).to_pylist()
    return found
