"""The classes of a data set: their order and the names that people read."""

import re
from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from darkroom.base.errors import UserError
from darkroom.config.catalogue import Entry


def labels(index: pa.Table) -> list[str]:
    """The labels of an index (column label, text), as classes are numbered: 2 before 10, numbers before words."""
    return sorted(pc.unique(index["label"]).drop_null().to_pylist(), key=_natural)


def names(labels: list[str], entry: Entry, dataset: str, dropped: Collection[str | None]) -> list[str]:
    """The names of the classes in the order of `labels`; `dropped` are labels whose pictures were all dropped.

    Raises UserError if the entry names a label that no picture has, and if two labels get one name.
    """
    unknown = [label for label in entry.classes if label not in labels and label not in dropped]
    if unknown:
        raise UserError(
            f"datasets.yaml: {dataset}.classes names {unknown[0]!r}, but the archive has no such label: "
            f"known are {', '.join(labels[:20])}"
        )
    names = [entry.classes.get(label, label) for label in labels]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UserError(
            f"datasets.yaml: {dataset}.classes gives two labels the name {twice[0]!r}: name one differently"
        )
    return names


def _natural(label: str) -> list[tuple[int, int, str]]:
    # Python refuses to read a number of thousands of digits, so that long digits count as text.
    parts = [part for part in re.split(r"(\d+)", label) if part]
    return [(0, int(part), "") if part.isdecimal() and len(part) < 1000 else (1, 0, part) for part in parts]
