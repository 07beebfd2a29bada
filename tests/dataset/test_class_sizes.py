import numpy as np
import pytest

from darkroom.base.errors import UserError
from darkroom.dataset import class_sizes
from tests import make


def check(counts, units=None, splits=3, pixels=None):
    """Check classes a, b, ... with these numbers of images; by default each image is a unit of its own."""
    labels = np.repeat(np.arange(len(counts)), counts)
    pixels = np.arange(len(labels)) if pixels is None else np.array(pixels)
    names = [chr(ord("a") + at) if at < 26 else f"class {at}" for at in range(len(counts))]
    class_sizes.check(labels, pixels if units is None else np.array(units), pixels, names, splits)


def test_three_images_of_a_class_are_enough_and_one_for_each_split_that_is_divided():
    check([3, 20])
    check([2, 20], splits=2)
    check([1, 20], splits=1)


def test_all_small_classes_are_named_with_their_counts_and_the_lines_that_leave_them_out():
    with pytest.raises(UserError) as caught:
        check([20, 2, 0, 3])
    assert str(caught.value) == (
        "too few different images to divide for 2 classes: b (2), c (0); each class needs at least 3, one in each of 3 "
        "splits, and a group counts once: add images, or leave classes out, by number with the line `min_images: 3` in "
        "the entry (datasets.yaml), by name with `LABEL: null` under its `classes`"
    )


def test_at_most_twenty_are_shown():
    with pytest.raises(UserError) as caught:
        check([1] * 30)
    assert "for 30 classes: a (1)," in str(caught.value)
    assert "t (1) and 10 more; each" in str(caught.value)
    assert make.is_one_line(str(caught.value))


def test_a_class_in_too_few_groups_is_told_with_its_images():
    with pytest.raises(UserError, match=r"1 class: b \(9 images in 2 groups\); each"):
        check([3, 9], units=[0, 1, 2, 3, 3, 3, 3, 3, 3, 4, 4, 4])


def test_copies_do_not_make_a_class_large_enough():
    with pytest.raises(UserError, match=r"1 class: b \(1\)"):
        check([3, 4], pixels=[0, 1, 2, 9, 9, 9, 9])


def test_a_class_that_lacks_a_split_after_all_is_named():
    labels, sides = np.array([0, 0, 1, 1]), np.array(["train", "test", "train", "train"], object)
    with pytest.raises(UserError, match=r"no image in test for 1 class: b, because groups hold .* another split\.seed"):
        class_sizes.check_divided(labels, sides, ["train", "test"], ["a", "b"], stable=False)
    class_sizes.check_divided(labels, sides, ["train", "test"], ["a", "b"], stable=True)
    with pytest.raises(UserError, match=r"no image in val for 2 classes: a, b, because split\.stable is true"):
        class_sizes.check_divided(labels, sides, ["train", "val"], ["a", "b"], stable=True)
    with pytest.raises(UserError, match=r"no image in train for 1 class: c, because split\.stable is true"):
        class_sizes.check_divided(labels, sides, ["train"], ["a", "b", "c"], stable=True)


def test_a_class_that_lost_all_its_images_to_the_given_splits_is_told_so():
    class_sizes.check_left(np.array([0, 1]), np.array([0, 0]), ["cat", "dog"])
    with pytest.raises(UserError, match="no image is left to train on for 1 class: dog; each of theirs shares its pix"):
        class_sizes.check_left(np.array([0]), np.array([1, 1, 0]), ["cat", "dog"])
