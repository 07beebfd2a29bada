"""A sample's text, cell by cell: nothing of it is lost, and what is no table is said."""

import pytest

from darkroom.intake import sample_text
from darkroom.intake.sample_text import read, replaced, split, value
from tests.intake.fetched import refusal

ROWS = [["id", "a", "b"], ["1", "0.5", "0.5"], ["2", "0.5", "0.5"]]


def as_bytes(separator=",", end="\n", encoding="utf-8", last=True):
    text = end.join(separator.join(row) for row in ROWS) + end * last
    return text.encode(encoding)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
@pytest.mark.parametrize("last", [True, False])
def test_all_lines_joined_are_the_file(separator, end, encoding, last):
    data = as_bytes(separator, end, encoding, last)
    text = read(data, "s.csv")
    assert [line.cells for line in text.rows()] == ROWS
    joined = "".join(text.separator.join(line.cells) + line.blank + line.ending for line in text.lines())
    assert text.mark + joined.encode(text.encoding) == data


def test_blank_lines_and_space_stay_and_are_no_rows():
    text = read(b"id,x\n\n 1 , a\n  \n2,b\n\n", "s.csv")
    assert [line.number for line in text.rows()] == [1, 3, 5]
    assert [line.blank for line in text.lines()] == ["", "", "", "  ", "", ""]
    assert text.column(1) == ["x", "a", "b"]
    assert text.count() == 3


def test_a_tsv_is_separated_by_tabs_though_each_line_has_a_comma():
    assert read(b"id,x\tlabel\n1,x\ta\n", "s.tsv").separator == "\t"
    assert read(b"id,x\tlabel\n1,x\ta\n", "s.csv").separator == ","
    assert read(b"id;a,b\n1;c\n", "s.csv").separator == ";"


@pytest.mark.parametrize(
    ("cell", "says", "new", "written"),
    [
        ("a", "a", "b", "b"), (' "a" ', "a", "b", ' "b" '), ('"say ""a"""', 'say "a"', 'b"', '"b"""'),
        ("a", "a", "b,c", '"b,c"'), ("", "", "b", "b"), ("  ", "", "b", "  b"), ("a", "a", 'b"c', '"b""c"'),
        ("a\u0301", "\u00e1", "b", "b"), ('"', '"', "b", '"b"'),
    ],
)  # fmt: skip
def test_a_cell_keeps_its_quotes_and_its_space(cell, says, new, written):
    assert value(cell) == says
    assert replaced(cell, new, ",") == written


def test_a_separator_in_quotes_separates_nothing():
    assert split('"a,b",c,"d""e,"', ",") == ['"a,b"', "c", '"d""e,"']
    assert split('"a,b', ",") is None
    assert split("a,,b", ",") == ["a", "", "b"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "s.csv is empty, so it is no sample"),
        (b"\xef\xbb\xbf\r\n \n", "s.csv is empty"),
        (b"id,a\n1,2,3\n", "line 2 has 3 columns, and the first line has 2"),
        (b"id,a\n1\n", "line 2 has 1 column, and the first line has 2"),
        (b'id,a\n1,"b\nc"\n', "line 2 has a double quote that its line does not close"),
        (b"id,a\n1,b\n2,\0\n", "s.csv holds a NUL byte in line 3"),
        ("id,a\n".encode("utf-16-le"), "holds a NUL byte in line 1"),
        ("id,a\n".encode("utf-16")[:-1], "begins as UTF-16 and is damaged"),
        (b"PK\3\4xx", "is a zip or an Excel file, no text"),
        (b"\xff\xfe\0\0", "is empty"),
    ],
)
def test_what_is_no_table_is_said(data, says):
    assert says in refusal(lambda: list(read(data, "s.csv").lines()))


def test_ten_thousand_columns_are_read():
    header = ",".join(["id", *map(str, range(10_000))])
    text = sample_text.read(f"{header}\n1{',0' * 10_000}\n".encode(), "s.csv")
    assert [len(line.cells) for line in text.rows()] == [10_001, 10_001]
