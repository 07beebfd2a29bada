import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from darkroom.base.errors import UserError
from darkroom.dataset import splits
from darkroom.dataset.packed import SPLITS
from tests import make

DEFAULT = {"test": 0.2, "val": 0.25, "seed": 42, "use_given_test": False}
SHARES = st.sampled_from([0.05, 0.1, 0.2, 0.25, 0.3, 0.5, 0.7, 0.9])


def split(index, classes=None, **changes):
    count = int(index["label"].max()) + 1
    return splits.split(index, classes or [f"class {label}" for label in range(count)], **DEFAULT | changes)


def labelled(counts):
    return make.index_of([label for label, count in enumerate(counts) for _ in range(count)])


def by_class(index, table):
    """Images of each class in train, val and test."""
    joined = table.merge(index[["row", "label"]], on="row")
    counts = pd.crosstab(joined["label"], joined["split"])
    return counts.reindex(columns=list(SPLITS), fill_value=0).to_numpy()


def needed(test, val):
    """Images that a class must have, as the message says it."""
    return max(2, int(np.ceil(round(1 / min(test, val * (1 - test), (1 - val) * (1 - test)), 6))))


@given(st.lists(st.integers(0, 60), min_size=2, max_size=12), SHARES, SHARES, st.integers(0, 2**32 - 1))
def test_each_split_has_its_share_of_each_class_within_one_image(extra, test, val, seed):
    counts = [needed(test, val) + more for more in extra]
    index = labelled(counts)
    table = split(index, test=test, val=val, seed=seed)
    assert table["row"].tolist() == list(range(len(index)))
    found = by_class(index, table)
    for share, taken, of in ((test, found[:, 2], np.array(counts)), (val, found[:, 1], counts - found[:, 2])):
        assert abs(taken.sum() - share * of.sum()) < 1
        assert np.abs(taken - taken.sum() * of / of.sum()).max() < 1
    assert (found > 0).all(), "every class stands in every split"


def test_the_default_is_60_20_20():
    index = labelled([100, 50, 200])
    assert by_class(index, split(index)).tolist() == [[60, 20, 20], [30, 10, 10], [120, 40, 40]]


@st.composite
def copied(draw):
    """An index in which some images have equal pixels, also under two labels and in two subsets."""
    count = draw(st.integers(40, 150))
    labels = draw(st.lists(st.sampled_from([0, 1, 2, None]), min_size=count, max_size=count))
    hashes = draw(st.lists(st.integers(0, count), min_size=count, max_size=count))
    subsets = draw(st.lists(st.sampled_from(["train", "train", "test"]), min_size=count, max_size=count))
    return make.index_of(labels, hashes, subsets)


@given(copied(), st.booleans(), st.integers(0, 5))
def test_no_pixels_stand_in_two_splits(index, use_given_test, seed):
    try:
        table = splits.split(index, ["a", "b", "c"], **DEFAULT | {"use_given_test": use_given_test, "seed": seed})
    except UserError:
        assume(False)
    splits.check_leaks(index, table) if not use_given_test else None
    joined = table.merge(index, on="row")
    outside = joined[joined["split"] != "test"] if use_given_test else joined
    assert (outside.groupby("sha256")["split"].nunique() <= 1).all()
    assert not set(outside.loc[outside["split"] != "test", "sha256"]) & set(
        joined.loc[joined["split"] == "test", "sha256"]
    )
    assert joined["label"].notna().all()
    assert table["row"].is_monotonic_increasing
    assert table["row"].is_unique
    labelled_rows = set(index.loc[index["label"].notna(), "row"])
    if use_given_test:
        tested = set(index.loc[index["label"].notna() & (index["subset"] == "test"), "row"])
        assert set(table.loc[table["split"] == "test", "row"]) == tested
        left_out = labelled_rows - set(table["row"])
        assert left_out == set(
            index.loc[
                index["label"].notna()
                & (index["subset"] != "test")
                & index["sha256"].isin(index.loc[index["row"].isin(tested), "sha256"]),
                "row",
            ]
        )
    else:
        assert set(table["row"]) == labelled_rows


def test_the_same_seed_gives_the_same_split_and_another_one_another():
    index = labelled([40, 60])
    assert split(index, seed=1).equals(split(index, seed=1))
    assert not split(index, seed=1).equals(split(index, seed=2))


def test_unlabelled_images_stand_in_no_split():
    index = make.index_of([0, 1, None] * 20)
    assert set(split(index)["row"]) == set(index.loc[index["label"].notna(), "row"])


