import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from darkroom.base.errors import UserError
from darkroom.config.params import Split
from darkroom.dataset import splits
from darkroom.dataset.packed import SPLITS
from tests import make

DEFAULT = {
    "seed": 42, "test": 0.2, "val": 0.25, "use_given_test": "auto", "use_given_val": "auto",
    "near_duplicates": "ignore", "stable": False,
}  # fmt: skip
SHARES = st.sampled_from([0.05, 0.1, 0.2, 0.25, 0.3, 0.5, 0.7, 0.9])
NO_PAIRS = np.zeros((0, 2), np.int64)


def divide(index, classes=None, near=NO_PAIRS, **changes):
    count = int(index["label"].max()) + 1
    index = index if "group" in index else make.tied(index)
    classes = classes or [f"class {label}" for label in range(count)]
    return splits.divide(index, classes, Split(**DEFAULT | changes), near)


def split(index, classes=None, **changes):
    return divide(index, classes, **changes).table


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
    index = make.tied(index)
    try:
        table = split(index, ["a", "b", "c"], use_given_test=use_given_test, seed=seed)
    except UserError:
        assume(False)
    splits.check_leaks(index, table)
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
    splits.check_leaks(make.tied(index), table)


@pytest.mark.parametrize("name", ["test", "val"])
def test_a_given_split_that_does_not_exist_is_refused(name):
    with pytest.raises(UserError, match=rf"split\.use_given_{name} is true, but the data set has no {name} images"):
        split(labelled([40, 40]), **{f"use_given_{name}": True})


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
    splits.check_leaks(make.tied(index), table)


SHARES = st.floats(0, 1, exclude_min=True, exclude_max=True) | st.floats(0.01, 0.99) | st.sampled_from([5e-324, 1e-200])


@given(st.lists(st.integers(1, 12), min_size=2, max_size=5), SHARES, SHARES, st.booleans())
def test_small_classes_and_odd_shares_split_or_are_refused_in_one_line(counts, test, val, use_given_test):
    index = labelled(counts)
    if use_given_test:
        index.loc[::3, "subset"] = "test"
    sentence = make.refusal(lambda: split(index, test=test, val=val, use_given_test=use_given_test))
    assert sentence is None or make.is_one_line(sentence)


def test_a_leak_is_caught_and_its_first_image_named():
    index = make.tied(make.index_of([0, 0, 1, 1], [1, 2, 3, 2]))
    table = pd.DataFrame({"row": range(4), "split": ["train", "train", "val", "test"]})
    with pytest.raises(
        UserError, match=r"2 images stand in two splits with equal pixels, the first being train/1\.png"
    ):
        splits.check_leaks(index, table)
    splits.check_leaks(index, table.assign(split=["train", "train", "val", "train"]))


def test_a_group_in_two_splits_is_caught():
    index = make.tied(make.index_of([0, 0, 1, 1]), ["a", None, "a", None])
    table = pd.DataFrame({"row": range(4), "split": ["train", "train", "val", "test"]})
    with pytest.raises(UserError, match=r"2 images stand in two splits with others of their group, .* train/0\.png"):
        splits.check_leaks(index, table)
    splits.check_leaks(index, table.assign(split=["val", "train", "val", "test"]))


