import numpy as np
import pytest

from darkroom.config.params import Split, load
from darkroom.dataset import folds
from tests import make
from tests.conftest import ROOT

CLASSES = ["ant", "bee", "cow"]
SETTINGS = load(ROOT / "params.yaml", ROOT / "datasets.yaml")[0].split


def index_of(labels, groups=None, **columns):
    return make.tied(make.index_of(labels, **columns), groups)


def settings(**changes):
    return Split.model_validate(SETTINGS.model_dump() | changes)


def dealt(index, count=5, near=(), **changes):
    return folds.assign(index, CLASSES, count, settings(**changes), np.array(near, np.int64).reshape(-1, 2))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [2, 3, 5])
def test_no_group_and_no_copy_is_torn_and_each_image_is_held_out_once(seed, count):
    random = np.random.default_rng(seed)
    labels = [*range(3)] * 40
    groups = [f"g{number}" if number < 30 else None for number in random.integers(0, 60, 120)]
    hashes = random.integers(1, 90, 120).tolist()
    index = index_of(labels, groups, hashes=hashes)
    found = dealt(index, count)
    assert found.rows.tolist() == [*range(120)]
    assert set(found.fold) == {*found.numbers} == {*range(1, count + 1)}
    for column in ("group", "sha256"):
        tied = index.dropna(subset=[column]).groupby(column)["row"]
        assert all(len(set(found.fold[rows.to_numpy(int)])) == 1 for _, rows in tied)


@pytest.mark.parametrize("count", [2, 3, 5, 20])
def test_classes_are_spread_evenly_where_nothing_is_tied(count):
    found = dealt(index_of([0] * 200 + [1] * 63 + [2] * 21), count)
    for label in range(3):
        sizes = np.bincount(found.fold[found.labels == label] - 1, minlength=count)
        assert sizes.max() - sizes.min() <= 1


def test_the_same_images_are_dealt_alike_and_another_seed_deals_otherwise():
    index = index_of([*range(3)] * 20)
    assert np.array_equal(dealt(index).fold, dealt(index).fold)
    assert not np.array_equal(dealt(index).fold, dealt(index, seed=7).fold)


def test_nearly_equal_images_stay_together_where_they_are_given():
    index = index_of([*range(3)] * 20)
    found = dealt(index, near=[(row, row + 3) for row in range(0, 57, 6)])
    assert all(found.fold[row] == found.fold[row + 3] for row in range(0, 57, 6))


SUBSETS = ["test"] * 6 + ["val"] * 9 + ["train"] * 45


def test_the_makers_test_is_in_no_fold_nor_what_is_tied_to_it_but_their_val_is():
    groups = ["a", *[None] * 9, "a", *[None] * 49]
    found = dealt(index_of([*range(3)] * 20, groups, subsets=SUBSETS))
    assert (found.test, found.tied) == (6, 1)
    assert found.rows.tolist() == [6, 7, 8, 9, *range(11, 60)]


def test_the_makers_test_is_dealt_where_the_split_is_not_to_use_it():
    found = dealt(index_of([*range(3)] * 20, subsets=SUBSETS), use_given_test=False)
    assert (len(found.rows), found.test, found.tied) == (60, 0, 0)


def test_images_without_label_are_in_no_fold():
    assert len(dealt(index_of([*range(3)] * 20 + [None] * 5)).rows) == 60


@pytest.mark.parametrize(
    ("labels", "groups", "count", "words"),
    [
        ([0] * 9 + [1] * 9 + [2] * 4, None, 5, "1 class has fewer: cow (4); take 4 folds, or leave small classes out"),
        ([0] * 9 + [1] * 3 + [2] * 2, None, 5, "2 classes have fewer: bee (3), cow (2); leave small classes out"),
        ([0] * 9 + [1] * 9 + [2] * 9, [None] * 18 + ["a"] * 6 + ["b", "c", "d"], 5, "cow (4); take 4 folds"),
        ([0] * 9 + [1] * 9 + [2] * 3, None, 2, "2 folds need 4 groups of each class"),
        ([0] * 9 + [1] * 9, None, 5, "cow (0)"),
    ],
)
def test_a_class_with_too_few_groups_is_told_with_the_folds_it_allows(labels, groups, count, words):
    sentence = make.refusal(lambda: dealt(index_of(labels, groups), count))
    assert words in sentence
    assert "`min_images: " in sentence


@pytest.mark.parametrize("grouped", [False, True])
def test_a_fold_is_tested_by_a_model_that_trains_and_validates_on_the_others(grouped):
    groups = [f"g{row // 6}" if grouped else None for row in range(120)]
    index = index_of([*range(3)] * 40, groups)
    found = dealt(index)
    for number in found.numbers:
        split = found.split(number, settings(), CLASSES)
        assert split["row"].tolist() == [*range(120)]
        assert ((split["split"] == "test") == (found.fold == number)).all()
        sides = split.assign(group=index["group"], label=index["label"]).groupby("split")
        if grouped:
            assert split.assign(group=groups).groupby("group")["split"].nunique().max() == 1
        assert all(set(part["label"]) == {0, 1, 2} for _, part in sides)
        assert abs((split["split"] == "val").sum() - 24) <= (6 if grouped else 3)


def test_groups_that_leave_train_without_a_class_are_told():
    groups = [f"g{row // 15}" for row in range(60)]
    labels = [0] * 30 + [*range(3)] * 10
    found = folds.Folds(
        rows=np.arange(60), labels=np.array(labels), units=np.array([int(group[1:]) for group in groups]),
        pixels=np.arange(60), fold=np.repeat([1, 2, 3, 3], 15), count=3, test=0, tied=0,
    )  # fmt: skip
    sentence = make.refusal(lambda: found.split(3, settings(), CLASSES))
    assert sentence.startswith("without fold 3 of 3: the split has no image in")
