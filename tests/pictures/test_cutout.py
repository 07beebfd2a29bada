import cv2
import numpy as np
import pytest

from darkroom.base.errors import UserError
from darkroom.pictures import cutout
from tests import make

SHAPE = (28, 28, 1)
NOTHING = "nothing stands out from the ground, so that there is nothing to fit"


def drawn(text="3", height=480, width=640, thickness=24, scale=7):
    """A digit as a mask in [0, 1], off the centre."""
    mask = np.zeros((height, width), np.uint8)
    cv2.putText(mask, text, (width // 12, height * 2 // 3), 0, scale * height / 480, 255, thickness, cv2.LINE_AA)
    return cv2.GaussianBlur(mask, (0, 0), 1.5) / 255


def photo(mask, *, dark=True, noise=6.0, colour=False):
    """Ink on shaded paper, or chalk on a board, with noise: uint8, height x width x channels."""
    height, width = mask.shape
    y, x = np.mgrid[:height, :width] / width
    ground = 215 - 70 * x - 40 * y if dark else 60 + 60 * x
    picture = ground * (1 - mask) + (45 if dark else 235) * mask
    picture = picture + np.random.default_rng(0).normal(0, noise, mask.shape)
    grey = picture.clip(0, 255).astype(np.uint8)[..., None]
    return np.concatenate([grey, grey, grey // 2 + 60], axis=2) if colour else grey


def overlap(a, b):
    """Cosine of the angle between two images."""
    a, b = a.astype(float).ravel(), b.astype(float).ravel()
    return a @ b / np.sqrt((a @ a) * (b @ b))


@pytest.mark.parametrize("text", list("0123456789"))
@pytest.mark.parametrize("dark", [True, False])
def test_a_photo_becomes_what_the_clean_drawing_becomes(text, dark):
    mask = drawn(text)
    clean = cutout.fit((255 * mask).astype(np.uint8)[..., None], SHAPE, light=True)
    found = cutout.fit(photo(mask, dark=dark, colour=dark), SHAPE, light=True)
    assert overlap(found, clean) > 0.95
    assert found[[0, -1]].max() == 0  # the margin of MNIST: four pixels, less what centring the mass takes


def test_the_longer_side_fills_the_share_that_is_asked_for_and_the_mass_is_centred():
    found = cutout.fit(photo(drawn("1")), SHAPE, light=True)[..., 0]
    rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
    assert 18 <= rows[-1] - rows[0] + 1 <= 20
    assert columns[-1] - columns[0] + 1 < 20
    assert found.max() == 255
    y, x = np.mgrid[:28, :28]
    assert (y * found.astype(float)).sum() / found.sum() == pytest.approx(13.5, abs=1)
    assert (x * found.astype(float)).sum() / found.sum() == pytest.approx(13.5, abs=1)


def test_other_shapes_and_dark_ink_on_white():
    found = cutout.fit(photo(drawn("8")), (8, 8, 1), light=True, extent=1.0)
    assert found.shape == (8, 8, 1)
    assert found[0].max() > 0
    light, dark = (cutout.fit(photo(drawn("4")), SHAPE, light=light) for light in (True, False))
    assert np.array_equal(dark, 255 - light)


def test_specks_are_left_out():
    mask = drawn("7")
    clean = cutout.fit(photo(mask), SHAPE, light=True)
    mask[440:446, 600:606] = 1
    assert overlap(cutout.fit(photo(mask), SHAPE, light=True), clean) > 0.99


def test_an_image_as_the_training_has_it_stays_what_it_is():
    image = np.zeros(SHAPE, np.uint8)
    image[4:24, 12:17] = 255
    assert overlap(cutout.fit(image, SHAPE, light=True), image) > 0.9


@pytest.mark.parametrize("level", [0, 128, 255])
def test_nothing_on_a_ground_is_refused(level):
    with pytest.raises(UserError, match="nothing stands out"):
        cutout.fit(np.full((50, 40, 1), level, np.uint8), SHAPE, light=True)


def test_a_sheet_with_noise_alone_is_refused():
    with pytest.raises(UserError, match="nothing stands out"):
        cutout.fit(photo(np.zeros((480, 640))), SHAPE, light=True)


def test_colour_models_are_refused():
    with pytest.raises(UserError, match="colour"):
        cutout.fit(photo(drawn()), (28, 28, 3), light=True)


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2)])
def test_tiny_pictures_do_no_harm(size):
    pixels = np.zeros((*size, 1), np.uint8)
    pixels[0, 0] = 255
    assert make.refusal(lambda: cutout.fit(pixels, SHAPE, light=True)) in (None, NOTHING)


def test_the_negative_of_the_negative():
    pixels = photo(drawn())
    assert np.array_equal(cutout.negative(cutout.negative(pixels)), pixels)
    assert cutout.negative(np.zeros(SHAPE, np.uint8)).dtype == np.uint8


def test_the_negative_of_a_part():
    found = cutout.negative(np.full((3, 4, 1), 5, np.uint8), (slice(1, 3), slice(0, 2)))
    assert found[..., 0].tolist() == [[5, 5, 5, 5], [250, 250, 5, 5], [250, 250, 5, 5]]
