"""Packs the pictures of an archive into one array and one table, in constant memory whatever their number.

The pictures come in the archive's own order and go to a scratch file. In the end they are copied into the order of
their paths. So the result depends on neither the order of the archive nor the number of threads, and no file is read
twice.
"""

import math
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from darkroom.config.catalogue import SUBSETS
from darkroom.intake.decoding_pool import Chunk, Placed, decoded
from darkroom.intake.noticed import Noticed
from darkroom.intake.scratch import Scratch, write_head
from darkroom.pictures.decoding import Target

JOINED_BATCHES = 256
SLICE = 2**16  # rows of the index that are looked at together


@dataclass(frozen=True)
class Packed:
    """What came of the files: the index in the order of the array, rejected files by path, what was noticed."""

    index: pa.Table
    rejected: list[tuple[str, str]]  # path and reason
    noticed: Noticed


def pack(files: Iterable[Placed], target: Target, folder: Path, *, threads: int) -> Packed:
    """Decode `files` and write `folder/images.npy`, uint8, N x height x width x channels.

    The order is train, val, test, unlabeled; by path within each; labels are text. Of files with equal paths, the last
    one that decodes is kept.
    """
    columns, noticed = _Columns(), Noticed()
    rejected: list[tuple[str, str]] = []
    with tempfile.TemporaryFile(buffering=0, dir=folder) as file:
        scratch = Scratch(file, math.prod(target.shape))
        # 1. Decode, in the order of the archive.
        for chunk in decoded(files, target, threads):
            scratch.append(chunk.images)
            columns.append(chunk.table())
            rejected.extend(chunk.rejected)
            noticed.add(chunk.noted, chunk.warned)
        scratch.close()
        # 2. Copy the pixels into the order of the paths.
        table = columns.table()
        order = _final_order(table)
        with (folder / "images.npy").open("wb") as array:
            write_head(array, (len(order), *target.shape))
            scratch.copy(order, array)
    # 3. Bring the index into that order, a column at a time: each old column is freed, so that memory holds the index
    #    once.
    unsorted = {name: table[name] for name in table.column_names}
    del table, scratch
    places = pa.array(order)
    index = pa.table({name: unsorted.pop(name).take(places) for name in list(unsorted)})
    return Packed(index, sorted(rejected), noticed)


class _Columns:
    """The index as it grows; small batches are joined now and then, for each takes extra memory."""

    def __init__(self) -> None:
        self._joined: list[pa.Table] = []
        self._batches: list[pa.RecordBatch] = [Chunk().table()]

    def append(self, batch: pa.RecordBatch) -> None:
        self._batches.append(batch)
        if len(self._batches) == JOINED_BATCHES:
            self._join()

    def _join(self) -> None:
        self._joined.append(pa.Table.from_batches(self._batches).combine_chunks())
        self._batches = []

    def table(self) -> pa.Table:
        """The whole index; the parts are freed."""
        self._join()
        joined, self._joined = self._joined, []
        return pa.concat_tables(joined)


def _final_order(table: pa.Table) -> NDArray[np.int64]:
    """The rows of the index in their final order; of rows with the same path, only the last."""
    rank = pc.index_in(table["subset"], value_set=pa.array(SUBSETS))
    keyed = pa.table({"rank": rank, "path": table["path"], "place": pa.array(np.arange(len(table)))})
    keys = [("rank", "ascending"), ("path", "ascending"), ("place", "ascending")]
    order = pc.sort_indices(keyed, keys).to_numpy().astype(np.int64)
    last = np.ones(len(order), bool)
    for start in range(0, len(order) - 1, SLICE):
        paths = table["path"].take(order[start : start + SLICE + 1]).combine_chunks()
        last[start : start + len(paths) - 1] = pc.not_equal(paths[:-1], paths[1:]).to_numpy(zero_copy_only=False)
    kept: NDArray[np.int64] = order[last]
    return kept
