"""Pictures side by side on one axis: where each stands."""

import numpy as np
import pytest

from darkroom.drawing.sheet import Layout, Sheet

IMAGE = np.zeros((8, 8, 3), np.uint8)


def test_a_sheet_is_as_large_as_its_cells_and_wide_enough_for_a_title():
    small = Sheet("title", Layout((1.0, 1.0), 2, 1.0)).finish()
    large = Sheet("two\nlines", Layout((1.0,) * 9, 4, 1.0, 2)).finish()
    assert small.get_figwidth() == 6.5 < large.get_figwidth()
    assert large.get_figheight() > 2 * small.get_figheight() > 4


def test_every_picture_is_square_on_paper_and_inside_the_sheet():
    sheet = Sheet("title", Layout((1.0, 0.5, 1.0), 2, 0.9))
    for place in ((0, 0), (1, 2)):
        sheet.image(*place, IMAGE)
    figure = sheet.finish()
    figure.draw_without_rendering()
    for picture in sheet.axis.images:
        box = picture.get_window_extent()
        assert box.width == pytest.approx(box.height)
        assert 0 < box.x0 < box.x1 < figure.bbox.x1
        assert 0 < box.y0 < box.y1 < figure.bbox.y1
    assert len(figure.axes) == 1


def test_words_stand_over_their_picture():
    sheet = Sheet("title", Layout((1.5,), 1, 1.0, 1))
    sheet.image(0, 0, IMAGE, "cat", "red")
    figure = sheet.finish()
    figure.draw_without_rendering()
    (text,), (picture,) = sheet.axis.texts, sheet.axis.images
    assert text.get_color() == "red"
    assert text.get_window_extent().y0 > picture.get_window_extent().y1
    assert text.get_window_extent().y1 < figure.texts[0].get_window_extent().y0
