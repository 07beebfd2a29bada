"""A file's bytes become columns of text, or one sentence."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from darkroom.base.errors import UserError
from darkroom.intake import table_columns, tables
from darkroom.intake.tables import read
from tests.intake.labels_in_tables import table, values

FORMS = {
    "a.csv": b"image,label\na.jpg,cat\nb.jpg,dog\n",
    "a.tsv": b"image\tlabel\r\na.jpg\tcat\r\nb.jpg\tdog",
    "a.txt": b"image   label\n  a.jpg cat  \nb.jpg\tdog\n",
    "a.TXT": b"image|label\na.jpg|cat\nb.jpg|dog\n",
    "labels": b"image;label\na.jpg;cat\nb.jpg;dog\n",
    "a.jsonl": b'{"image": "a.jpg", "label": "cat"}\n\n{"label": "dog", "image": "b.jpg"}\n',
    "a.json": b'[{"image": "a.jpg", "label": "cat"}, {"image": "b.jpg", "label": "dog"}]',
    "b.json": b'{"a.jpg": "cat", "b.jpg": "dog"}',
}


def parquet(columns):
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


@pytest.mark.parametrize("path", FORMS)
def test_all_forms_give_the_same_table(path):
    assert values(read(FORMS[path], path)) == {"image": ["a.jpg", "b.jpg"], "label": ["cat", "dog"]}


def test_parquet_gives_the_same_table():
    data = parquet({"image": ["a.jpg", "b.jpg"], "label": pa.array(["cat", "dog"]).dictionary_encode()})
    assert values(read(data, "a.parquet")) == {"image": ["a.jpg", "b.jpg"], "label": ["cat", "dog"]}


@pytest.mark.parametrize("path", ["a.csv", "a.json", "b.json"])
def test_without_a_header_columns_have_numbers(path):
    found = read(FORMS[path], path, header=False)
    assert list(found.columns) == [0, 1]
    assert found.column(1).to_pylist()[-2:] == ["cat", "dog"]


def test_a_vector_of_matlab_counts_the_pictures():
    file = io.BytesIO()
    savemat(file, {"labels": np.array([[3.0, 1.0, 2.5]])})
    found = read(file.getvalue(), "imagelabels.mat", part="labels")
    assert values(found) == {"image": ["1", "2", "3"], "label": ["3", "1", "2.5"]}
    assert found.numbered


def test_a_name_alone_is_a_list():
    assert values(table("a 1.jpg\nb.jpg\n", "list.txt", header=False)) == {0: ["a 1.jpg", "b.jpg"]}


@pytest.mark.parametrize(
    ("path", "part", "said"),
    [
        ("a.xlsx", None, "a.xlsx is no table that Darkroom reads: save it as CSV"),
        ("a.csv", "labels", "a.csv#labels: only a .mat file has parts: give a.csv"),
        ("a.mat", None, "a.mat cannot be read as a MATLAB file"),
    ],
)
def test_what_is_no_table_is_said(path, part, said):
    with pytest.raises(UserError, match=said):
        read(b"image,label\na,b\n", path, part=part)


def test_a_file_beyond_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(tables, "MAX_BYTES", 10)
    with pytest.raises(UserError, match=r"a.csv has .* cut it down"):
        table("image,label\na,b\n", "a.csv")


def test_rows_beyond_the_limit_are_refused(monkeypatch):
    monkeypatch.setattr(table_columns, "MAX_ROWS", 3)
    with pytest.raises(UserError, match="has 4 rows and 1 column"):
        read(parquet({"image": list("abcd")}), "a.parquet")


@settings(max_examples=400, deadline=None)
@given(
    data=st.one_of(
        st.binary(max_size=300),
        st.text(alphabet='ab,;\t |"\n\r\\0é\ufeff#1.[]{}:', max_size=80).map(str.encode),
        st.text(max_size=50).map(lambda text: text.encode("utf-16", "surrogatepass")),
    ),
    path=st.sampled_from(["a.csv", "a.tsv", "a.txt", "a.json", "a.jsonl", "a.parquet", "x/a"]),
    header=st.booleans(),
)
@example(data=b"\xff\xfe", path="a.csv", header=True)
@example(data=b"\x1f", path="a.csv", header=True)
def test_any_bytes_give_a_table_or_one_sentence(data, path, header):
    try:
        found = read(data, path, header=header)
    except UserError:
        return
    lengths = {len(column) for column in found.columns.values()}
    assert lengths == {len(found)}
    assert all(text is None or text.strip() == text != "" for texts in values(found).values() for text in texts)
    assert found.where(0)
