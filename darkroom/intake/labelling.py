"""What a table says of a picture: its label, group and subset, found by the picture's path."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from darkroom.intake.tables import Key, Table


@dataclass(frozen=True)
class Part:
    """A label that is a part of a column's text."""

    column: Key
    form: Callable[[str], str | None]  # text of a cell to label, None if the text has another form


@dataclass(frozen=True)
class Columns:
    """Which columns of a table say what."""

    image: Key | None = None  # names the picture; None: see column_guess
    label: Key | list[Key] | Part | None = None  # a list: of these columns one is set; None: the table gives no labels
    group: Key | None = None
    split: Key | None = None
    splits: dict[str, list[str]] | None = None  # train, val, test, unlabeled: values of `split`; None: the usual words


class Match(NamedTuple):
    """What a table says of one picture."""

    row: int  # of the table, from 0
    rank: int  # 0 the whole path, or from the table's folder; 1 its end; 2 without ending; 3 the number in a .mat table
    label: str | None
    group: str | None
    subset: str | None  # train, val, test or unlabeled
    reason: str | None  # why a label or a subset that the columns should give is None, for rejected.csv


class Labels:
    """Finds the rows of pictures in one table.

    Raises UserError if the columns are missing, or the table gives several labels a picture, or numbers.
    """

    def __init__(self, table: Table, columns: Columns) -> None:
        raise NotImplementedError

    def find(self, path: str) -> Match | None:
        """What the table says of a picture in the archive; None if it does not name it. Changes nothing."""
        raise NotImplementedError

    def use(self, path: str, match: Match) -> None:
        """Note that a picture got its label from this table. Raises UserError if another picture got that row's."""
        raise NotImplementedError

    def unused(self) -> tuple[int, str | None]:
        """How many rows no picture has used, and the first of them for a message."""
        raise NotImplementedError
