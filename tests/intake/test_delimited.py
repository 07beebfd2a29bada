"""Separated text: the separator is found, and a row that breaks the rules is told by its line."""

import pytest

from darkroom.base.errors import UserError
from darkroom.intake import delimited
from tests.intake.labels_in_tables import table, values


@pytest.mark.parametrize(
    ("path", "text", "rows"),
    [
        ("a.csv", "a.jpg,cat\nb.jpg,dog\n", [("a.jpg", "cat"), ("b.jpg", "dog")]),
        ("a.csv", "image;share\n1;2,5\n3;4,5\n", [("image", "share"), ("1", "2,5"), ("3", "4,5")]),
        ("a.csv", '"a;b";cat\nc;dog\n', [("a;b", "cat"), ("c", "dog")]),
        ("a.csv", "a|b\r1|2\r", [("a", "b"), ("1", "2")]),
        ("a.tsv", "a b,c\nd\n", [("a b,c",), ("d",)]),
        ("a.csv", "golden retriever\nbasset hound\n", [("golden retriever",), ("basset hound",)]),
        ("a.txt", "Abyssinian_1 1 1\nBengal_2  2 1\n", [("Abyssinian_1", "1", "1"), ("Bengal_2", "2", "1")]),
        (
            "a.txt",
            "n1 tench, Tinca tinca\nn2 shark, Carcharias\n",
            [("n1 tench", "Tinca tinca"), ("n2 shark", "Carcharias")],
        ),
        (
            "a.txt",
            "Golden Pug/1.jpg\nPug/1.jpg\nOld Pug/1.jpg\n",
            [("Golden Pug/1.jpg",), ("Pug/1.jpg",), ("Old Pug/1.jpg",)],
        ),
        ("a.csv", "name\ntench, Tinca\nshark, white\n", [("name",), ("tench, Tinca",), ("shark, white",)]),
        ("a.txt", "# a comment\n#b c\nx.jpg\n#1.jpg\n", [("x.jpg",), ("#1.jpg",)]),
        ("a.csv", "#1,x\n2,y\n", [("#1", "x"), ("2", "y")]),
        ("a.csv", 'a,"x\ny, ""z"""\n\n\nb,c', [("a", 'x\ny, "z"'), ("b", "c")]),
    ],
)
def test_rows_are_read(path, text, rows):
    assert list(zip(*values(table(text, path, header=False)).values(), strict=True)) == rows


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("a.csv", "", "a.csv is empty: give another table"),
        ("a.csv", "\n \n", "a.csv is empty"),
        ("a.txt", "# nothing\n", "a.txt is empty"),
        ("a.csv", "image,label\n", "a.csv holds no rows"),
        ("a.csv", "a,b\n1,2\n\n3\n", "a.csv: line 4 has 1 column, and the first row has 2: mend it"),
        ("a.csv", "a,b\n1,2,3\n", "line 2 has 3 columns, .* text that holds a `,`, .* in double quotes"),
        ("a.txt", "#x\na.jpg cat 1\nb.jpg dog\nc.jpg cow 2\n", "line 3 has 2 columns, .* text that holds a space"),
        ("a.csv", 'a,b\n1,2\n3,"x\n4,y\n', "the double quote in line 3 is never closed"),
        ("a.csv", 'a,b\n1,"x\n2,"y\n', "line 2 has a double quote within a cell"),
        ("a.csv", 'a,"b\n' + "x" * 200_000, "the double quote in line 1 is never closed"),
    ],
)
def test_a_damaged_text_is_told_by_its_line(path, text, said):
    with pytest.raises(UserError, match=said):
        table(text, path)


@pytest.mark.parametrize("before", ["", "image,label\na.jpg,cat\n", "image,label\nb.jpg,"])
def test_a_line_that_is_too_long_is_told(before, monkeypatch):
    monkeypatch.setattr(delimited, "LONGEST_ROW", 1000)
    with pytest.raises(UserError, match=r"a.csv: line \d is longer than 1,000 bytes"):
        table(before + "x" * 5000, "a.csv")


def test_lines_beyond_the_limit_are_refused_before_they_are_read(monkeypatch):
    monkeypatch.setattr(delimited, "MAX_ROWS", 3)
    with pytest.raises(UserError, match=r"a.csv has 5 lines"):
        table("a\n" * 5, "a.csv")


def test_the_note_of_the_encoding_stays_with_the_table():
    assert delimited.read(b"a,b\n\xe9,1\n", "a.csv", header=True).note == "is not UTF-8: read as Windows-1252"


def test_a_header_wider_than_the_sample_is_read():
    wide = ",".join(f"pixel{number}" for number in range(10_000))
    assert len(table(f"{wide}\n{','.join('1' * 10_000)}\n").columns) == 10_000
