import itertools

import numpy as np
import pandas as pd
import pytest

from darkroom.drawing import galleries, style
from tests import make
from tests.drawing.test_charts import grid, rendered

IMAGES = np.stack([make.pixels(8, 10, 3, seed) for seed in range(6)])


def mistakes(count, name="cat"):
    return pd.DataFrame(
        {"row": np.arange(count) % 6, "true": [name] * count, "predicted": ["dog"] * count, "confidence": 0.9}
    )


def titles(figure):
    return [text.get_text() for axis in figure.axes for text in axis.texts]


@pytest.mark.parametrize("count", [0, 1, 4, 5])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_grid_of_any_number_of_images(count, channels):
    figure = grid(count, channels)
    assert titles(figure) == [f"a {at}" for at in range(count)]
    assert rendered(figure).shape[0] > 50


def test_the_grid_shows_the_pixels():
    images = np.zeros((2, 8, 8, 3), np.uint8)
    images[0], images[1] = (255, 0, 0), (0, 0, 255)
    shown = rendered(galleries.grid(images, ["red", "blue"], columns=2, title="")).reshape(-1, 3).tolist()
    assert shown.count([255, 0, 0]) > 1000
    assert shown.count([255, 0, 0]) == pytest.approx(shown.count([0, 0, 255]), rel=0.1)


def test_grey_is_shown_from_black_to_white_whatever_the_image_holds():
    images = np.full((1, 8, 8, 1), 100, np.uint8)
    shown = rendered(galleries.grid(images, [""], columns=1, title="")).reshape(-1, 3).tolist()
    assert shown.count([100, 100, 100]) > 1000


@pytest.mark.parametrize("shape", [(8, 40), (40, 8), (8, 8)])
def test_images_of_any_form_keep_it_and_do_not_touch(shape):
    """Nor do their titles touch the images above them."""
    figure = galleries.grid(np.zeros((6, *shape, 1), np.uint8), ["one\ntwo"] * 6, columns=3, title="t")
    axis = figure.axes[0]
    boxes = [image.get_extent() for image in axis.images]
    for left, right, bottom, top in boxes:
        assert (bottom - top) / (right - left) == pytest.approx(shape[0] / shape[1])
    assert all(one[1] < other[0] for one, other in itertools.pairwise(boxes[:3]))
    figure.draw_without_rendering()
    words = [text.get_window_extent().transformed(axis.transData.inverted()) for text in axis.texts]
    assert min(words[3].y0, words[3].y1) > boxes[0][2]


def test_headings_of_rows_of_mistakes_do_not_overlap():
    names = [" ".join([word] * 40) for word in ("Chevrolet", "Silverado")]
    group = pd.DataFrame({"row": [0, 1], "confidence": 0.9})
    groups = {f"{true} taken for {other}: 17": group for true, other in (names, names[::-1])}
    figure = galleries.by_group(IMAGES, groups, columns=8, title="t")
    figure.draw_without_rendering()
    first, second = (text for axis in figure.axes for text in axis.texts if "Chevrolet" in text.get_text())
    assert first.get_window_extent().y0 > second.get_window_extent().y1
    assert first.get_text().startswith("Chevrolet")
    assert first.get_text().endswith(": 17")


def test_what_became_of_an_image_stands_under_it():
    before, after = np.zeros((5, 8, 8, 1), np.uint8), np.full((5, 8, 8, 1), 255, np.uint8)
    figure = galleries.before_after(before, after, columns=4, title="t")
    assert titles(figure) == ["before", "after"] * 2
    places = [(image.get_extent(), image.get_array().max()) for image in figure.axes[0].images]
    for (over, dark), (under, light) in zip(places[::2], places[1::2], strict=True):
        assert (dark, light) == (0, 255)
        assert over[:2] == under[:2]
        assert over[2] < under[3]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_mistake_stands_beside_its_neighbours(count, tmp_path):
    rows = np.full((count, 3), 4)
    rows[0, 2] = -1
    names = [["dog", "cat"], *[["dog", "cat", "$x$ y"]] * (count - 1)]
    figure = galleries.neighbours(IMAGES, mistakes(count), rows, names, "near")
    shown = titles(figure)
    assert shown.count("cat\n→ dog\n90%") == count
    assert len(shown) == 4 * count - 1
    assert sum(len(axis.images) for axis in figure.axes) == 4 * count - 1
    style.save(figure, tmp_path / "one.png")
    again = galleries.neighbours(IMAGES, mistakes(count), rows, names, "near")
    style.save(again, tmp_path / "two.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


@pytest.mark.parametrize("count", [1, 3])
def test_evidence_lies_over_the_image(count, tmp_path):
    maps = np.random.default_rng(0).random((count, 8, 10)).astype(np.float32)
    figure = galleries.with_heat_maps(IMAGES, mistakes(count, "a very long name of a class"), maps, 0 * maps, "seen")
    shown = titles(figure)
    assert shown.count("for dog\n(predicted)") == count
    assert shown.count("for a very long n…\n(true: none)") == count
    style.save(figure, tmp_path / "one.png")


def test_a_picture_says_that_there_is_nothing():
    assert [text.get_text() for text in galleries.placeholder("title", "no mistakes").texts][-1] == "no mistakes"
