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

DROPPED = "\0"  # stands before the label of a class that the entry drops; no name begins with it
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


def label(found: Decoded, entry: Entry, wrong: Sequence[Correction], dataset: str) -> Labelled:
    """Name the classes, correct labels, and leave out what the entry or a correction drops.

    Raises UserError if names or corrections are wrong.
    """
    table = found.table
    # 1. Name the classes; a class that the entry drops keeps its label for now, so that a correction can save pictures.
    by_hand = {one.label for one in wrong if one.label is not None}
    names = class_names.names(pc.unique(table["label"]).drop_null().to_pylist(), entry, dataset, by_hand)
    marked = {label: f"{DROPPED}{label}" if name is None else name for label, name in names.items()}
    named = _with_labels(table, _mapped(table["label"], marked))
    # 2. Correct labels by hand; a file that could not be read can be dropped too.
    to_drop = [one.path for one in wrong if one.label is None]
    dropped = np.zeros(len(table), bool)
    dropped[[row for row in corrections.rows_of(table["path"], to_drop) if row is not None]] = True
    gone = [*table["path"].filter(pa.array(dropped)).to_pylist(), *(path for path, _ in found.rejected)]
    named, applied = corrections.apply(named, gone, wrong, _for_people(marked))
    unread = set(map(composed, to_drop))
    rejected = [(path, reason) for path, reason in found.rejected if composed(path) not in unread]
    # 3. Leave out classes that the entry drops, and those of too few different pictures.
    unnamed = _is_in(named["label"], {name for name in marked.values() if name.startswith(DROPPED)}) & ~dropped
    few = _few(named.filter(pa.array(~dropped)), entry.min_images)
    small = _is_in(named["label"], few) & ~dropped & ~unnamed
    left_out = _told(table, unnamed, "a picture of a class that the entry drops")
    left_out += _told(table, small, f"a picture of a class with fewer than {entry.min_images} different pictures")
    rows = np.flatnonzero(~(dropped | unnamed | small))
    index = named.take(pa.array(rows))
    classes = class_names.classes(names, set(pc.unique(index["label"]).drop_null().to_pylist()))
    return Labelled(index, rows, classes, rejected, left_out, applied)


def _for_people(marked: Mapping[str, str]) -> dict[str, str]:
    """Names as people read them; those of dropped classes first: of two read alike, a correction means the last."""
    names = sorted(set(marked.values()), key=lambda name: not name.startswith(DROPPED))
    return {name: name.removeprefix(DROPPED) for name in names}


def _is_in(values: pa.ChunkedArray, wanted: Collection[str]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = pc.is_in(values, value_set=pa.array(sorted(wanted), pa.string())).to_numpy()
    return found


def _mapped(labels: pa.ChunkedArray, names: Mapping[str, str]) -> pa.ChunkedArray:
    """Labels replaced by their names."""
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
