import numpy as np
import pandas as pd
import pytest

from darkroom.tools import comparison_statistics, comparison_text
from tests.tools.test_comparison_statistics import runs


@pytest.fixture
def table():
    rows = runs(a=[0.91, 0.92, 0.94], b=[0.5]).assign(seconds=[3.0, 5.0, 4.0, np.nan])
    rows.loc[1, "name"] = "HEAD"
    return comparison_statistics.compare(rows, "val")


def test_figures_become_short_texts_and_what_is_not_known_a_dash(table):
    first, second = comparison_text.cells(table, "val").to_dict("records")
    assert (first["#"], first["n"], first["val"], first["time"], first["epochs"]) == (
        "1", "3", "0.9233 ± 0.0153", "4.0 s", "3",
    )  # fmt: skip
    assert (second["val"], second["val 95 % CI"], second["time"]) == ("0.5000", "-", "-")
    assert (first["against 1, val"], second["against 1, val"]) == ("best", "not ranked")


def test_columns_stand_under_their_heads(table):
    head, best, other = comparison_text.aligned(comparison_text.cells(table, "val")).splitlines()
    assert head.count("95 % CI") == 2
    assert head.index("against 1, val") == best.index("best") == other.index("not ranked")
    assert head.index("val") == best.index("0.9233") == other.index("0.5000")


def test_a_bar_in_a_name_ends_no_cell_of_markdown():
    *_, line = comparison_text.markdown(pd.DataFrame({"configuration": ["a=x|y"]})).splitlines()
    assert line == "| a=x\\|y |"


def test_long_configurations_are_wrapped_below_their_rank():
    lines = comparison_text.legend(pd.Series(["a=1, " * 40, "b"], index=["1", "a"])).splitlines()
    assert max(map(len, lines)) <= comparison_text.WIDTH
    assert lines[0].startswith(" 1: a=1")
    assert lines[1].startswith("    a=1")
    assert lines[-1] == " a: b"


def test_runs_that_do_not_count_are_named_with_the_reason():
    rows = runs(a=[0.9, np.nan]).assign(created=["1", "1"], code="c0ffee0")
    twice = pd.concat([rows.iloc[:1].assign(name="old"), rows], ignore_index=True)
    said = comparison_text.notes(twice, twice.iloc[[1]], "accuracy").splitlines()
    assert said == [
        "not counted: old, with configuration and seeds of the later a-0",
        "not counted: a-1, which has no val.accuracy or no test.accuracy",
    ]


@pytest.mark.parametrize(
    ("earlier", "says"),
    [({}, "a-0"), ({"code": "bad"}, "a-0 (other code)"), ({"val": 0.8}, "a-0 (other figures)")],
)
def test_a_repetition_that_is_none_is_told(earlier, says):
    rows = runs(a=[0.9]).assign(code="c0ffee0")
    twice = pd.concat([rows.assign(name="one", **earlier), rows.assign(name="two", **earlier), rows], ignore_index=True)
    said = comparison_text.notes(twice, twice.iloc[[2]], "accuracy")
    assert said == f"not counted: one, two, with configuration and seeds of the later {says}"


def test_seeds_that_name_a_division_are_explained():
    rows = runs(a=[0.9]).assign(code="", seeds="1@0123456")
    assert comparison_text.notes(rows, rows, "accuracy").startswith("@: one split.seed gave several divisions")


def test_the_configuration_of_the_committed_state_says_so(table):
    assert comparison_text.configurations_of(table).tolist() == ["a (with HEAD)", "b"]


@pytest.mark.parametrize(
    ("codes", "lines"),
    [
        (["x", "x", "x", "x"], []),
        (["", "", "", ""], []),
        (["x", "x", "x", ""], []),
        (["x", "y", "x", ""], [" 1: mixed, x (a-0, a-2); y (HEAD)", " a: not known"]),
        (["x", "x", "x", "y"], [" 1: x (a-0, HEAD, a-2)", " a: y (b-0)"]),
    ],
)
def test_code_is_told_where_it_differs(table, codes, lines):
    kept = runs(a=[0.91, 0.92, 0.94], b=[0.5]).assign(code=codes)
    kept.loc[1, "name"] = "HEAD"
    head, *rest = comparison_text.code(table, kept).splitlines() or [""]
    assert (head.startswith("the code that decides the weights differs"), rest) == (bool(lines), lines)


def test_doubtful_runs_are_named_with_the_reason():
    rows = pd.DataFrame({"name": ["x", "y", "z"], "state": ["done", "done", "queued"], "doubt": ["", "old", "old"]})
    assert comparison_text.left_out(rows) == "left out: y: old"


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
