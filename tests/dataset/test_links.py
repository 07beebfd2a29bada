import numpy as np

from darkroom.dataset.links import Links
from tests import make


def links(hashes, groups=None, near=()):
    index = make.tied(make.index_of([0] * len(hashes), hashes), groups)
    return Links.of(index, np.array(near, np.int64).reshape(-1, 2))


def test_without_groups_and_near_pairs_a_unit_is_what_has_equal_pixels():
    assert links([7, 8, 7, 9]).units().tolist() == [0, 1, 0, 2]


def test_a_unit_is_all_that_is_connected():
    # 0 and 1 are one group, 1 and 2 have equal pixels, 2 and 3 are nearly equal; 4 is alone; 5 and 6 are a group.
    found = links([1, 2, 2, 3, 4, 5, 6], ["a", "a", None, None, None, "b", "b"], [(2, 3)])
    assert found.units().tolist() == [0, 0, 0, 0, 1, 2, 2]


def test_near_pairs_are_rows_of_the_index_not_places():
    index = make.tied(make.index_of([None, 0, None, 0, 0]))
    found = Links.of(index[index["label"].notna()], np.array([[1, 4]]))
    assert found.units().tolist() == [0, 1, 0]


def test_each_kind_of_tie_to_the_chosen_is_told():
    found = links([1, 1, 2, 3, 4, 5], [None, None, "a", "a", None, None], [(4, 5)])
    touching = found.touching(np.array([True, False, True, False, False, True]))
    assert {name: np.flatnonzero(mask).tolist() for name, mask in touching.items()} == {
        "with the same pixels as": [0, 1, 2, 5],
        "in the same group as": [2, 3],
        "nearly equal to": [4],
    }


def test_images_without_a_group_are_no_group():
    touching = links([1, 2, 3]).touching(np.array([True, False, False]))
    assert not touching["in the same group as"].any()
