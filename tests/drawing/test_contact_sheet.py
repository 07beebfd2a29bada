import numpy as np
import pytest

from darkroom.drawing import contact_sheet
from tests import make

CLASSES = ["cat", "dog"]


def drawn(count, confidence=None, rows=None):
    """The sheet of so many images: its title, the words over its images, and the images."""
    rows = np.arange(count) if rows is None else rows
    images = np.stack([make.pixels(seed=seed) for seed in range(max(rows, default=0) + 1)])
    confidence = np.linspace(0.99, 0.5, count) if confidence is None else confidence
    figure = contact_sheet.figure(images, rows, np.arange(count) % 2, np.asarray(confidence, np.float32), CLASSES)
    axis = figure.axes[0]
    shown = [np.asarray(image.get_array()) for image in axis.images]
    places = [next(at for at, image in enumerate(images) if np.array_equal(image[..., 0], one)) for one in shown]
    return figure.texts[0].get_text(), [text.get_text() for text in axis.texts], places


def test_the_least_certain_come_first():
    _, words, places = drawn(5, [0.9, 0.6, 0.8, 0.51, 0.7])
    assert places == [3, 1, 4, 2, 0]
    assert words == ["dog\n51%", "dog\n60%", "cat\n70%", "cat\n80%", "cat\n90%"]


def test_equal_ones_stand_in_the_order_of_their_rows():
    assert drawn(40, [0.5] * 40)[2][: contact_sheet.DOUBTFUL] == list(range(contact_sheet.DOUBTFUL))


def test_the_images_are_those_of_the_rows():
    assert drawn(3, [0.9, 0.8, 0.7], np.array([2, 5, 7]))[2] == [7, 5, 2]


def test_then_some_of_the_others_follow_at_random_and_always_the_same():
    title, words, places = drawn(100)
    doubtful, others = places[: contact_sheet.DOUBTFUL], places[contact_sheet.DOUBTFUL :]
    assert doubtful == list(range(99, 99 - contact_sheet.DOUBTFUL, -1))
    assert len(others) == contact_sheet.RANDOM
    assert len(set(places)) == len(places) == len(words)
    assert others != sorted(others)
    assert drawn(100)[2] == places
    assert "the 24 least certain of 100, then 16 at random" in title


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 least certain of 1, then 0"), (26, "24 least certain of 26, then 2")]
)
def test_few_images_are_all_shown(count, said):
    title, _, places = drawn(count)
    assert sorted(places) == list(range(count))
    assert said in title


def test_without_images_it_says_so():
    images = make.pixels()[None]
    none = np.zeros(0, np.int64)
    figure = contact_sheet.figure(images, none, none, np.zeros(0, np.float32), CLASSES)
    assert figure.texts[-1].get_text() == "none"
    assert "the 0 least certain of 0, then 0" in figure.texts[0].get_text()
