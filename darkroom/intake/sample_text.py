"""The text of a sample submission, cell by cell, so that a table can be written that differs in some cells alone."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath
from typing import NamedTuple

from darkroom.base.errors import UserError
from darkroom.base.words import counted
from darkroom.config.patterns import composed
from darkroom.intake.text_encoding import encoding_of

SEPARATORS = ",;\t|"
HEAD = 100  # lines in which the separator is sought


class Line(NamedTuple):
    """One line of a table: its number from 1, its cells as they are written, and its line ending."""

    number: int
    cells: list[str]  # none where the line is blank
    blank: str  # what stands in a blank line
    ending: str


@dataclass(frozen=True)
class SampleText:
    """A table as text; its lines are read anew each time, so that one line alone is in memory beside the bytes."""

    path: str  # in the archive
    data: bytes
    mark: bytes  # at the beginning of `data` (BOM)
    encoding: str  # of the rest
    separator: str

    def lines(self) -> Iterator[Line]:
        """All lines. Raises UserError if a quote is not closed in its line, or if lines differ in their cells."""
        columns = 0
        for number, (text, ending) in enumerate(_lines(self.data, self.mark, self.encoding), 1):
            if "\0" in text:
                raise UserError(f"{self.path} holds a NUL byte in line {number:,}: it is no text, or damaged")
            if not text.strip():
                yield Line(number, [], text, ending)
                continue
            cells = split(text, self.separator)
            if cells is None:
                raise UserError(
                    f"{self.path}: line {number:,} has a double quote that its line does not close: mend it"
                )
            columns = columns or len(cells)
            if len(cells) != columns:
                raise UserError(
                    f"{self.path}: line {number:,} has {counted(len(cells), 'column')}, and the first line has "
                    f"{columns:,}: mend it, or give another sample"
                )
            yield Line(number, cells, "", ending)

    def rows(self) -> Iterator[Line]:
        """All lines but blank ones; the first may be a header."""
        return (line for line in self.lines() if line.cells)

    def count(self) -> int:
        """The number of lines that are not blank, whatever is in them."""
        return sum(1 for text, _ in _lines(self.data, self.mark, self.encoding) if text.strip())

    def column(self, place: int, at_most: int | None = None) -> list[str]:
        """The values of a column, that of the first line too."""
        return [value(line.cells[place]) for line in islice(self.rows(), at_most)]


def read(data: bytes, path: str) -> SampleText:
    """A sample from its bytes. Raises UserError if they are no text, or hold no table."""
    mark, encoding, _ = encoding_of(data, path)
    head = [text for text, _ in islice(_lines(data, mark, encoding), HEAD) if text.strip()]
    if not head:
        raise UserError(f"{path} is empty, so it is no sample of a submission: give another one")
    return SampleText(path, data, mark, encoding, _separator(head, path))


def value(cell: str) -> str:
    """What a cell says: without its quotes and the space around it, in Unicode's composed form (NFC)."""
    text = cell.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1].replace('""', '"').strip()
    return composed(text)


def replaced(cell: str, new: str, separator: str) -> str:
    """The cell with another value; quotes and the space around it stay, and quotes are added where they are needed."""
    text = cell.strip()
    if text.startswith('"') or any(letter in new for letter in (separator, '"', "\r", "\n")):
        new = '"' + new.replace('"', '""') + '"'
    before = cell[: len(cell) - len(cell.lstrip())]
    return before + new + (cell[len(cell.rstrip()) :] if text else "")


def split(text: str, separator: str) -> list[str] | None:
    """The cells of a line as they are written; None if a double quote is not closed."""
    if '"' not in text:
        return text.split(separator)
    cells, start, is_quoted = [], 0, False
    for found in re.finditer(f'["{re.escape(separator)}]', text):
        if found[0] == '"':
            is_quoted = not is_quoted  # a quote that is written twice changes nothing
        elif not is_quoted:
            cells.append(text[start : found.start()])
            start = found.end()
    return None if is_quoted else [*cells, text[start:]]


def _lines(data: bytes, mark: bytes, encoding: str) -> Iterator[tuple[str, str]]:
    """The lines of a text, each with its ending."""
    stream = io.BytesIO(data)
    stream.seek(len(mark))
    for line in io.TextIOWrapper(stream, encoding, newline=""):
        text = line.rstrip("\r\n")
        yield text, line[len(text) :]


def _separator(head: list[str], path: str) -> str:
    """What gives each of the first lines equally many cells, two or more; else what gives the first line the most."""
    order = "\t" + SEPARATORS if PurePosixPath(path.lower().removesuffix(".gz")).suffix == ".tsv" else SEPARATORS
    counts = {one: [len(split(text, one) or ()) for text in head] for one in order}
    for one, cells in counts.items():
        if min(cells) == max(cells) > 1:
            return one
    return max(counts, key=lambda one: counts[one][0])
