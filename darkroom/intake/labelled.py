"""Gives decoded pictures the classes that count: as the entry names them, and as corrections by hand have it."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from darkroom.config.catalogue import Entry
from darkroom.config.patterns import composed
from darkroom.intake import class_names, corrections
from darkroom.intake.corrections import Correction
from darkroom.intake.decoded import Decoded

LeftOut = tuple[str, str, int, str]  # folder, reason, number of files, the first of them


@dataclass(frozen=True)
class Labelled:
    """The pictures that are left."""

    index: pa.Table  # labels are names of classes
    rows: NDArray[np.int64]  # of the decoded pictures, ascending
    classes: list[str]  # in the order of their numbers
    rejected: list[tuple[str, str]]
    left_out: list[LeftOut]
    applied: pa.Table  # corrections
    labels_from: str


def label(found: Decoded, entry: Entry, wrong: Sequence[Correction], dataset: str) -> Labelled:
    """Name the classes, correct labels, and leave out what the entry or a correction drops.

    Raises UserError if names or corrections are wrong.
    """
    table = found.table
    # 1. Name the classes.
    names = class_names.names(pc.unique(table["label"]).drop_null().to_pylist(), entry, dataset)
    named = _with_labels(table, _mapped(table["label"], names))
    # 2. Correct labels by hand; a file that could not be read can be dropped too.
    to_drop = [one.path for one in wrong if one.label is None]
    dropped = np.zeros(len(table), bool)
    dropped[[row for row in corrections.rows_of(table["path"], to_drop) if row is not None]] = True
    gone = [*table["path"].filter(pa.array(dropped)).to_pylist(), *(path for path, _ in found.rejected)]
    known = {name for name in (*names.values(), *entry.classes.values()) if name is not None}
    named, applied = corrections.apply(named, gone, wrong, {name: name for name in known})
    unread = set(map(composed, to_drop))
    rejected = [(path, reason) for path, reason in found.rejected if composed(path) not in unread]
    # 3. Leave out classes that the entry drops, and those of too few different pictures.
    unnamed = (table["label"].is_valid().to_numpy() & named["label"].is_null().to_numpy()) & ~dropped
    few = _few(named.filter(pa.array(~dropped)), entry.min_images)
    small = pc.is_in(named["label"], value_set=pa.array(sorted(few), pa.string())).to_numpy() & ~dropped
    left_out = _told(table, unnamed, "a picture of a class that the entry drops")
    left_out += _told(table, small, f"a picture of a class with fewer than {entry.min_images} different pictures")
    rows = np.flatnonzero(~(dropped | unnamed | small))
    index = named.take(pa.array(rows))
    classes = class_names.classes(names, set(pc.unique(index["label"]).drop_null().to_pylist()))
    return Labelled(index, rows, classes, rejected, left_out, applied, found.labels_from)


def _mapped(labels: pa.ChunkedArray, names: Mapping[str, str | None]) -> pa.ChunkedArray:
    """Labels replaced by their names; null where the name is None."""
    places = pc.index_in(labels, value_set=pa.array(list(names), pa.string()))
    return pa.chunked_array([pa.array(list(names.values()), pa.string()).take(places.combine_chunks())])


def _with_labels(index: pa.Table, labels: pa.ChunkedArray) -> pa.Table:
    return index.set_column(index.schema.get_field_index("label"), "label", labels)


def _few(named: pa.Table, at_least: int) -> Collection[str]:
    """The classes of fewer different pictures, by their pixels."""
    if at_least == 1:
        return ()
    counts = named.group_by("label").aggregate([("sha256", "count_distinct")]).to_pylist()
    return {row["label"] for row in counts if row["label"] is not None and row["sha256_count_distinct"] < at_least}


def _told(table: pa.Table, which: NDArray[np.bool_], reason: str) -> list[LeftOut]:
    """Pictures that are left out, by folder."""
    paths = table["path"].filter(pa.array(which)).to_pylist()
    first: dict[str, str] = {}
    for path in paths:
        first.setdefault(path.rpartition("/")[0] or ".", path)
    counts = Counter(path.rpartition("/")[0] or "." for path in paths)
    return [(folder, reason, count, first[folder]) for folder, count in counts.items()]
