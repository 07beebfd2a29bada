import numpy as np
import pandas as pd
import pytest

from darkroom.drawing import galleries, style
from tests import make

IMAGES = np.stack([make.pixels(8, 10, 3, seed) for seed in range(6)])


def mistakes(count, name="cat"):
    return pd.DataFrame(
        {"row": np.arange(count) % 6, "true": [name] * count, "predicted": ["dog"] * count, "confidence": 0.9}
    )


def titles(figure):
    return [axis.get_title() for axis in figure.axes if axis.get_title()]


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
    figure = galleries.evidence(IMAGES, mistakes(count, "a very long name of a class"), maps, 0 * maps, "seen")
    shown = titles(figure)
    assert shown.count("for dog\n(predicted)") == count
    assert shown.count("for a very long n…\n(true)") == count
    style.save(figure, tmp_path / "one.png")


def test_a_picture_says_that_there_is_nothing():
    assert [text.get_text() for text in galleries.nothing("title", "no mistakes").texts][-1] == "no mistakes"
