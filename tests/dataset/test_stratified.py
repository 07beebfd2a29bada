import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.dataset import stratified

STEPS = {"test": 0.2, "val": 0.25}


def counts(labels, sides, names=("train", "val", "test")):
    """Images of each class on each side."""
    return [[int(((labels == label) & (sides == name)).sum()) for name in names] for label in range(labels.max() + 1)]


def single(sizes, steps=STEPS, seed=0):
    """Divide classes of these sizes, each image different."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    alone = np.arange(len(labels))
    sides, exact = stratified.divide(labels, alone, alone, steps, seed)
    return counts(labels, sides), exact


def test_shares_of_all_follow_from_the_steps():
    assert stratified.shares(STEPS) == pytest.approx({"train": 0.6, "val": 0.2, "test": 0.2})
    assert list(stratified.shares(STEPS)) == ["train", "val", "test"]
    assert stratified.shares({}) == {"train": 1.0}


@pytest.mark.parametrize(("size", "expected"), [(3, [1, 1, 1]), (4, [2, 1, 1])])
def test_a_small_class_has_an_image_in_each_split_and_the_others_their_exact_shares(size, expected):
    found, exact = single([100, size, 50])
    assert found == [[60, 20, 20], expected, [30, 10, 10]]
    assert not exact


def test_the_other_classes_are_divided_as_without_the_small_one():
    labels = np.array([0] * 40 + [1] * 30 + [2] * 3)
    alone = np.arange(len(labels))
    with_it, _ = stratified.divide(labels, alone, alone, STEPS, 5)
    without, exact = stratified.divide(labels[:70], alone[:70], alone[:70], STEPS, 5)
    assert exact
    assert with_it[:70].tolist() == without.tolist()


def test_many_small_classes_have_the_wanted_shares_in_all():
    found, _ = single([4] * 200)
    assert np.abs(np.sum(found, axis=0) / 800 - [0.6, 0.2, 0.2]).max() <= 0.1 + 1e-9  # 2, 1, 1 of four at best
    # Of seven, 4.2, 1.4 and 1.4 are wanted: the one that is left over goes now to val, now to test, or to train.
    sides = stratified.by_need(np.arange(700), np.repeat(np.arange(100), 7), [0.6, 0.2, 0.2], 0, 3)
    assert np.bincount(sides) == pytest.approx([420, 140, 140], abs=1)


def test_a_tiny_share_has_one_image_even_where_images_are_placed_by_the_many():
    sides = stratified.by_need(np.arange(30), np.zeros(30, np.int64), [0.98, 0.01, 0.01], 0, 3)
    assert np.bincount(sides).tolist() == [28, 1, 1]


def test_shares_that_the_exact_method_cannot_give_are_given_by_need():
    assert stratified.exact(np.repeat([0, 1], 17), {"test": 0.8, "val": 0.7}, 0) is None
    found, exact = single([17, 17], {"test": 0.8, "val": 0.7})
    assert (np.array(found) > 0).all()
    assert not exact


@st.composite
def of_one_class(draw):
    """Units that each have one class, three or more of each class; shuffled."""
    units, labels = [], []
    for label in range(draw(st.integers(1, 4))):
        for size in draw(st.lists(st.sampled_from([1, 1, 1, 2, 3, 3, 7, 30]), min_size=3, max_size=40)):
            unit = len(set(units))
            units += [unit] * size
            labels += [label] * size
    order = np.random.default_rng(draw(st.integers(0, 99))).permutation(len(units))
    return np.array(units)[order], np.array(labels)[order]


SHARES = st.sampled_from([(0.6, 0.2, 0.2), (0.9, 0.05, 0.05), (0.1, 0.1, 0.8), (0.75, 0.25)])


@given(of_one_class(), SHARES, st.integers(0, 3))
def test_units_stay_whole_and_every_class_is_on_every_side(found, shares, seed):
    units, labels = found
    sides = stratified.by_need(units, labels, shares, seed, len(shares))
    assert sides.min() >= 0
    for unit in np.unique(units):
        assert len(set(sides[units == unit])) == 1
    table = np.array(counts(labels, sides, range(len(shares))))
    assert (table > 0).all()
    assert (sides == stratified.by_need(units, labels, shares, seed, len(shares))).all()


@given(st.integers(1, 6), st.integers(20, 60), SHARES, st.integers(0, 9))
def test_single_images_come_within_one_of_the_wanted_counts(classes, each, shares, seed):
    labels = np.arange(classes * each) % classes
    sides = stratified.by_need(np.arange(len(labels)), labels, shares, seed, len(shares))
    table = np.array(counts(labels, sides, range(len(shares))))
    assert np.abs(table - np.maximum(1, each * np.array(shares))).max() <= 2
    assert np.abs(table.sum(axis=0) - len(labels) * np.array(shares)).max() <= max(2, 0.05 * len(labels))


def test_small_units_make_up_for_a_large_one():
    # One patient has half of the class: it trains, and the others fill val and test.
    units = np.array([0] * 50 + list(range(1, 51)))
    sides = stratified.by_need(units, np.zeros(100, np.int64), [0.6, 0.2, 0.2], 1, 3)
    assert np.bincount(sides).tolist() == [60, 20, 20]
    assert sides[0] == 0


def test_units_of_several_classes_are_balanced_in_each():
    generator = np.random.default_rng(0)
    units, labels = generator.integers(0, 200, 1000), generator.integers(0, 3, 1000)
    sides = stratified.by_need(units, labels, [0.6, 0.2, 0.2], 1, 3)
    table = np.array(counts(labels, sides, range(3)))
    assert np.abs(table / table.sum(axis=1, keepdims=True) - [0.6, 0.2, 0.2]).max() < 0.01


def test_two_rare_classes_in_common_units_are_both_on_every_side():
    units = np.repeat(np.arange(23), 2)
    labels = np.array([1, 2] * 3 + [0, 0] * 20)
    table = counts(labels, stratified.by_need(units, labels, [0.6, 0.2, 0.2], 0, 3), range(3))
    assert table[1] == table[2] == [1, 1, 1]


def test_another_seed_places_like_units_elsewhere():
    units, labels = np.repeat(np.arange(60), 2), np.zeros(120, np.int64)
    first, second = (stratified.by_need(units, labels, [0.6, 0.2, 0.2], seed, 3) for seed in (1, 2))
    assert not (first == second).all()
