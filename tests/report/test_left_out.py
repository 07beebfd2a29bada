"""Files that are no part of the data set, by reason."""

import pandas as pd

from darkroom.config.stage_tables import HIDDEN, PASSED_OVER, REJECTED
from darkroom.report import left_out


def passed(*rows):
    return pd.DataFrame(rows, columns=list(PASSED_OVER.columns))


def test_each_reason_has_its_number_and_an_example():
    rejected = pd.DataFrame(
        [["a/1.jpg", "not an image"], ["a/2.jpg", "too large"], ["a/3.jpg", "too large"]],
        columns=list(REJECTED.columns),
    )
    found = left_out.rows(
        rejected,
        passed([".", "no pattern", 2, "x.txt"], ["b", "no pattern", 5, "y.txt"], [".", HIDDEN, 9, ".z"]),
    )
    assert found.to_numpy().tolist() == [
        ["rejected", "too large", 2, "a/2.jpg"],
        ["rejected", "not an image", 1, "a/1.jpg"],
        ["passed over", "no pattern", 7, "x.txt"],
    ]


def test_the_folder_of_an_example_is_told():
    found = left_out.rows(
        pd.DataFrame(columns=list(REJECTED.columns)),
        passed(["b", "one", 2, "x.txt"], ["b", "two", 1, "b/y.txt"]),
    )
    assert found["for instance"].tolist() == ["b/x.txt", "b/y.txt"]


def test_nothing_left_out_is_no_row():
    assert left_out.rows(pd.DataFrame(columns=list(REJECTED.columns)), passed()).empty
