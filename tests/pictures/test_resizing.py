import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.pictures.resizing import IN_WORDS, Reduced, covered, reduction, resize
from tests import make

SIDE = st.integers(1, 60)
MODES = ["squash", "crop", "pad"]


@given(st.sampled_from(MODES), SIDE, SIDE, SIDE, SIDE, st.sampled_from([1, 3]))
def test_any_size_becomes_the_size_asked_for(how, height, width, to_height, to_width, channels):
    pixels = make.pixels(height, width, channels) // 2 + 100
    found = resize(pixels, (to_height, to_width, channels), how)
    assert found.shape == (to_height, to_width, channels)
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    lit = found > 0
    assert found[lit].min() >= 100  # no value that the picture lacks, but for the black of the canvas
    rows, columns = lit.any(axis=(1, 2)), lit.any(axis=(0, 2))
    if how == "pad":
        # The picture touches two sides, keeps its proportions, and lies in the middle.
        scale = min(to_height / height, to_width / width)
        for covered, side, target in ((rows, height, to_height), (columns, width, to_width)):
            assert covered.sum() == min(target, max(1, round(side * scale)))
            before, after = int(covered.argmax()), int(covered[::-1].argmax())
            assert after - before in (0, 1)
    else:
        assert lit.all()


@given(SIDE, SIDE, st.sampled_from(MODES), st.sampled_from([1, 3]))
def test_a_picture_of_the_wanted_size_stays_as_it_is(height, width, how, channels):
    pixels = make.pixels(height, width, channels)
    assert np.array_equal(resize(pixels, pixels.shape, how), pixels)


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 4))
def test_the_modes_agree_where_the_proportions_do(height, width, times):
    pixels = make.pixels(height * times, width * times, 3)
    for shape in ((height, width, 3), (height * times * 2, width * times * 2, 3)):
        squashed, cropped, padded = (resize(pixels, shape, how) for how in MODES)
        assert np.array_equal(squashed, cropped)
        assert np.array_equal(squashed, padded)


