"""Parquet files of pictures: a column of picture files (bytes, or Hugging Face's {bytes, path}) beside one of labels.

The names of classes stand in the schema's metadata under `huggingface`, as their library `datasets` writes them.
"""

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.base.errors import UserError
from darkroom.base.words import counted, did_you_mean, listed, size
from darkroom.intake.archive import MAX_FILE, spooled
from darkroom.intake.contained import USUAL_LABELS, Container, NoPictures, Picture
from darkroom.intake.label_values import Values
from darkroom.intake.parquet_table import INDEX, as_text
from darkroom.intake.table_columns import Key, in_words, tidy

ROWS = 64  # of a batch
BATCH_BYTES = 2**28  # that a batch may have, were each value as long as can be
USUAL_PICTURES = ("image", "img", "picture", "jpg", "png")
FAULTS = (pa.ArrowException, OSError, ValueError, KeyError, UnicodeError, MemoryError)


class PictureParquet:
    """The columns of one file, and the names of its classes."""

    def __init__(self, container: Container) -> None:
        self.path = container.path
        try:
            file = spooled(container.stream)
            self.file = pq.ParquetFile(pa.PythonFile(file, "r"), buffer_size=2**20, pre_buffer=False)
            self.schema = self.file.schema_arrow
            self.rows = self.file.metadata.num_rows
        except FAULTS as error:
            raise damaged(self.path, error) from None
        self.features = _features(self.schema.metadata or {})
        self.pictures = self._pictures()

    def _pictures(self) -> str:
        """The column of pictures."""
        able: dict[str, pa.DataType] = {one.name: one.type for one in self.schema if _holds_files(one.type)}
        marked = [name for name in able if self._type(name) == "Image"]
        usual = [name for name in able if name.lower() in USUAL_PICTURES]
        for found in (marked, usual, list(able)):
            if len(found) == 1:
                return found[0]
        what = f"several columns of bytes ({in_words(able)})" if able else "no column of bytes"
        raise NoPictures(
            f"{self.path} holds {what}, and wanted is one of picture files, called image (its columns are "
            f"{in_words(self.schema.names)}): make it anew"
        )

    def _type(self, name: str) -> Any:
        feature = self.features.get(name)
        return feature.get("_type") if isinstance(feature, dict) else None

    def others(self) -> list[str]:
        """The columns beside that of the pictures."""
        return [name for name in self.schema.names if name != self.pictures and not name.startswith(INDEX)]

    def column(self, key: Key | None) -> str | None:
        """The column that the entry asks for. Raises UserError if there is none."""
        if key is None:
            return None
        known = self.others()
        if key not in known:
            raise UserError(f"{self.path} has no column {key!r}: {did_you_mean(str(key), known)}")
        return str(key)

    def label(self) -> str | None:
        """The column of labels where the entry does not say it; None if there is none. Raises UserError for two."""
        known = self.others()
        classes = [name for name in known if self._type(name) == "ClassLabel"]
        usual = [name for name in known if name.lower() in USUAL_LABELS]
        for found in (classes, usual):
            if len(found) == 1:
                return found[0]
            if found:
                break
        if not known:
            return None
        raise UserError(
            f"{self.path}: which column is the label? It has {in_words(known)}: say it in datasets.yaml, as in "
            f"`labels: {{file: {self.path}, label: {known[0]}}}`"
        )

    def names(self, column: str) -> list[str] | None:
        """The names of the classes whose numbers a column holds."""
        feature = self.features.get(column)
        names = feature.get("names") if isinstance(feature, dict) else None
        return names if isinstance(names, list) and all(isinstance(one, str) for one in names) else None


def pictures(container: Container) -> Iterator[Picture]:
    """The pictures of a Parquet file. Raises UserError."""
    asked = container.asked
    found = PictureParquet(container)
    label = found.column(asked.label) or (found.label() if asked.wants_labels else None)
    group, split = found.column(asked.group), found.column(asked.split)
    if not found.rows:
        raise UserError(f"{found.path} holds no rows: give another file")
    used = [name for name in (label, group, split) if name is not None]
    others = [name for name in found.others() if name not in used]
    if others and (label or group or split):
        container.said.append(f"{found.path}: its columns {listed(others)} are not used")
    names = found.names(label) if label else None
    source = f"{found.path}, column {label}" if label else ""
    number = 0
    try:
        for batch in _batches(found, [found.pictures, *used], container):
            texts = {name: _texts(batch.column(name), found.path) for name in used}
            columns = [texts.get(name or "", [None] * len(batch)) for name in (label, group, split)]
            for file, *said in zip(_files(batch.column(found.pictures)), *columns, strict=True):
                named = _named(said[0], names, found.path) if names else said[0]
                problem = "" if file else "it has no bytes in the table, at most a path"
                yield Picture(str(number), None, file, problem, source, named, *said[1:])
                number += 1
    except FAULTS as error:
        raise damaged(found.path, error) from None


def damaged(path: str, error: Exception) -> UserError:
    return UserError(f"{path} cannot be read as Parquet ({error}): fetch it again, or make it anew")


def _batches(found: PictureParquet, columns: list[str], container: Container) -> Iterator[pa.RecordBatch]:
    """Rows, some at a time, few where values may be long: a dictionary holds one of them for many rows."""
    for group in range(found.file.num_row_groups):
        meta = found.file.metadata.row_group(group)
        held = [meta.column(place) for place in range(meta.num_columns)]
        own = [one for one in held if one.path_in_schema.split(".")[0] == found.pictures]
        longest = max((one.total_uncompressed_size for one in own), default=0)
        repeats = any("DICTIONARY" in kind for one in own for kind in one.encodings)
        if repeats and longest > 8 * MAX_FILE:
            raise UserError(f"{found.path} promises {size(longest)} in one row group: make it anew with smaller ones")
        rows = max(1, min(ROWS, BATCH_BYTES // max(1, longest))) if repeats else ROWS
        for batch in found.file.iter_batches(rows, [group], columns, use_threads=False):
            batch.validate(full=True)
            container.budget.spend(batch.nbytes)
            yield batch


def _holds_files(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and _holds_files(kind.field(place).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _files(column: pa.Array) -> list[bytes | None]:
    values = pa.compute.struct_field(column, "bytes") if pa.types.is_struct(column.type) else column
    found: list[bytes | None] = values.to_pylist()
    return found


def _texts(column: pa.Array, path: str) -> Values:
    if pa.types.is_nested(column.type) or _holds_files(column.type):
        raise UserError(f"{path} holds {column.type} where a label, a group or a subset is wanted: name another column")
    texts: Values = tidy(as_text(pa.chunked_array([column]), path)).to_pylist()
    return texts


def _named(label: str | None, names: list[str], path: str) -> str | None:
    """The name of a class by its number; Hugging Face writes -1 where there is none."""
    if label is None or label == "-1":
        return None
    if not label.isdecimal() or int(label) >= len(names):
        raise UserError(
            f"{path} has the label {label!r}, and names {counted(len(names), 'class', 'classes')}: one is wrong"
        )
    return names[int(label)]


def _features(metadata: dict[bytes, bytes]) -> dict[str, Any]:
    try:
        found = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
