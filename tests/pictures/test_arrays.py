import numpy as np
import pytest

from darkroom.pictures.arrays import from_array
from darkroom.pictures.decoding import Target
from darkroom.pictures.notes import BadImage
from tests import make


def target(channels=1, side=8, **others):
    return Target((side, side, channels), **others)


def test_bytes_are_taken_as_they_stand():
    image = make.pixels(8, 8)
    pixels, header, notes = from_array(image, target())
    assert pixels.tobytes() == image.tobytes()
    assert (header.width, header.height, header.channels) == (8, 8, 1)
    assert (notes.bits, notes.highest) == (0, image.max())


def test_grey_and_colour_become_what_is_wanted():
    grey, colours = make.pixels(8, 8), make.pixels(8, 8, 3)
    assert (from_array(grey, target(3))[0] == grey).all()
    brightness = colours @ [0.299, 0.587, 0.114]
    assert np.abs(from_array(colours, target())[0][..., 0] - brightness).max() <= 1


def test_the_size_is_brought_to_the_target_as_that_of_a_picture_file_is():
    assert from_array(make.pixels(8, 16), target(resize="crop", side=4))[0].shape == (4, 4, 1)


@pytest.mark.parametrize(
    ("values", "value_range", "expected"),
    [
        ([0.0, 0.5, 1.0, 2.0], (0, 1), [0, 128, 255, 255]),
        ([0, 8, 16, -3], (0, 16), [0, 128, 255, 0]),
        ([0, 2048, 4095, 4096], (0, 4095), [0, 128, 255, 255]),
    ],
)
def test_a_range_spreads_values(values, value_range, expected):
    values = np.array(values).reshape(2, 2, 1)
    assert from_array(values, target(side=2, range=value_range))[0].ravel().tolist() == expected


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.ones((2, 2, 1)), "range: [0, 1]"),
        (np.full((2, 2, 1), 4000), "range: [0, 4095]"),
        (np.full((2, 2, 1), -4), "range: [0, 255]"),
    ],
)
def test_no_range_is_guessed(values, says):
    with pytest.raises(BadImage, match=r"range: \[0, ") as told:
        from_array(values, target())
    assert says in str(told.value)


def test_values_that_are_no_numbers_and_too_many_pixels_are_refused():
    with pytest.raises(BadImage, match="no numbers"):
        from_array(np.full((2, 2, 1), np.nan), target(range=(0, 1)))
    with pytest.raises(BadImage, match=r"extract\.max_pixels"):
        from_array(np.zeros((2, 2, 1), np.uint8), target(max_pixels=3))