def by_words(pixels, shape, how):
    """The three modes again, written from `IN_WORDS` and `HOW_TO_SCALE` alone."""
    (h, w), (H, W, _) = pixels.shape[:2], shape

    def scale(part, width, height):
        shrinks = part.shape[1] >= width and part.shape[0] >= height
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return cv2.resize(part, (width, height), interpolation=way).reshape(height, width, -1)

    if how == "squash":
        return scale(pixels, W, H)
    if how == "crop":
        s = max(W / w, H / h)
        width, height = max(1, min(w, round(W / s))), max(1, min(h, round(H / s)))
        f = next((f for f in (8, 4, 2) if width >= 2 * f * W and height >= 2 * f * H), 1)
        top, left = (((h - height) // 2 + f // 2) // f * f, ((w - width) // 2 + f // 2) // f * f)
        return scale(pixels[top : top + height, left : left + width], W, H)
    s = min(W / w, H / h)
    width, height = max(1, min(W, round(w * s))), max(1, min(H, round(h * s)))
    top, left = (H - height) // 2, (W - width) // 2
    black = np.zeros(shape, np.uint8)
    black[top : top + height, left : left + width] = scale(pixels, width, height)
    return black


@given(st.sampled_from(MODES), SIDE, SIDE, SIDE, SIDE, st.sampled_from([1, 3]))
def test_the_words_say_what_is_done(how, height, width, to_height, to_width, channels):
    assert set(IN_WORDS) == set(MODES)
    pixels, shape = make.pixels(height, width, channels), (to_height, to_width, channels)
    assert np.array_equal(by_words(pixels, shape, how), resize(pixels, shape, how))


@given(SIDE, SIDE, SIDE, SIDE, st.sampled_from(MODES))
def test_a_picture_lies_where_it_is_said_to(height, width, to_height, to_width, how):
    found = resize(np.full((height, width, 1), 9, np.uint8), (to_height, to_width, 1), how)
    found[covered((height, width), found.shape, how)] -= 9
    assert not found.any()


def test_a_crop_is_the_centre():
    pixels = np.zeros((4, 12, 1), np.uint8)
    pixels[:, 4:8] = 200
    assert np.array_equal(resize(pixels, (2, 2, 1), "crop"), np.full((2, 2, 1), 200))
    assert np.array_equal(resize(pixels.transpose(1, 0, 2), (8, 8, 1), "crop"), np.full((8, 8, 1), 200))
    pixels[:, 2:10] = 200
    assert np.array_equal(resize(pixels, (2, 4, 1), "crop"), np.full((2, 4, 1), 200))


def test_a_padded_picture_lies_on_black():
    found = resize(np.full((4, 8, 3), 200, np.uint8), (4, 4, 3), "pad")
    assert found[:, 0, 0].tolist() == [0, 200, 200, 0]
    assert (found == found[:, :1, :1]).all()


def test_shapes_are_kept_but_for_squash():
    """A disc stays as high as it is wide."""
    y, x = np.mgrid[-50:50, -100:100]
    disc = (255 * (x**2 + y**2 < 40**2)).astype(np.uint8)[..., np.newaxis]

    def proportions(how):
        lit = resize(disc, (50, 50, 1), how)[..., 0] > 127
        return lit.any(axis=1).sum() / lit.any(axis=0).sum()

    assert proportions("crop") == pytest.approx(1, abs=0.06)
    assert proportions("pad") == pytest.approx(1, abs=0.06)
    assert proportions("squash") == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("size", [(1200, 120), (120, 1200), (1, 5000), (5000, 1), (20_000, 1), (1, 1)])
@pytest.mark.parametrize("shape", [(28, 28, 1), (224, 64, 3), (1, 50, 3)])
@pytest.mark.parametrize("how", MODES)
def test_extreme_shapes_leave_no_side_empty(size, shape, how):
    found = resize(np.full((*size, shape[2]), 90, np.uint8), shape, how)
    assert found.shape == shape
    assert (found > 0).any()
    assert set(np.unique(found)) <= {0, 90}
    assert how == "pad" or (found == 90).all()


def test_each_mode_shrinks_by_averages():
    stripes = np.zeros((16, 32, 1), np.uint8)
    stripes[::4] = 200
    assert (resize(stripes, (4, 8, 1), "squash") == 50).all()
    assert (resize(stripes, (4, 4, 1), "crop") == 50).all()
    assert (resize(stripes, (8, 8, 1), "pad")[2:6] == 50).all()


@pytest.mark.parametrize("how", MODES)
def test_each_mode_enlarges_by_steps_between_neighbours(how):
    found = resize(np.array([[[0], [200]], [[0], [200]]], np.uint8), (8, 8, 1), how)
    assert found[3, :, 0].tolist() == [0, 0, 25, 75, 125, 175, 200, 200]


@pytest.mark.parametrize(
    ("size", "how", "factor"),
    [
        ((399, 5000), "squash", 1),
        ((400, 400), "squash", 2),
        ((799, 5000), "squash", 2),
        ((800, 900), "squash", 4),
        ((1600, 1600), "squash", 8),
        ((90_000, 90_000), "squash", 8),
        ((399, 5000), "crop", 1),
        ((800, 5000), "crop", 4),
        ((5000, 1600), "crop", 8),
        ((399, 5000), "pad", 8),
        ((399, 200), "pad", 1),
        ((400, 200), "pad", 2),
        ((5000, 3), "pad", 1),  # it becomes one pixel wide, from three
        ((5000, 4), "pad", 2),
    ],
)
def test_twice_the_pixels_that_are_needed_are_left(size, how, factor):
    assert reduction(size, (100, 100, 3), how) == factor
    assert reduction(size[::-1], (100, 100, 3), how) == factor


@given(st.integers(1, 3000), st.integers(1, 3000), SIDE, SIDE, st.sampled_from(MODES))
def test_reduced_pixels_of_any_size_become_the_size_asked_for(height, width, to_height, to_width, how):
    shape = to_height, to_width, 1
    factor = reduction((height, width), shape, how)
    if factor == 1:
        return
    pixels = np.full((-(-height // factor), -(-width // factor), 1), 90, np.uint8)
    found = resize(pixels, shape, how, Reduced(factor, (height, width), (True, False)))
    assert found.shape == shape
    assert found.flags.c_contiguous
    assert set(np.unique(found)) <= ({0, 90} if how == "pad" else {90})


def in_blocks(pixels, factor, mirrored):
    """What a decoder makes of pixels at a fraction of their size: the mean of each block; edges are repeated."""
    ways = tuple(slice(None, None, -1 if against else 1) for against in mirrored)
    pixels = pixels[ways].astype(float)
    height, width, channels = pixels.shape
    pixels = np.pad(pixels, ((0, -height % factor), (0, -width % factor), (0, 0)), mode="edge")
    blocks = pixels.reshape(pixels.shape[0] // factor, factor, -1, factor, channels).mean((1, 3))
    return np.ascontiguousarray(blocks.round().astype(np.uint8)[ways])


@given(st.integers(64, 140), st.integers(64, 140), st.sampled_from(MODES), st.tuples(st.booleans(), st.booleans()))
def test_reduced_pixels_give_the_same_part_in_the_same_place(height, width, how, mirrored):
    """A ramp tells where each pixel came from."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([y * 255 / height, x * 255 / width], axis=-1).astype(np.uint8)
    shape = (4, 4, 2)
    factor = reduction((height, width), shape, how)
    reduced = Reduced(factor, (height, width), mirrored)
    whole, found = resize(pixels, shape, how), resize(in_blocks(pixels, factor, mirrored), shape, how, reduced)
    pixel = 255 / min(height, width)
    # The middle of a turned picture begins at blocks that are counted from its other end.
    off = factor if how == "crop" and any(mirrored) else 0.6
    assert np.abs(found.astype(float) - whole).max() <= pixel * off + 2


@pytest.mark.parametrize("how", MODES)
def test_whole_blocks_give_the_very_pixels(how):
    pixels = make.smooth(128, 256, 3)
    shape, factor = (16, 16, 3), reduction((128, 256), (16, 16, 3), how)
    assert factor >= 4
    found = resize(in_blocks(pixels, factor, (False, False)), shape, how, Reduced(factor, (128, 256)))
    assert np.abs(found.astype(int) - resize(pixels, shape, how)).max() <= 1
