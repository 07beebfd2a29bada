import numpy as np
import pandas as pd
import pytest

from darkroom.dataset import stable_split
from tests import make

STEPS = {"test": 0.2, "val": 0.25}


def images(count, groups=None):
    return make.tied(make.index_of([0] * count), groups)


def test_shares_hold_on_average():
    sides = pd.Series(stable_split.sides(images(20_000), STEPS, 0))
    assert sides.value_counts(normalize=True).to_dict() == pytest.approx(
        {"train": 0.6, "val": 0.2, "test": 0.2}, abs=0.01
    )


def test_a_picture_has_its_side_whatever_else_there_is_and_in_any_order():
    every = images(500, [f"g{row % 50}" if row % 2 else None for row in range(500)])
    sides = pd.Series(stable_split.sides(every, STEPS, 3), every["row"])
    some = every.sample(200, random_state=0)
    assert stable_split.sides(some, STEPS, 3).tolist() == sides.loc[some["row"]].tolist()


def test_a_group_has_one_side_which_follows_from_its_name():
    sides = stable_split.sides(images(60, ["a", "b", "c"] * 20), STEPS, 1)
    assert [len(set(sides[at::3])) for at in range(3)] == [1, 1, 1]


def test_the_seed_and_the_kind_of_key_matter():
    plain = stable_split.sides(images(200), STEPS, 0)
    assert not (plain == stable_split.sides(images(200), STEPS, 1)).all()
    named_alike = images(200, [f"file {row}" for row in range(200)])
    assert not (plain == stable_split.sides(named_alike, STEPS, 0)).all()


def test_without_a_step_all_train_and_a_given_test_leaves_val_its_share():
    assert set(stable_split.sides(images(50), {}, 0)) == {"train"}
    sides = stable_split.sides(images(5000), {"val": 0.25}, 0)
    assert set(sides) == {"train", "val"}
    assert np.mean(sides == "val") == pytest.approx(0.25, abs=0.02)
