import numpy as np
import pandas as pd
import pytest

from darkroom.tools import comparison_statistics, comparison_text
from tests.tools.test_comparison_statistics import runs


@pytest.fixture
def table():
    rows = runs(a=[0.91, 0.92, 0.94], b=[0.5]).assign(seconds=[3.0, 5.0, 4.0, np.nan])
    return comparison_statistics.compare(rows, "val")


def test_figures_become_short_texts_and_what_is_not_known_a_dash(table):
    first, second = comparison_text.cells(table, "val").to_dict("records")
    assert (first["#"], first["n"], first["val"], first["time"], first["epochs"]) == (
        "1", "3", "0.9233 ± 0.0153", "4.0 s", "3",
    )  # fmt: skip
    assert (second["val"], second["val 95 % CI"], second["time"]) == ("0.5000", "-", "-")
    assert (first["against 1, val"], second["against 1, val"]) == ("best", "too few seeds")


def test_columns_stand_under_their_heads(table):
    head, best, other = comparison_text.aligned(comparison_text.cells(table, "val")).splitlines()
    assert head.count("95 % CI") == 2
    assert head.index("against 1, val") == best.index("best") == other.index("too few seeds")
    assert head.index("val") == best.index("0.9233") == other.index("0.5000")


def test_a_bar_in_a_name_ends_no_cell_of_markdown():
    *_, line = comparison_text.markdown(pd.DataFrame({"configuration": ["a=x|y"]})).splitlines()
    assert line == "| a=x\\|y |"


def test_long_configurations_are_wrapped_below_their_rank():
    table = pd.DataFrame({"configuration": ["a=1, " * 40, "b"]}, index=[1, 2])
    lines = comparison_text.legend(table).splitlines()
    assert max(map(len, lines)) <= comparison_text.WIDTH
    assert lines[0].startswith(" 1: a=1")
    assert lines[1].startswith("    a=1")
    assert lines[-1] == " 2: b"


def test_runs_that_do_not_count_are_named_with_the_reason():
    rows = runs(a=[0.9, np.nan]).assign(created=["1", "1"])
    twice = pd.concat([rows.iloc[:1].assign(name="old"), rows], ignore_index=True)
    said = comparison_text.notes(twice, twice.iloc[[1]], "accuracy").splitlines()
    assert said == [
        "not counted: old, with configuration and seeds of the later a-0",
        "not counted: a-1, which has no val.accuracy or no test.accuracy",
    ]


def test_states_are_counted_and_failures_shown_with_their_log(tmp_path):
    log = tmp_path / "log"
    log.write_text("one\n\nlast\n")
    rows = pd.DataFrame({
        "name": ["x", "y", "z"], "state": ["failed", "queued", "queued"], "configuration": "c", "seeds": "1",
        "log": [log, None, None],
    })  # fmt: skip
    assert comparison_text.pending(rows) == "2 queued"
    assert comparison_text.failures(rows) == "failed: x (c; seed 1)\n    one\n    last"


def test_divisions_that_overlap_are_said_to():
    assert len(comparison_text.footer("val.accuracy", resplit=True)) == 1 + len(
        comparison_text.footer("val.accuracy", resplit=False)
    )
    assert "val.accuracy" in comparison_text.footer("val.accuracy", resplit=False)[2]
    assert comparison_text.paragraphs(["a", "", "b"]) == "a\n\nb"
