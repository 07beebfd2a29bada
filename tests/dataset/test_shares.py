import pandas as pd

from darkroom.dataset import shares
from darkroom.dataset.splits import Division
from tests import make

WANTED = {"train": 0.6, "val": 0.2, "test": 0.2}


def division(kept=(), wanted=WANTED, left_out=None, exact=True):
    return Division(pd.DataFrame(), kept, wanted, left_out or {}, exact)


def table(*rows):
    return pd.DataFrame(rows, columns=["class", "train", "val", "test"])


def test_the_table_counts_every_labelled_image_and_has_the_shares():
    index = make.index_of([0, 0, 0, 1, 1, None, 2])
    split = pd.DataFrame({"row": [0, 1, 2, 3], "split": ["train", "test", "train", "val"]})
    found = shares.table_by_class(index, split, ["a", "b", "c"])
    assert found.astype(object).where(found.notna(), None).to_dict("list") == {
        "class": ["a", "b", "c"],
        "train": [2, 0, 0],
        "val": [0, 1, 0],
        "test": [1, 0, 0],
        "left_out": [0, 1, 1],
        "train_share": [0.6667, 0.0, None],
        "val_share": [0.0, 1.0, None],
        "test_share": [0.3333, 0.0, None],
    }


def test_an_exact_split_says_wanted_and_reached_shares():
    assert shares.in_words(division(), table(["a", 60, 20, 20], ["b", 31, 10, 10])) == [
        "shares: 60.3% train, 19.9% val, 19.9% test (wanted 60.0%, 20.0%, 20.0%)"
    ]


def test_an_inexact_one_names_the_class_that_is_furthest_off():
    lines = shares.in_words(division(exact=False), table(["a", 60, 20, 20], ["b", 6, 3, 1]))
    assert lines[1:] == ["furthest from that: class b with 3 of 10 images in val"]


def test_shares_are_those_of_the_images_that_were_divided():
    lines = shares.in_words(division(("test",), {"train": 0.75, "val": 0.25}), table(["a", 75, 25, 500]))
    assert lines == ["kept the data set's own test; of the others 75.0% train, 25.0% val (wanted 75.0%, 25.0%)"]
    lines = shares.in_words(division(("test", "val"), {"train": 1.0}, exact=False), table(["a", 75, 25, 500]))
    assert lines == ["kept the data set's own test and val; of the others 100.0% train"]


def test_what_was_left_out_and_what_lacks_a_class_is_told():
    found = division(left_out={"with the same pixels as a test image": 2, "in the same group as a val image": 1200})
    assert shares.in_words(found, table(["a", 60, 20, 20], ["b", 6, 0, 1]))[1:] == [
        "no image in val of 1 class: b",
        "left out: 2 with the same pixels as a test image, 1,200 in the same group as a val image",
    ]
