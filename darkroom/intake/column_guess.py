"""Which columns of a table name the pictures and their labels, where only one reading fits."""

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc

from darkroom.base.errors import UserError
from darkroom.base.words import listed
from darkroom.intake.label_values import are_fractions
from darkroom.intake.labelling import Columns
from darkroom.intake.picture_names import Names, as_paths, folder_of
from darkroom.intake.table_columns import Key, Table, in_words, named
from darkroom.pictures.decoding import looks_like_image

PROBE = 2_000  # rows, all over the table, that decide whether a column may name pictures
DEEPEST = 8  # folders at the end of a path that a text in the probe may name


class Naming(NamedTuple):
    """What a column names."""

    rows: np.ndarray  # int64, of each picture, -1 if no text names it
    pictures: int  # that some text names
    ranks: int  # summed: the fewer, the more exactly
    texts: int  # different ones


def guess_columns(table: Table, names: Sequence[str], given: Columns | None = None, *, label: bool = True) -> Columns:
    """The columns as given, with those of the image and, where `label` says that it is wanted, the label found.

    `names` are paths of up to 100,000 pictures in the archive. Without `label` this finds the names in a list
    (`@file`). Raises UserError with the columns and the line to write if no reading fits, or more than one.
    """
    given = given or Columns()
    image, taken = given.image, {given.image, given.group, given.split}
    if image is None and table.numbered:  # a vector: as labels its places name pictures, as a list its numbers
        image = list(table.columns)[0 if label else 1]
    elif image is None:
        image, same = _image(table, names, [key for key in table.columns if key not in taken])
        taken |= same
    if not label or given.label is not None:
        return replace(given, image=image)
    others = [key for key in table.columns if key not in taken and key != image]
    return replace(given, image=image, label=_label(table, image, others))


def _image(table: Table, names: Sequence[str], keys: list[Key]) -> tuple[Key, set[Key | None]]:
    """The column that names the pictures, and all columns that name them alike."""
    known, folder = _texts_of(names), folder_of(table.path)
    places = np.linspace(0, len(table) - 1, PROBE).astype(np.int64) if len(table) > PROBE else None
    found = {}
    for key in keys:
        column = table.column(key)
        texts = as_paths(column if places is None else column.take(places), folder)
        if known.isdisjoint(texts):
            continue
        naming = _naming(table, texts if places is None else as_paths(column, folder), names)
        if 2 * naming.pictures >= min(naming.texts, len(names)):
            found[key] = naming
    if not found:
        raise UserError(_no_image(table, names, keys, known))
    best = min(found, key=lambda key: (-found[key].pictures, found[key].ranks))
    if looks_like_image(str(best)) and best in known:
        raise UserError(_no_header(table, best))
    same: set[Key | None] = {best}
    for key, naming in found.items():
        if np.array_equal(naming.rows, found[best].rows):
            same.add(key)
        elif 2 * naming.pictures >= found[best].pictures:
            raise UserError(
                f"{table.path}: columns {named(best)} and {named(key)} both name pictures: say which does in "
                f"datasets.yaml, as in `{_line(table, best)}`"
            )
    return best, same


def _texts_of(names: Iterable[str]) -> set[str | None]:
    """All texts that name one of the pictures."""
    known: set[str | None] = set()
    for name in names:
        ends, slash = [name], len(name)
        for _ in range(DEEPEST):
            slash = name.rfind("/", 0, slash)
            if slash < 0:
                break
            ends.append(name[slash + 1 :])
        ending = len(posixpath.splitext(name)[1])
        known.update(ends, [end[: len(end) - ending] for end in ends])
    return known


def _naming(table: Table, texts: list[str | None], names: Sequence[str]) -> Naming:
    """Which pictures the texts of a column name."""
    rows = {text: row for row, text in enumerate(texts) if text is not None}
    finder = Names(rows, folder_of(table.path), table.numbered)
    found = [finder.find(name) or (-1, 0) for name in names]
    named_rows = np.array([row for row, _ in found], np.int64)
    return Naming(named_rows, int((named_rows >= 0).sum()), sum(rank for _, rank in found), len(rows))


def _no_image(table: Table, names: Sequence[str], keys: list[Key], known: set[str | None]) -> str:
    """The sentence for a table that names no pictures."""
    header = [key for key in table.columns if isinstance(key, str) and key in known]
    if header:
        return _no_header(table, header[0])
    first = {key: pc.drop_null(table.column(key).slice(0, 100)).to_pylist() for key in keys}
    examples = [f"{named(key)} has {named(texts[0])}" for key, texts in first.items() if texts]
    picture = f"a picture is called {named(names[0])}" if names else "there are no pictures"
    return f"{table.path} has no column that names pictures: {listed(examples)}, and {picture}; give another table"


def _no_header(table: Table, name: Key) -> str:
    return (
        f"{table.path} seems to have no header, for {named(name)} in its first row is a picture: give columns "
        f"by number, as in `labels: {{file: {table.path}, image: 0, label: 1}}` in datasets.yaml"
    )


def _label(table: Table, image: Key | None, keys: list[Key]) -> Key:
    """The only column that is left, or that can be a label."""
    able = keys if len(keys) == 1 else [key for key in keys if _can_be_label(table, key)]
    if len(able) == 1:
        return able[0]
    if not keys:
        why = f"it has no column beside {named(image)}"
    elif able:
        why = f"{in_words(able)} may all be it"
    else:
        why = f"none of {in_words(keys)} looks like one (some classes, of several pictures each)"
    raise UserError(
        f"{table.path}: which column is the label? {why}: name it in datasets.yaml, as in `{_line(table, image)}`"
    )


def _can_be_label(table: Table, key: Key) -> bool:
    """Whether a column has several values, few for its rows, and not numbers with fractions."""
    column = table.column(key)
    different = pc.count_distinct(column, mode="only_valid").as_py()
    return 1 < different <= len(table) / 2 and not are_fractions(pc.drop_null(column.unique()).to_pylist())


def _line(table: Table, image: Key | None) -> str:
    return f"labels: {{file: {table.path}, image: {image}, label: …}}"
