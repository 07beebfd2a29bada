import numpy as np
import pandas as pd
import pytest

from darkroom.dataset.shapes import advice, in_words, shapes, told
from darkroom.pictures.resizing import resize
from tests import make

MODES = ["squash", "crop", "pad"]


def of(sizes, stored=(100, 100), how="squash"):
    """The shapes of pictures of these sizes (width, height)."""
    width, height = zip(*sizes, strict=True)
    index = pd.DataFrame({"path": [f"{number}.png" for number in range(len(sizes))], "width": width, "height": height})
    return shapes(index, stored, how)


def test_shapes_are_counted():
    found = of([(200, 100), (100, 300), (102, 100), (98, 100), (100, 100), (300, 200)])
    assert (found.landscape, found.portrait, found.square) == (2, 1, 3)
    assert (found.aspect.min, found.aspect.max, found.aspect.median) == (0.3333, 2.0, 1.01)
    assert (found.as_stored, found.stored) == (1, (100, 100))


@pytest.mark.parametrize(("how", "enlarged"), [("squash", 3), ("crop", 3), ("pad", 1)])
def test_a_picture_is_enlarged_where_it_is_too_small(how, enlarged):
    sizes = [(200, 100), (100, 300), (99, 100), (100, 100), (50, 50), (300, 50)]
    assert of(sizes, how=how).enlarged == enlarged


@pytest.mark.parametrize("size", [(400, 100), (100, 250), (333, 200), (640, 480), (50, 50)])
@pytest.mark.parametrize("stored", [(100, 100), (60, 90)])
def test_what_is_cut_off_or_left_black_is_what_resize_does(size, stored):
    width, height = size
    picture = np.full((height, width, 1), 200, np.uint8)
    crop, pad, squash = (of([size], stored, how).change.worst for how in ("crop", "pad", "squash"))
    assert pad == pytest.approx((resize(picture, (*stored, 1), "pad") == 0).mean(), abs=0.01)
    # A ramp along each axis shows how much of it the crop keeps.
    ramps = (np.uint8(250 * ramp[..., np.newaxis]) for ramp in np.meshgrid(*(np.linspace(0, 1, side) for side in size)))
    kept = np.prod([np.ptp(resize(ramp, (*stored, 1), "crop").astype(float)) / 250 for ramp in ramps])
    assert crop == pytest.approx(1 - kept, abs=0.04)
    assert squash == pytest.approx(1 / (1 - crop), abs=1e-3)


def test_median_and_worst_with_its_path():
    found = of([(100, 100), (200, 100), (100, 400)], how="crop").change
    assert (found.median, found.worst, found.worst_path, found.over_half) == (0.5, 0.75, "2.png", 1)
    found = of([(100, 100), (200, 100), (100, 400)]).change
    assert (found.median, found.worst) == (2, 4)


def test_the_words_say_what_the_choice_cuts_off_adds_or_distorts():
    sizes = [(200, 100)] * 5 + [(100, 400), (50, 50)]
    words = [in_words(of(sizes, how=how)) for how in MODES]
    assert words[0] == (
        "5 landscape, 1 portrait, 1 square; width over height 0.25 to 2.00, median 2.00; 1 picture too small for "
        "100x100, and enlarged",
        "squash to 100x100 (width x height) distorts proportions 2.00 times in the median, 4.00 times at worst (5.png)",
    )
    assert words[1][1] == (
        "crop to 100x100 (width x height) cuts off 50% of a picture in the median, 75% at worst (5.png)"
    )
    assert words[2][1] == (
        "pad to 100x100 (width x height) leaves 50% of an image black in the median, 75% at worst (5.png)"
    )


@pytest.mark.parametrize("how", MODES)
def test_little_is_said_where_nothing_is_done(how):
    assert told(of([(100, 100)] * 3, how=how)) == [
        "shapes: all pictures are 100x100 (width x height), as they are stored"
    ]
    assert in_words(of([(300, 300), (50, 50)], how=how))[1] == f"{how} to 100x100 (width x height) keeps all of each"


def test_squash_is_warned_of_where_half_are_distorted():
    mixed = [(160, 120), (120, 160), (200, 100)]
    said = advice(of(mixed))
    assert said.startswith("half of the pictures are distorted 1.33 times or more: `resize: crop`")
    assert "image_size" not in said
    assert advice(of([(119, 100)] * 9 + [(400, 100)])) is None
    assert told(of(mixed))[-1] == f"warning: {said}"


def test_a_shape_that_all_have_is_offered_as_the_size():
    assert advice(of([(640, 480)] * 9, (224, 224))).endswith("`image_size: [168, 224]` fits it")
    assert advice(of([(480, 640)] * 9, (224, 224))).endswith("`image_size: [224, 168]` fits it")
    assert advice(of([(640, 480)] * 9, (168, 224))) is None


@pytest.mark.parametrize(("panoramas", "warned"), [(5, False), (6, True)])
def test_crop_is_warned_of_where_some_lose_more_than_half(panoramas, warned):
    said = advice(of([(150, 100)] * (100 - panoramas) + [(300, 100)] * panoramas, how="crop"))
    assert (said is not None) == warned
    assert said is None or said.startswith("crop cuts off more than half of 6 pictures of 100: where what counts")


def test_pad_is_warned_of_where_most_is_black():
    said = advice(of([(300, 100), (100, 300), (310, 100)], how="pad"))
    assert said.startswith("pad leaves more than half of the image black for 3 pictures of 3: `resize: crop`")
    assert advice(of([(300, 100), (100, 100)], how="pad")) is None


def test_the_index_of_a_data_set_is_what_it_reads():
    found = shapes(make.index_of([0, 1, None]), (8, 8), "squash")
    assert (found.square, found.as_stored) == (3, 3)
