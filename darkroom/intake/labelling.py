"""What a table says of a picture: its label, group and subset, found by the picture's path."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, cast

from darkroom.base.errors import UserError
from darkroom.base.words import listed
from darkroom.intake import label_values
from darkroom.intake.label_values import SEVERAL, Values
from darkroom.intake.picture_names import Names, as_paths, folder_of
from darkroom.intake.table_columns import Key, Table, in_words, named


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
    """Finds the rows of pictures in one table, each by some lookups.

    A picture in several rows that say the same counts once. Raises UserError if a column is missing, if the table gives
    several labels, groups or subsets a picture, or numbers instead of classes.
    """

    def __init__(self, table: Table, columns: Columns) -> None:
        self.table, self.columns = table, columns
        key = "image" if columns.image is None and table.numbered else columns.image
        if key is None:
            raise UserError(f"{table.path}: say which column names the pictures: it has {in_words(table.columns)}")
        # 1. What each row says.
        self._labels, self._no_label = _labels(table, columns.label)
        self._groups = _none_or(table, columns.group)
        self._marks = _none_or(table, columns.split)  # the subsets in the table's own words
        self._subsets = self._marks
        self.has_subsets = columns.split is not None  # the table is there to give subsets
        if columns.split is not None:
            self._subsets = label_values.subsets(self._marks, table, columns.split, columns.splits)
        # 2. The first row of each name.
        folder = folder_of(table.path)
        texts = as_paths(table.column(key), folder)
        count = len(texts)
        rows = dict(zip(reversed(texts), range(count - 1, -1, -1), strict=True))
        self.unnamed = texts.count(None)  # rows that name no picture at all
        rows.pop(None, None)
        self.repeated = count - self.unnamed - len(rows)  # rows that say again what an earlier one said
        if self.repeated:
            self._check_repeated(texts, rows)
        self._names = Names(cast(dict[str, int], rows), folder, table.numbered)
        self._used: dict[int, str] = {}

    @property
    def path(self) -> str:
        """The table's path in the archive."""
        return self.table.path

    @property
    def note(self) -> str | None:
        """What the reader had to decide: `is not UTF-8: read as Windows-1252`."""
        return self.table.note

    @property
    def has_labels(self) -> bool:
        """Whether the table is there to give labels."""
        return self.columns.label is not None

    @property
    def source(self) -> str:
        """Where the labels come from, for people: `labels.csv, column species`."""
        label = self.columns.label.column if isinstance(self.columns.label, Part) else self.columns.label
        labels = label if isinstance(label, list) else [label]
        of_columns = "column" if len(labels) == 1 else "columns"
        return f"{self.path}, {of_columns} {listed(map(str, labels))}"

    def find(self, path: str) -> Match | None:
        """What the table says of a picture in the archive; None if it does not name it. Changes nothing."""
        found = self._names.find(path)
        if found is None:
            return None
        row, rank = found
        label, subset, reason = self._labels[row], self._subsets[row], None
        if (label is None and self._no_label) or (subset is None and self.has_subsets):
            reason = self._reason(row)
        return Match(row, rank, label, self._groups[row], subset, reason)

    def find_label(self, path: str) -> tuple[int, str, str | None] | None:
        """The row, the label and the group of a picture; None if the table gives no label. Quicker than `find`."""
        found = self._names.find(path)
        if found is None or (label := self._labels[found[0]]) is None:
            return None
        return found[0], label, self._groups[found[0]]

    def use(self, path: str, row: int) -> None:
        """Note that a picture takes what a row says. Raises UserError if another picture has taken the row."""
        other = self._used.setdefault(row, path)
        if other != path:
            raise UserError(
                f"{self.table.path}, {self.table.where(row)}, names two pictures, {other} and {path}: give the "
                "whole path in that column, or narrow the patterns in datasets.yaml to one of them"
            )

    def unused(self) -> tuple[int, str | None]:
        """How many rows no picture has used, and the first of them for a message: `'x.jpg' in line 7`."""
        rest = [(row, text) for text, row in self._names.rows.items() if row not in self._used]
        first = min(rest, default=None)
        example = f"{named(first[1])} in {self.table.where(first[0])}" if first else None
        return len(rest) + self.unnamed, example

    def _reason(self, row: int) -> str:
        """Why a row gives no label or no subset."""
        if self._labels[row] is None and self._no_label:
            return self._no_label
        mark = self._marks[row]
        if mark is None:
            return f"{self.table.path} gives no subset"
        return f"{self.table.path} gives the subset {named(mark)}, which splits does not name"

    def _check_repeated(self, texts: list[str | None], rows: dict[str | None, int]) -> None:
        """Raise UserError if two rows of one picture differ in what they say."""
        parts = [("labels", self._labels), ("groups", self._groups), ("subsets", self._subsets)]
        for row, text in enumerate(texts):
            first = row if text is None else rows[text]
            if first == row:
                continue
            for what, values in parts:
                if values[first] != values[row]:
                    said = [
                        f"{named(values[place] or 'nothing')} in {self.table.where(place)}" for place in (first, row)
                    ]
                    why = f": {SEVERAL}" if what == "labels" else ": correct one of the rows"
                    raise UserError(
                        f"{self.table.path} gives several {what} a picture ({named(text)}: {', '.join(said)}){why}"
                    )


def _none_or(table: Table, key: Key | None) -> Values:
    return [None] * len(table) if key is None else label_values.of_column(table.column(key))


def _labels(table: Table, label: Key | list[Key] | Part | None) -> tuple[Values, str]:
    """The label of each row, and why one may be missing."""
    if label is None:
        return [None] * len(table), ""
    if isinstance(label, list):
        return label_values.one_hot(table, label), f"no label column of {table.path} is set"
    if isinstance(label, Part):
        values = label_values.mapped(label_values.of_column(table.column(label.column)), label.form)
        label_values.check_classes(values, table, label.column)
        return values, f"{table.path} gives no label of the form asked for"
    values = label_values.of_column(table.column(label))
    label_values.check_classes(values, table, label)
    return values, f"{table.path} gives no label"