def test_the_given_test_is_kept_and_the_rest_divided():
    index = make.index_of([0, 1] * 40, subsets=["train"] * 60 + ["test"] * 20)
    table = split(index, use_given_test=True)
    assert table.loc[table["split"] == "test", "row"].tolist() == list(range(60, 80))
    assert by_class(index, table)[:, :2].tolist() == [[22, 8], [23, 7]] or by_class(index, table)[:, 1].sum() == 15


def test_train_copies_of_given_test_images_are_left_out():
    hashes = list(range(80))
    hashes[3] = hashes[17] = 70
    index = make.index_of([0, 1] * 40, hashes, ["train"] * 60 + ["test"] * 20)
    table = split(index, use_given_test=True)
    assert set(range(80)) - set(table["row"]) == {3, 17}
    splits.check_leaks(index, table)
    counts = splits.table_by_class(index, table, ["a", "b"])
    assert counts["left_out"].tolist() == [0, 2]


def test_a_given_test_that_does_not_exist_is_refused():
    with pytest.raises(UserError, match=r"split\.use_given_test is true, but the data set has no test images"):
        split(labelled([40, 40]), use_given_test=True)


def test_all_copies_of_an_image_go_to_one_side():
    hashes = [number // 4 for number in range(80)]
    index = make.index_of([0] * 40 + [1] * 40, hashes)
    table = split(index)
    assert len(table) == 80
    assert (table.merge(index, on="row").groupby("sha256")["split"].nunique() == 1).all()


def test_contradicting_copies_go_to_one_side():
    hashes = [*range(40), *range(40)]
    index = make.index_of([0] * 20 + [1] * 20 + [1] * 20 + [0] * 20, hashes)
    table = split(index)
    assert len(table) == 80
    splits.check_leaks(index, table)


def test_classes_too_small_are_named_with_their_counts():
    with pytest.raises(UserError) as caught:
        split(labelled([20, 4, 20, 1]), ["ant", "bee", "cat", "dog"])
    assert "class bee (4), dog (1); each class needs at least 5" in str(caught.value)
    assert make.is_one_line(str(caught.value))


def test_copies_do_not_make_a_class_large_enough():
    index = make.index_of([0] * 20 + [1] * 20, [*range(20), *[99] * 20])
    with pytest.raises(UserError, match=r"class class 1 \(1\)"):
        split(index)


def test_a_class_that_is_only_in_the_given_test_is_named():
    index = make.index_of([0] * 20 + [1] * 20 + [2] * 5, subsets=["train"] * 40 + ["test"] * 5)
    with pytest.raises(UserError, match=r"class class 2 \(0\)"):
        split(index, use_given_test=True)


SHARES = st.floats(0, 1, exclude_min=True, exclude_max=True) | st.floats(0.01, 0.99) | st.sampled_from([5e-324, 1e-200])


@given(st.lists(st.integers(1, 12), min_size=2, max_size=5), SHARES, SHARES, st.booleans())
def test_small_classes_and_odd_shares_split_or_are_refused_in_one_line(counts, test, val, use_given_test):
    index = labelled(counts)
    if use_given_test:
        index.loc[::3, "subset"] = "test"
    sentence = make.refusal(lambda: split(index, test=test, val=val, use_given_test=use_given_test))
    assert sentence is None or make.is_one_line(sentence)


def test_a_leak_is_caught_and_its_first_image_named():
    index = make.index_of([0, 0, 1, 1], [1, 2, 3, 2])
    table = pd.DataFrame({"row": range(4), "split": ["train", "train", "val", "test"]})
    with pytest.raises(
        UserError, match=r"2 images stand in two splits with equal pixels, the first being train/1\.png"
    ):
        splits.check_leaks(index, table)
    splits.check_leaks(index, table.assign(split=["train", "train", "val", "train"]))


def test_the_table_counts_every_labelled_image():
    index = make.index_of([0, 0, 1, 1, None, 2])
    table = pd.DataFrame({"row": [0, 1, 2], "split": ["train", "test", "val"]})
    counts = splits.table_by_class(index, table, ["a", "b", "c"])
    assert counts.to_dict("list") == {
        "class": ["a", "b", "c"],
        "train": [1, 0, 0],
        "val": [0, 1, 0],
        "test": [1, 0, 0],
        "left_out": [0, 1, 1],
    }
