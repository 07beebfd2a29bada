import numpy as np
import pandas as pd
import pytest

from darkroom.dataset import audit, packed, shapes
from tests import make

CLASSES = ["cat", "dog"]


def duplicates(labels, hashes):
    return audit.duplicates(make.index_of(labels, hashes), CLASSES)


def test_no_copies_give_an_empty_table():
    table = duplicates([0, 1], [1, 2])
    assert list(table) == ["group", "kind", "row", "path", "subset", "label"]
    assert table.empty


def test_copies_and_conflicts_are_told_apart():
    table = duplicates([0, 0, 1, 0, 1, None, 1], ["x", "y", "x", "y", "z", "z", "alone"])
    assert table[["group", "kind", "row", "label"]].fillna("").to_numpy(object).tolist() == [
        [0, "conflict", 0, "cat"],
        [0, "conflict", 2, "dog"],
        [1, "copy", 1, "cat"],
        [1, "copy", 3, "cat"],
        [2, "copy", 4, "dog"],
        [2, "copy", 5, ""],
    ]


def test_an_unlabelled_copy_contradicts_nobody():
    assert set(duplicates([None, None, 0, None], ["a", "a", "b", "b"])["kind"]) == {"copy"}


def test_the_summary_counts():
    index = make.index_of([0, 0, 1, 0, None], ["a", "a", "a", "b", "c"])
    index.loc[0, ["width", "height", "channels"]] = [20, 30, 3]
    copies = audit.duplicates(index, CLASSES)
    found = shapes.shapes(index, (8, 8), "crop")
    assert audit.summary(index, CLASSES, copies, 2, found, ({"it is empty": 7}, {})).model_dump() == {
        "images": 5,
        "labelled": 4,
        "unlabelled": 1,
        "rejected": {"it is empty": 7},
        "passed_over": {},
        "classes": 2,
        "smallest_class": {"name": "dog", "images": 1},
        "largest_class": {"name": "cat", "images": 3},
        "duplicates": {"groups": 1, "images": 3},
        "conflicts": {"groups": 1, "images": 3},
        "blank": 2,
        "width": {"min": 8, "median": 8, "max": 20},
        "height": {"min": 8, "median": 8, "max": 30},
        "shapes": found.model_dump(),
        "channels": {"1": 4, "3": 1},
    }


@pytest.mark.parametrize("chunk", [1, 1000, 10**9])
@pytest.mark.parametrize("channels", [1, 3])
def test_mean_images_are_those_of_numpy(monkeypatch, chunk, channels):
    monkeypatch.setattr(packed, "CHUNK_BYTES", chunk)
    images = np.stack([make.pixels(5, 6, channels, seed) for seed in range(40)])
    labels = [seed % 3 if seed % 7 else None for seed in range(40)]
    means, _ = audit.mean_images(images, make.index_of(labels), 3)
    for label in range(3):
        mine = images[[at for at in range(40) if labels[at] == label]]
        assert np.abs(means[label] - mine.mean(axis=0)).max() <= 0.5


def test_a_class_without_images_has_a_black_mean():
    means, _ = audit.mean_images(np.full((2, 3, 3, 1), 9, np.uint8), make.index_of([0, 0]), 2)
    assert means[1].max() == 0


def test_blank_images_are_counted_labelled_or_not():
    images = np.stack([make.pixels(seed=seed) for seed in range(5)])
    images[1], images[4] = 0, 200
    _, blank = audit.mean_images(images, make.index_of([0, 1, 0, 1, None]), 2)
    assert blank == 2


def test_class_counts_leave_out_what_has_no_label():
    assert audit.class_counts(make.index_of([0, 2, 2, None]), 4).tolist() == [1, 0, 2, 0]


def test_samples_are_of_each_class_in_turn_and_the_same_each_time():
    labels = [0] * 10 + [1] * 1 + [None] * 5 + [2] * 10
    index = make.index_of(labels)
    rows = audit.samples(index, 3, 2, seed=0)
    assert [labels[row] for row in rows] == [0, 0, 1, 2, 2]
    assert len(set(rows.tolist())) == 5
    assert np.array_equal(rows, audit.samples(index, 3, 2, seed=0))


def test_reasons_are_counted_most_frequent_first():
    reasons = pd.Series(["it is empty", "b", "a", "it is empty"])
    assert list(audit.by_reason(reasons).items()) == [("it is empty", 2), ("a", 1), ("b", 1)]
    assert audit.by_reason(reasons, pd.Series([1, 5, 1, 1])) == {"b": 5, "it is empty": 2, "a": 1}
    assert audit.by_reason(pd.Series([], dtype=str), pd.Series([], dtype=int)) == {}
