"""Tables of labels and lists of names that lie in an archive: one file's bytes become columns of text."""

from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.base.errors import UserError
from darkroom.base.words import size
from darkroom.intake import delimited, json_tables, matlab_vector, parquet_table
from darkroom.intake.table_columns import MAX_BYTES, Key, Table, by_name, named, tidy

__all__ = ["Key", "Table", "may_be_table", "read"]

READ = {".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet"}

OTHERS = {
    ".xlsx",
    ".xls",
    ".ods",
    ".h5",
    ".hdf5",
    ".npy",
    ".npz",
    ".pkl",
    ".pickle",
    ".feather",
    ".arrow",
    ".xml",
    ".gz",
}
FORMATS = "CSV, TSV, TXT, JSON, JSON lines, Parquet and .mat"


def may_be_table(path: str) -> bool:
    """Whether a file that nobody named may be a table, by its ending."""
    return path[path.rfind(".") :].lower() in READ


def read(data: bytes, path: str, *, header: bool = True, part: str | None = None) -> Table:
    """The table in a file's bytes; its format follows from the ending of `path`.

    `header` says whether the first row names the columns; `part` names a variable of a `.mat` file (`labels` of
    `imagelabels.mat#labels`). Raises UserError if the file is damaged, too large, or no table.
    """
    ending = PurePosixPath(path).suffix.lower()
    if ending in OTHERS:
        raise UserError(f"{path} is no table that Darkroom reads: save it as CSV (UTF-8); it reads {FORMATS}")
    if part and ending != ".mat":
        raise UserError(f"{path}#{part}: only a .mat file has parts: give {path}")
    if len(data) > MAX_BYTES:
        raise UserError(f"{path} has {size(len(data))}, and a table of labels may have {size(MAX_BYTES)}: cut it down")
    if ending in (".json", ".jsonl", ".ndjson"):
        columns, note = json_tables.read(data, path, lines=ending != ".json")
        return Table(path, _keyed(columns, header, path), note=note)
    if ending == ".parquet":
        columns, skipped = parquet_table.read(data, path)
        return Table(path, _keyed(columns, header, path), skipped=skipped)
    if ending == ".mat":
        return Table(path, _keyed(_numbered(data, path, part), header, path), numbered=True)
    found = delimited.read(data, path, header)
    return Table(path, found.columns, found.first_line, note=found.note)


def _keyed(columns: dict[str, pa.ChunkedArray], header: bool, path: str) -> dict[Key, pa.ChunkedArray]:
    """Columns by their names, or by their numbers where the caller names none. Raises UserError for a NUL in them."""
    for name, column in columns.items():
        if "\0" in name or pc.any(pc.match_substring(column, "\0")).as_py():
            raise UserError(f"{path} holds a NUL character in column {named(name)}: it is no text, or damaged; mend it")
    return by_name(list(columns), list(columns.values()), path) if header else dict(enumerate(columns.values()))


def _numbered(data: bytes, path: str, part: str | None) -> dict[str, pa.ChunkedArray]:
    """A vector as a table: `image` counts from 1, `label` is the number."""
    found = matlab_vector.vector(data, part)
    if isinstance(found, str):
        raise UserError(f"{path} {found}")
    images = pa.chunked_array([pa.array(np.arange(1, len(found) + 1)).cast(pa.string())])
    return {"image": images, "label": tidy(parquet_table.as_text(pa.chunked_array([pa.array(found)]), path))}
