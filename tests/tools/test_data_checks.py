import numpy as np
import pytest
import torch

from darkroom.tools import data_checks
from tests.tools.small_training import pictures


def test_images_must_have_the_shape_of_the_catalogue():
    images, _ = pictures(4)
    assert data_checks.shapes(images, (9, 9, 1), 3, 1).passed
    for wrong in (
        data_checks.shapes(images, (9, 9, 3), 3, 1),
        data_checks.shapes(images.astype(np.float32), (9, 9, 1), 3, 1),
        data_checks.shapes(images, (9, 9, 1), 4, 0),
    ):
        assert wrong.passed is False
        assert "dvc repro stats" in wrong.text


@pytest.mark.parametrize(
    ("train", "val", "passed", "says"),
    [
        ([0, 1, 2, 0], [0], True, "1 (b) to 2 (a)"),
        ([0, 1, 2, 3], [0], False, "from 0 to 3, but must go from 0 to 2"),
        ([0, 1, 2], [-1], False, "from -1 to 2"),
        ([0, 2, 2], [0], False, "no training image of b"),
        ([0] * 10 + [1] * 99 + [2] * 20, [0], True, "10 (a) to 99 (b)"),
        ([0] * 10 + [1] * 100 + [2] * 20, [0], None, "train.balanced"),
    ],
)
def test_labels_must_name_classes_that_have_images(train, val, passed, says):
    check = data_checks.class_counts(np.array(train), np.array(val), ["a", "b", "c"])
    assert check.passed is passed
    assert says in check.text


def test_many_empty_classes_are_counted_not_listed():
    check = data_checks.class_counts(np.array([0]), np.array([0]), [f"c{at}" for at in range(20)])
    assert check.text.startswith("no training image of c1, c2, c3, c4 and 15 more")


def test_one_class_alone_is_nothing_to_learn():
    assert data_checks.class_counts(np.array([0, 0]), np.array([0]), ["a"]).passed is False


def test_images_must_be_normalised_by_their_own_figures():
    images = torch.randn(64, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    assert data_checks.normalisation(images).passed
    for wrong in (images + 0.5, images * torch.tensor([1.0, 1.5])[:, None, None], 0 * images, images / 0):
        check = data_checks.normalisation(wrong)
        assert check.passed is False
        assert "dvc repro stats" in check.text
    assert "-0.00" not in data_checks.normalisation(images - images.mean((0, 2, 3), keepdim=True) - 1e-5).text
