"""What may label the pictures of one subset: a level of their folders, a column of a table, a part of their names."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from darkroom.base.errors import UserError
from darkroom.base.words import counted, listed
from darkroom.config.catalogue import Subset
from darkroom.config.patterns import column_form
from darkroom.intake import label_values
from darkroom.intake.class_names import in_order
from darkroom.intake.table_columns import Key
from darkroom.tools import folder_levels, name_patterns
from darkroom.tools.folder_levels import Level
from darkroom.tools.label_tables import LABEL, Column, NamingTable, counts, same
from darkroom.tools.subset_folders import subsets_of

NEARLY_ALL = 0.9  # of the pictures of a subset have a row, or a label that is known
MOST_VOTES = 100  # people, for one picture
FIRST_WORD = "{label} *"


@dataclass(frozen=True)
class Part:
    """The pictures of one subset: their folders, and the paths of all, or of some of many."""

    subset: Subset
    folders: tuple[str, ...]
    counts: tuple[int, ...]
    paths: tuple[str, ...]
    total: int = 0  # where lists name some of the pictures in the folders; else all of them belong to it
    is_estimate: bool = False  # of `total`: lists were held against some of the paths alone

    @property
    def pictures(self) -> int:
        return self.total or sum(self.counts)

    @property
    def size(self) -> str:
        """How many pictures it has, for people."""
        return f"{'about ' if self.is_estimate else ''}{counted(self.pictures, 'picture')}"

    @property
    def where(self) -> str:
        """The folder in which all of it lies, for people."""
        return folder_levels.commonpath(self.folders) or "the archive"


@dataclass(frozen=True)
class Source:
    """One way to label a part, and the labels that it gives to its paths."""

    kind: Literal["folders", "table", "names"]
    word: str  # short, for an answer
    text: str  # for people
    labels: tuple[str | None, ...]
    level: int | None = None
    group_level: int | None = None
    form: str = "*"
    table: NamingTable | None = None
    column: Any = None  # as an entry writes `label`

    @property
    def classes(self) -> list[str]:
        return in_order(counts(self.labels))


def by_folders(part: Part) -> list[Source]:
    """The levels of folders that may be the class, the innermost last."""
    found = folder_levels.levels(part.folders, part.counts)
    spread = _spreading(part)
    found = [level for level in found if level.place not in spread]
    found = [level for level in found if len(level.names) * 2 <= max(part.pictures, 1) or len(found) == 1]
    return [_of_level(part, level) for level in found]


def _spreading(part: Part) -> set[int]:
    """The innermost levels where they only spread the pictures, as 0/a/f does those whose names begin with 0af."""
    split = [path.split("/") for path in part.paths]
    deep = {len(path) - 1 for path in split}
    if len(deep) != 1:
        return set()
    inner = deep.pop()
    for count in range(inner, 1, -1):
        if all(path[-1].startswith("".join(path[inner - count : inner])) for path in split):
            return set(range(inner - count, inner))
    return set()


def _of_level(part: Part, level: Level) -> Source:
    labels = tuple(folder_levels.part(path.rpartition("/")[0], level.place) for path in part.paths)
    names = in_order(level.names)
    text = f"{counted(len(names), 'folder')} ({listed(names, 3)})"
    return Source("folders", f"level{level.place + 1}", text, labels, level=level.place)


def of_known_classes(part: Part, classes: set[str]) -> Source | None:
    """The level whose names are known classes, or the part of the names of files that is one."""
    deepest = max((folder.count("/") + 1 for folder in part.folders if folder), default=0)
    for place in reversed(range(deepest)):
        labels = [folder_levels.part(path.rpartition("/")[0], place) for path in part.paths]
        known = sum(label in classes for label in labels)
        if labels and known >= NEARLY_ALL * len(labels):
            names = tuple(sorted({label for label in labels if label is not None}))
            return _of_level(part, Level(place, names))
    return None


def by_names(part: Part, form: str | None = None, known: Collection[str] | None = None) -> list[Source]:
    """The parts of the names of files that may be the class, or, where classes are `known`, are one of them."""
    names = [path.rpartition("/")[2] for path in part.paths]
    forms = name_patterns.label_forms(names, known) if form is None else [name_patterns.apply(form, names)]
    return [_of_form(number, one) for number, one in enumerate(forms, 1)]


def _of_form(number: int, one: name_patterns.NameForm) -> Source:
    names = in_order(one.counts)
    text = f"names of the form {one.form}: {counted(len(names), 'class', 'classes')} ({listed(names, 3)})"
    return Source("names", f"part{number}", text, one.values, form=one.form)


def rows_of(part: Part, table: NamingTable) -> list[int] | None:
    """The row of each picture of a part; None where the table does not speak for it."""
    if table.is_sample or (table.subset is not None and table.subset != part.subset):
        return None
    beside, _, name = table.table.path.rpartition("/")
    beside = beside.removesuffix(name).rstrip("/")  # train.csv.zip is as a folder of one file
    if subsets_of([beside])[0] is not None and not any(f"{one}/".startswith(f"{beside}/") for one in part.folders):
        return None  # it lies in the folder of another subset
    rows = table.rows(part.paths)
    named = sum(row >= 0 for row in rows)
    return rows if 2 * named > len(rows) or (named and named >= NEARLY_ALL * len(table.table)) else None


def by_tables(part: Part, tables: Sequence[NamingTable]) -> tuple[list[Source], list[str]]:
    """The columns of tables that may be the class, and why columns that look like it are none."""
    sources: list[Source] = []
    refused: list[str] = []
    for table in tables:
        rows = rows_of(part, table)
        if rows is None:
            continue
        for source in _of_columns(table, rows, refused):
            if len(counts(source.labels)) > 1 or part.subset != "train":
                sources.append(source)
    return sources, refused


def _of_columns(table: NamingTable, rows: list[int], refused: list[str]) -> Iterator[Source]:
    split = {"nothing", "unique"}
    flags = [one for one in table.columns if _is_flag(table, one)]
    if len(flags) > 1:
        try:
            values = label_values.one_hot(table.table, [one.key for one in flags])
            if sum(value is not None for value in values) >= NEARLY_ALL * len(values):
                keys = [one.key for one in flags]
                text = f"{table.file}: of {counted(len(keys), 'column')} ({listed(map(str, keys), 3)}) one is 1"
                yield Source("table", "one_hot", text, _of_rows(values, rows), table=table, column=keys)
                split |= {"flags"}
        except UserError as error:
            if len(flags) > 2:
                refused.append(str(error))
                split |= {"flags"}
    votes = _votes(table)
    if votes:
        voted = listed([str(one.key) for one in votes], 3)
        refused.append(f"{table.file} gives numbers of votes for several classes ({voted}): {label_values.SEVERAL}")
    for column in table.columns:
        if column in votes or column.kind in split or column.says_group or (column in flags and "flags" in split):
            if column.kind == "unique" and (part := _first_word(table, column, rows)):
                yield part
            continue
        if column.kind == "words" and (part := _first_word(table, column, rows)):
            yield part
        values = table.values(column.key)
        try:
            label_values.check_classes(values, table.table, column.key)
        except UserError as error:
            refused.insert(0 if LABEL & set(column.words) else len(refused), str(error))
            continue
        labels = _of_rows(values, rows)
        names = in_order(counts(labels))
        text = f"{table.file}, column {column.key}: {counted(len(names), 'class', 'classes')} ({listed(names, 3)})"
        yield Source("table", _word(column.key), text, labels, table=table, column=column.key)


def _first_word(table: NamingTable, column: Column, rows: list[int]) -> Source | None:
    """A column of which the first word is the class, as in `n01440764 1 2 30 40`."""
    take = column_form(FIRST_WORD)
    values = label_values.mapped(table.values(column.key), take)
    labels = _of_rows(values, rows)
    classes = counts(labels)
    if not classes or classes.total() < NEARLY_ALL * len(labels) or 2 * len(classes) > classes.total():
        return None
    text = f"{table.file}, the first word of column {column.key}: {counted(len(classes), 'class', 'classes')}"
    part = {"column": column.key, "form": FIRST_WORD}
    return Source("table", _word(column.key), text, labels, table=table, column=part)


def _votes(table: NamingTable) -> list[Column]:
    """Columns of small whole numbers that add up to one sum in each row, as ten people's votes do."""
    able = [one for one in table.columns if not one.says_label and not one.says_group and not one.says_other]
    columns = [(one, table.values(one.key)) for one in able if one.different <= MOST_VOTES]
    whole = [(one, values) for one, values in columns if all(value and value.isdecimal() for value in values)]
    sums = Counter(sum(map(int, row)) for row in zip(*(values for _, values in whole), strict=True) if row)
    most, count = sums.most_common(1)[0] if sums else (0, 0)
    return [one for one, _ in whole] if len(whole) > 2 and most > 1 and count >= NEARLY_ALL * len(table.table) else []


