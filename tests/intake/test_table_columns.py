"""Columns of text: found by name, tidied, counted."""

import pytest

from darkroom.base.errors import UserError
from darkroom.intake import table_columns
from darkroom.intake.table_columns import from_rows, named
from tests.intake.labels_in_tables import table, values


def test_a_missing_column_is_told_with_the_nearest():
    with pytest.raises(
        UserError, match=r"labels.csv has no column 'lable': did you mean 'label'\? it has 'image', 'label'"
    ):
        table("image,label\na,b\n").column("lable")


def test_at_most_twenty_columns_are_listed():
    with pytest.raises(UserError, match=r"'c19' and 10 more$"):
        table(",".join(f"c{number}" for number in range(30)) + "\n" + "1," * 29 + "1\n").column("quite another")


def test_a_missing_number_is_told_with_the_numbers():
    with pytest.raises(UserError, match="no column '7': its columns are read by number, 0 to 1"):
        table("a,b\n", header=False).column(7)


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(
        UserError, match=r"two columns called 'a': rename one; or, if it has no header, give columns by num"
    ):
        table("a,a\n1,2\n")


def test_a_column_without_a_name_is_named_by_its_place():
    assert list(table(",image,\n0,a.jpg,x\n").columns) == ["unnamed 0", "image", "unnamed 2"]


def test_texts_are_stripped_composed_and_null_where_empty():
    assert values(table("image,label\n cafe\u0301.jpg\u00a0,  \n,x\n")) == {
        "image": ["café.jpg", None],
        "label": [None, "x"],
    }


def test_the_place_of_a_row_is_its_line_where_rows_are_lines():
    assert table("image,label\na,b\nc,d\n").where(1) == "line 3"
    assert table('image,label\n"a\n1",b\nc,d\n').where(1) == "row 2"
    assert table("#one\n#two\na b\n", "list.txt", header=False).where(0) == "line 3"


def test_rows_of_different_columns_become_one_table(monkeypatch):
    monkeypatch.setattr(table_columns, "SLICE", 2)
    columns = from_rows([{"a": "1"}, {"b": "2"}, {"c": " 3", "a": ""}], "x.json")
    assert {name: column.to_pylist() for name, column in columns.items()} == {
        "a": ["1", None, None], "b": [None, "2", None], "c": [None, None, "3"],
    }  # fmt: skip


def test_records_that_each_name_other_columns_are_refused(monkeypatch):
    monkeypatch.setattr(table_columns, "MAX_COLUMNS", 3)
    with pytest.raises(UserError, match="has 5 rows and 5 columns"):
        from_rows([{str(number): "x"} for number in range(5)], "x.json")


def test_a_long_value_is_shortened():
    assert len(named("x" * 1000)) < 70
