import numpy as np
import pytest

from darkroom.dataset import fraction
from tests import make


def index(labels, groups=None, hashes=None):
    return make.tied(make.index_of(labels, hashes), groups)


def test_the_whole_is_returned_as_it_is():
    rows = np.array([3, 1, 2])
    assert fraction.take(index([0] * 4), rows, 1.0, 0) is rows


def test_each_class_has_its_share_and_rows_ascend():
    labels = [0] * 100 + [1] * 50 + [None] * 10
    rows = np.arange(10, 150)
    taken = fraction.take(index(labels), rows, 0.1, 0)
    assert (np.diff(taken) > 0).all()
    assert set(taken) <= set(rows)
    assert [(taken < 100).sum(), (taken >= 100).sum()] == [9, 5]


def test_a_class_has_at_least_one_image():
    taken = fraction.take(index([0] * 200 + [1] * 2 + [2]), np.arange(203), 0.01, 0)
    assert np.bincount(np.array([0] * 200 + [1] * 2 + [2])[taken]).tolist() == [2, 1, 1]


@pytest.mark.parametrize("by", ["group", "pixels"])
def test_groups_and_copies_are_taken_whole(by):
    numbers = [row // 5 for row in range(200)]
    found = index([0] * 200, [str(n) for n in numbers]) if by == "group" else index([0] * 200, hashes=numbers)
    taken = fraction.take(found, np.arange(200), 0.25, 0)
    assert len(taken) == 50
    assert (np.bincount(np.array(numbers)[taken], minlength=40) % 5 == 0).all()


def test_the_seed_decides():
    first, again, other = (fraction.take(index([0] * 100), np.arange(100), 0.2, seed).tolist() for seed in (1, 1, 2))
    assert first == again != other
