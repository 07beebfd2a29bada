import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from darkroom.analysis import mistakes
from darkroom.dataset.neighbours import Nearest

CLASSES = ["ant", "bee", "cow"]


def predictions(pairs):
    return pd.DataFrame(
        {
            "row": np.arange(len(pairs)),
            "label": [true for true, _ in pairs],
            "predicted": [predicted for _, predicted in pairs],
            "confidence": 0.5,
            "loss": np.linspace(0, 1, len(pairs)),
        }
    )


def index(count):
    return pd.DataFrame({"path": [f"{number}.png" for number in range(count)]})


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=40))
def test_every_mistake_is_listed_once_and_the_pairs_add_up(pairs):
    table = mistakes.table(predictions(pairs), index(len(pairs)), CLASSES)
    wrong = [number for number, (true, predicted) in enumerate(pairs) if true != predicted]
    assert sorted(table["row"]) == wrong
    assert table["loss"].is_monotonic_decreasing
    counts = mistakes.confused_pairs(table)
    assert counts["mistakes"].sum() == len(wrong)
    assert all(
        count == pairs.count((CLASSES.index(true), CLASSES.index(predicted)))
        for true, predicted, count in counts.itertuples(index=False)
    )


def test_the_worst_of_each_pair_come_first():
    table = mistakes.table(predictions([(0, 1), (0, 1), (1, 2), (0, 1)]), index(4), CLASSES)
    groups = mistakes.by_pair(table, mistakes.confused_pairs(table), 2)
    assert list(groups) == ["ant taken for bee: 3", "bee taken for cow: 1"]
    assert groups["ant taken for bee: 3"]["row"].tolist() == [3, 1]
    assert mistakes.captions(table)[0] == "ant → bee\n50%"


def test_neighbours_stand_beside_the_mistakes_and_may_be_missing():
    table = mistakes.table(predictions([(0, 1), (1, 2), (0, 2)]), index(3), CLASSES)
    found = Nearest(np.array([[7, 4], [5, -1]]), np.array([[0.01, 0.25], [0.5, np.nan]]))
    labels = np.array([0, 1, 0, 0, 0, 2, 0, 2])
    table = mistakes.with_neighbours(table, found, labels, CLASSES)
    assert table["row"].tolist() == [2, 1, 0]
    assert table["neighbours"].tolist() == ["cow | ant", "cow", ""]
    assert table["neighbour_rows"].tolist() == ["7 4", "5", ""]
    assert table["neighbour_distances"].tolist() == ["0.0100 0.2500", "0.5000", ""]
    assert table["neighbours_agree"].tolist() == [1, 1, 0]


def test_long_names_take_a_line_each():
    table = mistakes.table(predictions([(0, 1)]), index(1), ["a very long name", "another long name"])
    assert mistakes.captions(table) == ["a very long name\n→ another long name\n50%"]
