"""The plain columns of a Parquet file as text."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from darkroom.base.errors import UserError
from darkroom.intake.table_columns import MAX_BYTES, WHOLE, by_name, check_size, tidy

INDEX = "__index_level_"  # columns in which pandas keeps row names


def read(data: bytes, path: str) -> tuple[dict[str, pa.ChunkedArray], dict[str, str]]:
    """The plain columns, and what the others hold, by name. Raises UserError if there are none to read."""
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        skipped = {one.name: what for one in file.schema_arrow if (what := _not_plain(one.type))}
        names = [name for name in file.schema_arrow.names if name not in skipped and not name.startswith(INDEX)]
        check_size(file.metadata.num_rows, len(names), path)
        by_name(names, names, path)
        # As a dictionary each different text is in memory once, however often a column repeats it.
        texts = [name for name in names if pa.types.is_string(file.schema_arrow.field(name).type)]
        rows = pq.read_table(pa.BufferReader(data), columns=names, read_dictionary=texts, use_threads=False)
        rows.validate(full=True)
        return {name: tidy(as_text(rows[name], path)) for name in names}, skipped
    except (pa.ArrowException, OSError, ValueError, KeyError, UnicodeError, MemoryError) as error:
        raise UserError(
            f"{path} cannot be read as Parquet ({error}): make it anew, or save it as CSV (UTF-8)"
        ) from None


def _not_plain(kind: pa.DataType) -> str | None:
    """What a column holds that is no text, number or date; None if it is plain."""
    if pa.types.is_nested(kind):
        return "lists or records"
    return "bytes" if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) else None


def as_text(column: pa.ChunkedArray, path: str) -> pa.ChunkedArray:
    """Values as text: whole floats without a point, NaN as null. Raises UserError if it is beyond the limit."""
    if pa.types.is_dictionary(column.type):
        size = sum(
            pc.sum(pc.take(pc.binary_length(part.dictionary.cast(pa.string())), part.indices)).as_py() or 0
            for part in column.chunks
        )
        if size > MAX_BYTES:
            raise UserError(
                f"{path} holds {size:,} bytes of text in one column, and {MAX_BYTES:,} are read: cut it down"
            )
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        column = column.cast(pa.float32()) if pa.types.is_float16(column.type) else column
        none = pa.scalar(None, column.type)
        whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), WHOLE))
        numbers = pc.if_else(whole, column, none).cast(pa.int64()).cast(pa.string())
        return pc.coalesce(numbers, pc.if_else(pc.is_nan(column), none, column).cast(pa.string()))
    return column.cast(pa.string())
