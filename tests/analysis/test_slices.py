import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.analysis import slices
from darkroom.dataset import packed
from tests import make


@pytest.mark.parametrize("channels", [1, 3])
def test_brightness_and_contrast_are_mean_and_deviation(monkeypatch, channels):
    images = np.stack([make.pixels(5, 7, channels, seed) // (seed + 1) for seed in range(9)])
    rows = np.array([1, 4, 8])
    index = make.index_of([0] * 9)
    whole = slices.properties(images, rows, index)
    scaled = images[rows].reshape(3, -1) / 255
    assert whole["brightness"].to_numpy() == pytest.approx(scaled.mean(axis=1), abs=1e-6)
    assert whole["contrast"].to_numpy() == pytest.approx(scaled.std(axis=1), abs=1e-6)
    assert list(whole) == ["brightness", "contrast"]  # all were of one size
    monkeypatch.setattr(packed, "CHUNK_BYTES", 50)
    assert slices.properties(images, rows, index).equals(whole)


def test_a_white_image_does_not_overflow():
    images = np.full((1, 600, 600, 3), 255, np.uint8)
    found = slices.properties(images, np.array([0]), make.index_of([0])).iloc[0]
    assert found.tolist() == [1, 0]


def test_the_size_counts_where_sizes_differ():
    index = make.index_of([0, 0, 0])
    index["width"] = pd.array([8, 32, 8], dtype="Int32")
    images = np.zeros((3, 4, 4, 1), np.uint8)
    assert slices.properties(images, np.arange(3), index)["size"].tolist() == [8, 16, 8]
    assert "size" not in slices.properties(images, np.array([0, 2]), index)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60))
def test_quarters_keep_equal_values_together_and_their_order(values):
    values = np.array(values, float)
    places = slices.quarters(values)
    assert set(places) <= {0, 1, 2, 3}
    order = np.argsort(values)
    assert (np.diff(places[order]) >= 0).all()
    for value in np.unique(values):
        assert len(set(places[values == value])) == 1


def test_quarters_of_different_values_are_equally_large():
    assert np.bincount(slices.quarters(np.random.default_rng(0).random(40))).tolist() == [10, 10, 10, 10]


def test_the_table_shows_a_weak_quarter():
    properties = pd.DataFrame({"brightness": np.arange(40) / 40, "contrast": np.zeros(40)})
    right = np.arange(40) >= 10  # the darkest are wrong
    table = slices.table(properties, right)
    dark = table[table["property"] == "brightness"]
    assert dark["quarter"].tolist() == [1, 2, 3, 4]
    assert dark["accuracy"].tolist() == [0, 1, 1, 1]
    assert dark["images"].tolist() == [10, 10, 10, 10]
    assert dark[["low", "high"]].iloc[1].tolist() == [0.25, 0.475]
    assert (dark["accuracy_high"].iloc[0] < dark["accuracy_low"].iloc[1:]).all()
    (flat,) = table[table["property"] == "contrast"].to_dict("records")
    assert (flat["images"], flat["accuracy"]) == (40, 0.75)


def test_one_image_is_a_table_too():
    table = slices.table(pd.DataFrame({"brightness": [0.5], "contrast": [0.1]}), np.array([True]))
    assert table["images"].tolist() == [1, 1]
    assert table["accuracy_low"].tolist() == pytest.approx([0.2065, 0.2065], abs=1e-4)
