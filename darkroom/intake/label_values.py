"""The values of a table's columns as labels, groups and subsets, and what is no label of a classifier."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.base.errors import UserError
from darkroom.base.words import listed
from darkroom.intake.table_columns import Key, Table, named

SET, NOT_SET = {"1", "1.0", "true", "yes", "x"}, {"0", "0.0", "-1", "-1.0", "false", "no"}  # in a column of one class
USUAL = {  # words for subsets
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
SEVERAL = "Darkroom classifies, one class a picture"


Values = list[str | None]  # of each row; equal texts are one object


def of_column(column: pa.ChunkedArray) -> Values:
    """The values of a column."""
    encoded = column.dictionary_encode().unify_dictionaries()
    codes = np.concatenate([pc.fill_null(part.indices, -1).to_numpy() for part in encoded.chunks])
    names = np.array([*encoded.chunk(0).dictionary.to_pylist(), None], dtype=object)  # None last: code -1
    values: Values = names[codes].tolist()
    return values


def mapped(values: Values, change: Callable[[str], str | None]) -> Values:
    """Each value changed by a function, which may answer None; asked once for each different value."""
    changed = {name: None if name is None else change(name) for name in dict.fromkeys(values)}
    return [changed[value] for value in values]


def one_hot(table: Table, keys: list[Key]) -> Values:
    """The column of several that is set in each row; none where none is. Raises UserError if several are."""
    columns = []
    for key in keys:
        text = pc.utf8_lower(pc.fill_null(table.column(key), "0"))
        is_set = pc.is_in(text, value_set=pa.array(sorted(SET))).to_numpy()
        known = is_set | pc.is_in(text, value_set=pa.array(sorted(NOT_SET))).to_numpy()
        if not known.all():
            row = int(np.argmin(known))
            raise UserError(
                f"{table.path}, column {named(key)}, holds {named(text[row].as_py())} in {table.where(row)}: of "
                "several label columns the one of the picture's class is 1, and the others are 0"
            )
        columns.append(is_set)
    marks = np.stack(columns, axis=1)  # rows x classes, bool
    several = marks.sum(axis=1) > 1
    if several.any():
        row = int(np.argmax(several))
        those = ", ".join(str(keys[place]) for place in np.flatnonzero(marks[row])[:4])
        raise UserError(f"{table.path} gives several labels a picture ({table.where(row)}: {those}): {SEVERAL}")
    names = np.array([*map(str, keys), None], dtype=object)
    values: Values = names[np.where(marks.any(axis=1), marks.argmax(axis=1), -1)].tolist()
    return values


def check_classes(values: Values, table: Table, key: Key) -> None:
    """Raise UserError if labels are numbers with fractions, or lists of several labels."""
    counts = Counter(value for value in values if value is not None)
    where = f"{table.path}, column {named(key)},"
    if are_fractions(counts):
        raise UserError(f"{where} holds numbers, not classes ({listed(counts)}): {SEVERAL}; name another column")
    for separator in ("[", "|", " "):
        lists = {name: parts for name in counts if len(parts := _parts(name, separator)) > 1}
        rows = sum(counts[name] for name in lists)
        uses = Counter(part for parts in lists.values() for part in set(parts))
        # `cats | dogs` may be a class, `golden retriever` is one: they are lists if their parts stand elsewhere too.
        shared = [name for name, parts in lists.items() if separator == "[" or max(uses[part] for part in parts) > 1]
        known = [name for name, parts in lists.items() if all(part in counts for part in parts)]
        most = separator != " " and 2 * sum(counts[name] for name in shared) > counts.total()
        if most or 2 * sum(counts[name] for name in known) > rows:
            example = (shared if most else known)[0]
            place = table.where(values.index(example))
            raise UserError(f"{where} gives several labels a picture ({place}: {named(example)}): {SEVERAL}")


def _parts(name: str, separator: str) -> list[str]:
    """The labels in a cell that may hold a list: `[1, 2]`, `1|5`, `cat dog`; the cell itself if it is none."""
    if separator == "[":
        inside = name[1:-1].split(",") if name.startswith("[") and name.endswith("]") else [name]
        return [part.strip(" '\"") for part in inside]
    return [part.strip() for part in name.split(separator) if part.strip()]


def are_fractions(names: Iterable[str]) -> bool:
    """Whether all texts are numbers, and some are not whole."""
    fraction = False
    for name in names:
        if not NUMBER.fullmatch(name):
            return False
        fraction = fraction or not float(name).is_integer()
    return fraction


def subsets(values: Values, table: Table, key: Key, splits: dict[str, list[str]] | None) -> Values:
    """The values of a column as names of subsets: as `splits` says, none for others; or by the usual words.

    Raises UserError if `splits` names no value of the column, or names one twice, or if a word is none of the usual.
    """
    names = [name for name in dict.fromkeys(values) if name is not None]
    found = listed(map(named, names))
    written = f"train: [{_first(names)}], test: [{_first(names[1:])}]"
    line = f"labels: {{file: {table.path}, split: {key}, splits: {{{written}}}}}"
    if splits is None:
        strange = [name for name in names if name.lower() not in USUAL]
        if strange:
            raise UserError(
                f"{table.path}, column {named(key)}, names subsets by {found}, and {named(strange[0])} is none of the "
                f"usual words ({', '.join(USUAL)}): say what they mean in datasets.yaml, as in `{line}`"
            )
        return mapped(values, lambda name: USUAL[name.lower()])
    meaning: dict[str, str] = {}
    for subset, theirs in splits.items():
        for value in map(str, theirs):
            if meaning.setdefault(value, subset) != subset:
                raise UserError(
                    f"splits gives {named(value)} of {table.path} to {meaning[value]} and to {subset}: choose"
                )
    if not meaning.keys() & set(names):
        raise UserError(
            f"splits names no value that {table.path} has in column {named(key)}: it has {found}, as in `{line}`"
        )
    return mapped(values, meaning.get)


def _first(names: list[str]) -> str:
    """The first name, as YAML writes it."""
    return (
        "…" if not names else names[0] if re.fullmatch(r"\w+", names[0]) else json.dumps(names[0], ensure_ascii=False)
    )