@st.composite
def grouped(draw):
    """An index with groups, copies, and some images in the makers' own test and val; and pairs of near images."""
    count = draw(st.integers(30, 120))

    def several(values):
        return draw(st.lists(st.sampled_from(values), min_size=count, max_size=count))

    labels, hashes = several([0, 0, 1, None]), several(range(3 * count))
    groups = several([None, *map(str, range(count // draw(st.integers(1, 4))))])
    subsets = several(["train"] * 12 + draw(st.sampled_from([["train"], ["test"], ["val"], ["test", "val"]])))
    rows = [row for row, label in enumerate(labels) if label is not None]
    near = draw(st.lists(st.tuples(st.sampled_from(rows), st.sampled_from(rows)), max_size=4)) if rows else []
    return make.tied(make.index_of(labels, hashes, subsets), groups), np.array(near, np.int64).reshape(-1, 2)


@given(grouped(), st.booleans(), st.integers(0, 3))
def test_nothing_that_is_tied_stands_in_two_splits(found, stable, seed):
    index, near = found
    try:
        division = divide(index, ["a", "b"], near=near, stable=stable, seed=seed)
    except UserError:
        assume(False)
    side = division.table.set_index("row")["split"]
    joined = index[index["label"].notna()].assign(split=lambda images: side.reindex(images["row"]).to_numpy())
    for column in ("sha256", "group"):
        assert (joined[joined["split"].notna()].groupby(column)["split"].nunique() <= 1).all()
    for one, other in near:
        assert len({side.get(one), side.get(other)} - {None}) <= 1
    # The makers' test is whole; what is left out is counted.
    given_test = set(joined.loc[joined["subset"] == "test", "row"])
    assert not given_test or set(side.index[side == "test"]) == given_test
    assert sum(division.left_out.values()) == joined["split"].isna().sum()
    assert divide(index, ["a", "b"], near=near, stable=stable, seed=seed).table.equals(division.table)


def test_a_given_val_is_kept_and_test_is_its_share_of_all():
    index = make.index_of([0, 1] * 50, subsets=["train"] * 80 + ["val"] * 20)
    division = divide(index)
    table = division.table
    assert table.loc[table["split"] == "val", "row"].tolist() == list(range(80, 100))
    assert table["split"].value_counts().to_dict() == {"train": 60, "val": 20, "test": 20}
    assert division.kept == ("val",)
    assert division.shares == pytest.approx({"train": 0.75, "test": 0.25})


def test_a_given_val_may_be_divided_like_the_rest():
    index = make.index_of([0, 1] * 50, subsets=["train"] * 80 + ["val"] * 20)
    assert split(index, use_given_val=False).equals(split(index.assign(subset="train")))


def test_both_given_leaves_the_rest_to_train():
    index = make.index_of([0, 1] * 6, subsets=["train"] * 4 + ["val"] * 4 + ["test"] * 4)
    division = divide(index)
    assert division.table["split"].tolist() == ["train"] * 4 + ["val"] * 4 + ["test"] * 4
    assert (division.kept, division.shares) == (("test", "val"), {"train": 1.0})


def test_a_share_that_the_rest_cannot_give_is_refused():
    index = make.index_of([0, 1] * 50, subsets=["train"] * 20 + ["val"] * 80)
    with pytest.raises(UserError, match=r"split\.test is 0\.2 of all 100 images, but beside .* own val .* only 20"):
        split(index)


def test_what_is_tied_to_a_given_test_then_val_is_left_out_and_counted_by_reason():
    subsets = ["train"] * 60 + ["val"] * 10 + ["test"] * 10
    hashes, groups = list(range(80)), [None] * 80
    hashes[0] = 75  # equal to a test image
    groups[1] = groups[76] = "a"  # in the group of a test image
    hashes[2] = 61  # equal to a val image
    groups[62] = groups[77] = "b"  # a val image in the group of a test image
    groups[3] = groups[4] = "c"  # 3 is equal to a test image, and 4 in the group of 3
    hashes[3] = 78
    division = divide(make.tied(make.index_of([0, 1] * 40, hashes, subsets), groups), near=np.array([[5, 79]]))
    assert set(range(80)) - set(division.table["row"]) == {0, 1, 2, 3, 4, 5, 62}
    assert division.left_out == {
        "with the same pixels as a test image": 2,
        "in the same group as a test image": 2,
        "nearly equal to a test image": 1,
        "tied through others to a test image": 1,
        "with the same pixels as a val image": 1,
    }


def test_groups_of_equal_size_come_as_near_as_they_can():
    labels = [label for label in range(3) for _ in range(90)]
    groups = [str(number // 3) for number in range(270)]
    division = divide(make.tied(make.index_of(labels), groups))
    assert not division.exact
    assert by_class(make.index_of(labels), division.table).tolist() == [[54, 18, 18]] * 3


def test_near_images_stay_together_where_they_are_given():
    index = labelled([30, 30])
    near = np.array([[row, row + 1] for row in range(0, 60, 2)])
    table = split(index, near=near)
    assert (table["split"].to_numpy()[::2] == table["split"].to_numpy()[1::2]).all()


@pytest.mark.parametrize("given", ["train", "val", "test"])
def test_a_stable_split_is_not_moved_by_more_images(given):
    def rows(count):
        subsets = [given] * 100 + ["train"] * (count - 100)
        groups = ["g0"] * 100 + [f"g{row % 97 + 1}" for row in range(100, count)]
        return make.tied(make.index_of([row % 2 for row in range(count)], subsets=subsets), groups)

    before, after = (split(rows(count), stable=True).set_index("row")["split"] for count in (300, 1000))
    assert after.loc[before.index].equals(before)
    assert not split(rows(1000), stable=True, seed=1)["split"].equals(split(rows(1000), stable=True)["split"])


def test_equal_pixels_on_two_sides_of_a_stable_split_are_left_out_of_the_lower_one():
    index = make.tied(labelled([200, 200]))
    before = split(index, stable=True).set_index("row")["split"]
    one = {name: before.index[before == name][0] for name in ("train", "val", "test")}
    hashes = index["sha256"].tolist()
    hashes[one["train"]] = hashes[one["val"]] = hashes[one["test"]]
    division = divide(index.assign(sha256=pd.array(hashes, dtype="string")), stable=True)
    assert division.left_out == {"with the same pixels as a test image": 2}
    assert division.table.set_index("row")["split"].equals(before.drop([one["train"], one["val"]]))
