import pytest

from darkroom.tools.group_columns import group_columns, nested
from darkroom.tools.label_sources import by_tables
from darkroom.tools.label_tables import naming_tables
from tests.tools.drafting import table
from tests.tools.test_label_sources import FLAT


def found(header, *columns):
    rows = [",".join([f"{n}.png", "ab"[n % 2], *(column(n) for column in columns)]) for n in range(12)]
    tables, _ = naming_tables({"t.csv": table(rows, f"file,label,{header}").encode()}, FLAT.paths)
    return group_columns(FLAT, tables, by_tables(FLAT, tables)[0][0])


@pytest.mark.parametrize("header", ["patient", "subject_id", "lesion id", "driver"])
def test_a_column_called_as_groups_are_is_one_where_its_values_repeat(header):
    assert [one.key for one in found(header, lambda n: f"p{n // 3}")] == [header]
    assert "4 values in 12 rows, 3 at most of one" in found(header, lambda n: f"p{n // 3}")[0].because
    assert found(header, lambda n: f"p{n}") == []


def test_a_column_that_says_the_label_is_none():
    assert found("person", lambda n: "xy"[n % 2]) == []
    assert found("material", lambda n: f"p{n // 3}") == []


def test_the_widest_of_nested_groups_comes_first():
    columns = found("lesion,patient", lambda n: f"l{n // 2}", lambda n: f"p{n // 4}")
    assert [one.key for one in columns] == ["patient", "lesion"]
    assert nested(columns)
    assert not nested(found("lesion,patient", lambda n: f"l{n % 5}", lambda n: f"p{n // 4}"))
