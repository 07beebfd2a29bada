import pytest

from darkroom.tools import folder_levels
from darkroom.tools.folder_levels import levels, patterns


def names(folders):
    return [level.names for level in levels(folders, [10] * len(folders))]


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (["d/cat", "d/dog"], [("cat", "dog")]),
        (["d/cat/cat", "d/dog/dog"], [("cat", "dog")]),
        (["part1/cat", "part2/dog", "part2/cat"], [("cat", "dog")]),
        (["train/a", "test/b"], [("a", "b")]),
        (["c0", "c1"], [("c0", "c1")]),
        (["x_images_1", "x_images_2"], []),
        (["dog/husky", "dog/poodle", "cat/siam"], [("cat", "dog"), ("husky", "poodle", "siam")]),
        (["only"], []),
    ],
)
def test_levels_that_may_be_classes(folders, expected):
    assert names(folders) == expected


def test_few_pictures_less_deep_are_left_aside():
    assert [level.names for level in levels(["d/cat", "d/dog", "d"], [99, 99, 1])] == [("cat", "dog")]


def test_levels_are_crossed_or_nested():
    crossed = ["p1/ill", "p1/well", "p2/ill", "p2/well"]
    assert folder_levels.crossed(crossed, *levels(crossed, [5] * 4))
    nested = ["dog/husky", "dog/poodle", "cat/siam"]
    assert not folder_levels.crossed(nested, *levels(nested, [5] * 3))


@pytest.mark.parametrize(
    ("wanted", "unwanted", "label", "expected"),
    [
        (["d/cat", "d/dog"], [], 1, ["d"]),
        (["d/cat", "d/dog"], ["d"], 1, ["d/{label}/*"]),
        (["cat", "dog"], [], 0, ["{label}/*"]),
        (["cat/train", "dog/train"], ["cat/test"], 0, ["{label}/train/*"]),
        (["d/cat/cat", "d/dog/dog"], ["d/cat/cat GT"], 2, ["d/{label}/{label}/*"]),
        (["d/cat", "d/dog/big"], [], 1, ["d/{label}/**"]),
        (["d/cat", "d/dog"], ["d/old"], 1, ["d/{label:cat|dog}/*"]),
        (["a/x", "b/x"], ["c/x"], None, ["a/x/*", "b/x/*"]),
        (["images_1", "images_2"], ["other"], None, ["images_*/*"]),
        (["train"], ["test"], None, ["train"]),
    ],
)
def test_patterns_reach_what_is_wanted_and_nothing_else(wanted, unwanted, label, expected):
    assert patterns(wanted, unwanted, label) == expected


def test_patterns_name_groups_and_forms_of_names():
    assert patterns(["p1/ill", "p2/well"], [], 1, 0) == ["{group}/{label}/*"]
    assert patterns(["d/cat", "d/dog"], [], 1, last="{group}_*") == ["d/{label}/{group}_*"]