def _is_flag(table: NamingTable, column: Column) -> bool:
    if column.different > 2 or column.says_label or column.says_group:
        return False
    values = {value.lower() for value in table.values(column.key) if value is not None}
    return bool(values) and values <= label_values.SET | label_values.NOT_SET


def _of_rows(values: label_values.Values, rows: list[int]) -> tuple[str | None, ...]:
    return tuple(values[row] if row >= 0 else None for row in rows)


def _word(key: Key) -> str:
    return "".join(letter if letter.isalnum() or letter in "_-" else "_" for letter in str(key)) or "column"


def says_label(source: Source) -> bool:
    """Whether a column's own name says that it is the label, or it is one of many columns, or the makers' solution."""
    if source.kind != "table" or source.table is None or isinstance(source.column, list):
        return True
    key = source.column["column"] if isinstance(source.column, dict) else source.column
    return any(one.key == key and (one.says_label or isinstance(source.column, dict)) for one in source.table.columns)


def says_other(source: Source) -> bool:
    """Whether a column's own name says that it tells something else of a picture: an age, a place, a view."""
    columns = source.table.columns if source.table is not None else ()
    return any(one.key == source.column and one.says_other and not one.says_label for one in columns)


def is_alone(source: Source) -> bool:
    """Whether its table has no other column that may be a class."""
    return source.table is not None and sum(one.kind != "nothing" for one in source.table.columns) == 1


def without_twins(sources: Sequence[Source]) -> list[Source]:
    """Of sources that tell the same pictures apart, the one whose labels are words, else the first."""
    kept: list[Source] = []
    for source in sorted(sources, key=are_numbers):
        if not any(same(source.labels, other.labels) for other in kept):
            kept.append(source)
    return [source for source in sources if source in kept]


def are_numbers(source: Source) -> bool:
    """Whether all labels are numbers, as places in a list of classes are."""
    return all(label_values.NUMBER.fullmatch(label) for label in counts(source.labels))
