"""Tables of labels and lists of names that lie in an archive: one file's bytes become columns of text."""

from dataclasses import dataclass, field

import pyarrow as pa

Key = str | int  # a column's name, or its number where the table has no header


@dataclass(frozen=True)
class Table:
    """Columns of text: stripped, in Unicode's composed form (NFC), null where a cell is empty."""

    path: str  # in the archive
    columns: dict[Key, pa.ChunkedArray]  # of strings, in order; by number if the table has no header
    first_line: int | None = None  # of the first row, from 1; None where rows are not lines
    numbered: bool = False  # a .mat vector: pictures are named by their numbers
    skipped: dict[str, str] = field(default_factory=dict)  # columns that are not read, and what they hold
    note: str | None = None  # what the reader had to decide: `is not UTF-8: read as Windows-1252`

    def __len__(self) -> int:
        raise NotImplementedError

    def column(self, key: Key) -> pa.ChunkedArray:
        """A column. Raises UserError naming the nearest column, and those that the table has."""
        raise NotImplementedError

    def where(self, row: int) -> str:
        """The place of a row, counted from 0, for a message: `line 7` where rows are lines, else `row 6`."""
        raise NotImplementedError


def read(data: bytes, path: str, *, header: bool = True, part: str | None = None) -> Table:
    """The table in a file's bytes; its format follows from the ending of `path`.

    `header` says whether the first row names the columns; `part` names a variable of a `.mat` file (`labels` of
    `imagelabels.mat#labels`). Raises UserError if the file is damaged, too large, or no table.
    """
    raise NotImplementedError
