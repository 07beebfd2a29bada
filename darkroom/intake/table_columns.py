"""A table as columns of text, whatever file it came from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

import pyarrow as pa
import pyarrow.compute as pc

from darkroom.base.errors import UserError
from darkroom.base.words import counted, listed
from darkroom.config.patterns import composed

Key = str | int  # a column's name, or its number where the table has no header
MAX_BYTES = 2_000_000_000  # of a table's file, and of its text in memory
MAX_ROWS = 20_000_000
MAX_COLUMNS = 20_000
MAX_CELLS = 500_000_000
SLICE = 100_000  # rows that are turned into columns together
LONGEST_NAME = 60  # characters of a value in a message
NAMED = 20  # columns that a message lists
WHOLE = 2.0**53  # a float below this holds a whole number exactly


@dataclass(frozen=True)
class Table:
    """Columns of text: stripped, in Unicode's composed form (NFC), null where a cell is empty."""

    path: str  # in the archive
    columns: dict[Key, pa.ChunkedArray]  # of strings, in order, at least one; by number if the table has no header
    first_line: int | None = None  # of the first row, from 1; None where rows are not lines
    numbered: bool = False  # a .mat vector: pictures are named by their numbers
    skipped: Mapping[str, str] = field(default_factory=dict)  # columns that are not read, and what they hold
    note: str | None = None  # what the reader had to decide: `is not UTF-8: read as Windows-1252`

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def column(self, key: Key) -> pa.ChunkedArray:
        """A column. Raises UserError naming the nearest column, and those that the table has."""
        if key in self.columns:
            return self.columns[key]
        if key in self.skipped:
            raise UserError(
                f"{self.path} has a column {named(key)} of {self.skipped[str(key)]}, which is no column of text"
            )
        names = list(self.columns)
        if isinstance(names[0], int):
            known = f"its columns are read by number, 0 to {len(names) - 1}"
        else:
            near = get_close_matches(str(key), map(str, names), n=1)
            known = (f"did you mean {named(near[0])}? " if near else "") + f"it has {in_words(names)}"
        raise UserError(f"{self.path} has no column {named(key)}: {known}")

    def where(self, row: int) -> str:
        """The place of a row, counted from 0, for a message: `line 7` where rows are lines, else `row 6`."""
        return f"row {row + 1:,}" if self.first_line is None else f"line {row + self.first_line:,}"


def named(value: object) -> str:
    """A value for a message: in quotes, its beginning if it is long."""
    text = str(value)
    return repr(text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…")


def tidied(name: str) -> str:
    """A name stripped and in Unicode's composed form, as the texts of columns are."""
    return composed(name.strip())


def in_words(names: Iterable[Key]) -> str:
    """The columns of a table for a message, 20 at most."""
    return listed([named(name) for name in names], NAMED)


def by_name(names: Sequence[str], columns: Sequence[pa.ChunkedArray], path: str) -> dict[Key, pa.ChunkedArray]:
    """Columns under their names, `unnamed 3` where a name is empty. Raises UserError if two have the same name."""
    result: dict[Key, pa.ChunkedArray] = {}
    for number, (name, column) in enumerate(zip(names, columns, strict=True)):
        name = tidied(name) or f"unnamed {number}"
        if name in result:
            raise UserError(
                f"{path} has two columns called {named(name)}: rename one; or, if it has no header, give "
                "columns by number (image: 0, label: 1)"
            )
        result[name] = column
    return result


def check_size(rows: int, columns: int, path: str) -> None:
    """Raise UserError if a table is empty or beyond the limits."""
    if not rows or not columns:
        raise UserError(f"{path} holds no rows: give another table")
    if rows > MAX_ROWS or columns > MAX_COLUMNS or rows * columns > MAX_CELLS:
        raise UserError(
            f"{path} has {counted(rows, 'row')} and {counted(columns, 'column')}, and a table of labels may have "
            f"{MAX_ROWS:,} rows, {MAX_COLUMNS:,} columns and {MAX_CELLS:,} cells: cut it down to those that are wanted"
        )


def tidy(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text stripped, composed (NFC), and null where it is empty."""
    column = pc.utf8_trim_whitespace(column)
    if not pc.all(pc.string_is_ascii(column)).as_py():
        # In Python, each different text once: pyarrow's utf8_normalize (25.0) takes é apart when asked for NFC.
        encoded = column.dictionary_encode().unify_dictionaries()
        texts = encoded.chunk(0).dictionary.to_pylist()
        tidy_texts = pa.array([composed(text) for text in texts], pa.string())
        column = pa.chunked_array([tidy_texts.take(part.indices) for part in encoded.chunks], pa.string())
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def from_rows(rows: Iterable[Mapping[str, str | None]], path: str) -> dict[str, pa.ChunkedArray]:
    """Columns from rows of texts by column, null where a row lacks a column; columns in the order of their first use.

    Takes rows in slices, so that Python's objects of one slice alone are in memory. Raises UserError beyond the limits.
    """
    chunks: dict[str, list[pa.Array]] = {}
    done = 0
    for part in _slices(rows):
        for name in dict.fromkeys(name for row in part for name in row):
            chunks.setdefault(name, [pa.nulls(done, pa.string())])
        check_size(done + len(part), len(chunks), path)
        for name, column in chunks.items():
            column.append(pa.array([row.get(name) for row in part], pa.string()))
        done += len(part)
    return {name: tidy(pa.chunked_array(column, pa.string())) for name, column in chunks.items()}


def _slices(rows: Iterable[Mapping[str, str | None]]) -> Iterator[list[Mapping[str, str | None]]]:
    part: list[Mapping[str, str | None]] = []
    for row in rows:
        part.append(row)
        if len(part) == SLICE:
            yield part
            part = []
    if part:
        yield part
