"""Reads the tables and lists that an entry names from inside the archive, before its pictures are decoded."""

import difflib
import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from darkroom.base.errors import UserError
from darkroom.base.paths import DATASETS
from darkroom.base.words import listed
from darkroom.config.catalogue import Entry, LabelTable, PartOfColumn, Subset
from darkroom.config.patterns import Pattern, column_form, composed, plain
from darkroom.intake import archive, tables
from darkroom.intake.column_guess import guess_columns
from darkroom.intake.containers import own_tables
from darkroom.intake.labelling import Columns, Labels, Part
from darkroom.intake.table_columns import tidied
from darkroom.intake.tables import Key
from darkroom.intake.zip_reader import BadMember
from darkroom.pictures.decoding import looks_like_image

NAMES = 100_000  # pictures by whose names the columns of a table are found
OTHERS = 1000  # tables and texts among which the one that was meant is looked for


def read(source: Path, entry: Entry, limits: archive.Limits) -> tuple[list[Labels], dict[Subset, list[Labels]]]:
    """The tables of labels of an entry, and its lists of names by subset.

    The archive is read once more than for its pictures, and in part: only where an entry names such files. Raises
    UserError for a file that the archive lacks, and one that cannot be understood.
    """
    asked = files_of(entry)
    if not asked:
        return [], {}
    found = contents(source, asked, limits)
    names = _picture_names(source, entry, limits) if wants_names(entry) else []
    return understood(entry, found, names)


def files_of(entry: Entry) -> set[str]:
    """The tables and lists that are read here, as the entry names them."""
    return {table.file for table in _tables(entry)} | {file for files in entry.lists.values() for file in files}


def wants_names(entry: Entry) -> bool:
    """Whether columns are to be found by the names of pictures."""
    return bool(entry.patterns) and (any(entry.lists.values()) or any(map(_is_to_guess, _tables(entry))))


def understood(
    entry: Entry, found: dict[str, tuple[str, bytes]], names: list[str]
) -> tuple[list[Labels], dict[Subset, list[Labels]]]:
    """As `read`, from path and content of each file of `files_of`, and the paths of pictures that patterns reach."""
    lists: dict[Subset, list[Labels]] = {
        subset: [_list(file, found[file], names) for file in files] for subset, files in entry.lists.items() if files
    }
    return [_labels(table, found[table.file], names) for table in _tables(entry)], lists


def _tables(entry: Entry) -> list[LabelTable]:
    """The tables beside the pictures; the rows of others are the pictures."""
    own = own_tables(entry)
    return [table for table in entry.tables if table not in own]


def file_and_part(text: str) -> tuple[str, str | None]:
    """A file, and the variable of a MATLAB file after its `#`; in other names `#` is a letter."""
    found = re.fullmatch(r"(.*\.mat)#(.+)", text, re.DOTALL | re.IGNORECASE)
    return (found[1], found[2]) if found else (text, None)


def _is_to_guess(table: LabelTable) -> bool:
    return table.image is None or _wants_label(table)


def _wants_label(table: LabelTable) -> bool:
    """Whether the table is there for labels, but does not say in which column they stand."""
    return table.label is None and table.group is None and table.split is None


def contents(source: Path, files: set[str], limits: archive.Limits) -> dict[str, tuple[str, bytes]]:
    """The path and the content of each file by how the entry names it: its path, or the end of its path."""
    wanted = {file: plain(file_and_part(file)[0]) for file in files}
    last_parts = tuple(name.rpartition("/")[2] for name in wanted.values())
    others: set[str] = set()

    def named(path: str) -> bool:
        path = composed(path)
        is_near = path.endswith(last_parts)  # quick, for there may be a million files
        return is_near and any(_matching(name, [path]) for name in wanted.values())

    def named_or_noted(path: str) -> bool:
        if tables.may_be_table(path) and len(others) < OTHERS:
            others.add(composed(path))
        return named(path)

    def holds(folder: str) -> bool:
        inside = composed(folder) + "/"
        return any(name.startswith(inside) for name in wanted.values())

    content = _read(archive.files(source, wanted=named, may_hold=holds, limits=limits), wanted.values())
    if any(_matching(name, content) == [] for name in wanted.values()):  # perhaps in a nested archive of another name
        every = archive.files(source, wanted=named_or_noted, may_hold=lambda _: True, limits=limits)
        content = _read(every, wanted.values())
    found = {}
    for file, name in wanted.items():
        paths, shown = _matching(name, content), file_and_part(file)[0]
        if not paths:
            raise UserError(
                f"{DATASETS} names the table or list {shown!r}, but {source} holds no such file: {_hint(name, others)}"
            )
        if len(paths) > 1:
            raise UserError(f"{DATASETS} names {shown!r}, which may be {' or '.join(paths[:5])}: give the whole path")
        found[file] = (paths[0], content[paths[0]])
    return found


