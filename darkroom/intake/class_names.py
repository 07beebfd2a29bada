"""The classes of a data set: their order, the names that people read, and what is refused."""

import re
from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from darkroom.base.errors import UserError
from darkroom.config.catalogue import Entry


def labels(index: pa.Table) -> list[str]:
    """The labels of an index (column label, text), in the order of their numbers: 2 before 10, numbers before words."""
    return sorted(pc.unique(index["label"]).drop_null().to_pylist(), key=_natural)


def names(labels: list[str], entry: Entry, dataset: str, dropped: Collection[str | None]) -> list[str]:
    """The classes as people should read them, in the order of `labels`; `dropped` are labels no longer used.

    Raises UserError for a label of the entry that no picture has, and for two labels with one name.
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
    # Python reads no number of thousands of digits, and a label that long is none.
    parts = [part for part in re.split(r"(\d+)", label) if part]
    return [(0, int(part), "") if part.isdecimal() and len(part) < 1000 else (1, 0, part) for part in parts]
