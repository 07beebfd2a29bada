import numpy as np
import pytest

from darkroom.base.errors import UserError
from darkroom.tools.picture_facts import facts
from tests.make import encode, pixels


def keys(*images, form="PNG"):
    return facts([encode(image, form) for image in images]).keys


def test_a_square_picture_keeps_its_small_side():
    assert keys(pixels(28, 28, 3)) == {"channels": 3, "image_size": 28, "resize": "squash"}


@pytest.mark.parametrize(("side", "size"), [(64, 64), (100, 96), (224, 224), (500, 224)])
def test_the_size_follows_its_rule(side, size):
    assert keys(pixels(side, side, 1))["image_size"] == size


def test_other_shapes_are_cropped():
    assert keys(pixels(30, 40, 3), pixels(40, 30, 3))["resize"] == "crop"


def test_grey_stored_as_colour_is_grey():
    grey = np.repeat(pixels(32, 32, 1), 3, axis=2)
    assert keys(grey)["channels"] == 1
    assert keys(grey, form="JPEG")["channels"] == 1
    assert keys(grey, pixels(32, 32, 3))["channels"] == 3


def test_twelve_bits_of_sixteen_have_a_range():
    deep = np.full((8, 8), 3000, np.uint16)
    assert keys(deep)["range"] == [0, 4095]
    assert "range" not in keys(np.full((8, 8), 60_000, np.uint16))


def test_arrays_of_containers_count_too():
    found = facts([np.zeros((28, 28), np.uint8), np.ones((28, 28), np.float32)])
    assert found.keys == {"channels": 1, "image_size": 28, "resize": "squash"}
    assert found.megapixels == 28 * 28 / 1e6


def test_pictures_that_cannot_be_read_are_refused():
    with pytest.raises(UserError, match="none of the pictures"):
        facts([b"", b"x"])
