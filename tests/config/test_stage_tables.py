from pathlib import Path

import pandas as pd
import pytest

from darkroom.config.stage_tables import Table
from tests import make

ROWS = pd.DataFrame({"class": ["007", "NA"], "value": [1.5, None]})


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_comes_back_as_it_was_written(tmp_path, ending):
    table = Table(tmp_path / f"t.{ending}", ("class", "value"), texts=("class",))
    table.write(ROWS)
    pd.testing.assert_frame_equal(table.read(), ROWS, check_dtype=False)
    pd.testing.assert_frame_equal(table.read("value"), ROWS[["value"]], check_dtype=False)


def test_lists_of_numbers_stand_between_spaces(tmp_path):
    table = Table(tmp_path / "t.csv", ("rows",), lists=("rows",))
    table.write(pd.DataFrame({"rows": ["3 14", ""]}))
    assert table.read()["rows"].tolist() == [[3, 14], []]


def test_other_columns_are_not_written(tmp_path):
    table = Table(tmp_path / "t.csv", ("class", "value"))
    for rows in (ROWS[["value", "class"]], ROWS[["class"]], ROWS.assign(more=1)):
        with pytest.raises(ValueError, match="has the columns"):
            table.write(rows)
    assert not table.path.exists()


def test_further_columns_are_kept_where_the_table_has_some(tmp_path):
    for ending in ("csv", "parquet"):
        table = Table(tmp_path / f"t.{ending}", ("class",), texts=("class",), more=True)
        table.write(ROWS)
        assert list(table.read()) == ["class", "value"]
        assert list(table.read("class")) == ["class"]


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_the_table_of_another_version_is_told_in_one_sentence(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Table(Path(name), ("other",)).write(pd.DataFrame({"other": [1]}))
    said = make.refusal(lambda: Table(Path(name), ("class",)).read())
    assert said.startswith(f"{name} is not the table that this version writes (")
    assert make.is_one_line(said)