def _hint(name: str, others: set[str]) -> str:
    if near := difflib.get_close_matches(name, others, n=1):
        return f"did you mean {near[0]}?"
    return f"its tables and texts are {listed(sorted(others))}" if others else "it holds no table, so take it out"


def _matching(name: str, paths: Iterable[str]) -> list[str]:
    if name in paths:
        return [name]
    return sorted(path for path in paths if path.endswith("/" + name))


def _read(files: Iterable[archive.File], names: Collection[str]) -> dict[str, bytes]:
    content = {}
    for file in files:
        if file.link and not any(_matching(name, [composed(file.path)]) for name in names):
            continue  # the archive gives all of its links, asked or not
        try:
            content[composed(file.path)] = file.read()
        except BadMember as error:
            raise UserError(f"the table or list {file.path} cannot be read: {error}") from None
        if all(name in content for name in names):
            break  # all are found by their whole paths, which count for more than ends of paths
    return content


def _picture_names(source: Path, entry: Entry, limits: archive.Limits) -> list[str]:
    """The paths of pictures that the patterns reach, up to NAMES of them; of all, where there are lists alone."""
    patterns = [pattern for own in entry.patterns.values() for pattern in own] or [Pattern(".")]
    names: list[str] = []

    def wanted(path: str) -> bool:
        is_wanted = len(names) < NAMES and looks_like_image(path)
        if is_wanted and any(one.match(composed(path)) is not None for one in patterns):
            names.append(composed(path))
        return False

    for _ in archive.files(source, wanted=wanted, may_hold=_any(patterns), limits=limits):
        pass
    return names


def _any(patterns: list[Pattern]) -> Callable[[str], bool]:
    return lambda folder: any(pattern.may_reach_below(folder) for pattern in patterns)


def _list(file: str, found: tuple[str, bytes], names: list[str]) -> Labels:
    """A list of names: one a line, or a column of a table."""
    path, content = found
    has_names = not path.lower().endswith((".txt", ".csv", ".tsv"))
    table = tables.read(content, path, header=has_names, part=file_and_part(file)[1])
    return Labels(table, guess_columns(table, names, label=False))


def _tidied(key: Key) -> Key:
    return tidied(key) if isinstance(key, str) else key


def _labels(settings: LabelTable, found: tuple[str, bytes], names: list[str]) -> Labels:
    path, content = found
    table = tables.read(content, path, header=settings.has_header, part=file_and_part(settings.file)[1])
    label: Key | list[Key] | Part | None
    if isinstance(settings.label, PartOfColumn):
        label = Part(_tidied(settings.label.column), column_form(settings.label.form))
    elif isinstance(settings.label, list):
        label = [_tidied(one) for one in settings.label]
    else:
        label = settings.label if settings.label is None else _tidied(settings.label)
    splits: dict[str, list[str]] | None = None
    if settings.splits is not None:
        splits = {subset: [str(_tidied(one)) for one in values] for subset, values in settings.splits.items()}
    image, group, split = (
        key if key is None else _tidied(key) for key in (settings.image, settings.group, settings.split)
    )
    columns = Columns(image, label, group, split, splits)
    if _is_to_guess(settings):
        columns = guess_columns(table, names, columns, label=_wants_label(settings))
    return Labels(table, columns)
