"""The plain columns of Parquet as text."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from darkroom.base.errors import UserError
from darkroom.intake import parquet_table
from darkroom.intake.tables import read
from tests.intake.labels_in_tables import values


def file_of(columns):
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def test_plain_columns_become_text():
    data = file_of(
        {
            "image": [" a.jpg", "b.jpg"],
            "whole": [3.0, None],
            "share": [0.25, float("nan")],
            "half": pa.array(np.array([1, 0.5], np.float16)),
            "huge": [1e300, -2.0],
            "flag": [True, None],
            "kind": pa.array(["x", "y"]).dictionary_encode(),
        }
    )
    assert values(read(data, "a.parquet")) == {
        "image": ["a.jpg", "b.jpg"], "whole": ["3", None], "share": ["0.25", None], "half": ["1", "0.5"],
        "huge": ["1e+300", "-2"], "flag": ["true", None], "kind": ["x", "y"],
    }  # fmt: skip


def test_bytes_lists_and_row_names_are_skipped_and_told():
    data = file_of({"image": [b"x"], "boxes": [[1, 2]], "label": ["cat"], "__index_level_0__": [7]})
    found = read(data, "a.parquet")
    assert values(found) == {"label": ["cat"]}
    with pytest.raises(UserError, match=r"a.parquet has a column 'image' of bytes"):
        found.column("image")
    with pytest.raises(UserError, match="has a column 'boxes' of lists or records"):
        found.column("boxes")


def test_images_alone_are_no_table():
    with pytest.raises(UserError, match=r"a.parquet holds no rows"):
        read(file_of({"image": [b"x"]}), "a.parquet")


def test_a_text_repeated_beyond_the_limit_is_refused_before_it_is_spread(monkeypatch):
    monkeypatch.setattr(parquet_table, "MAX_BYTES", 10_000)
    data = file_of({"label": ["x" * 100] * 101})
    with pytest.raises(UserError, match=r"a.parquet holds 10,100 bytes of text in one column"):
        read(data, "a.parquet")


@pytest.mark.parametrize(
    "damaged", [b"", b"PAR1", file_of({"a": ["x"]})[:-1], file_of({"a": ["x"]}).replace(b"x", b"\xff")]
)
def test_a_damaged_file_is_told(damaged):
    with pytest.raises(UserError, match=r"a.parquet cannot be read as Parquet"):
        read(damaged, "a.parquet")
