import pytest
from PIL import Image

from darkroom.drawing import style
from tests import make


def test_a_picture_is_written_whole_and_holds_no_date(tmp_path):
    figure = style.new_figure(2, 1)
    figure.suptitle("漢 and $5 or $10")  # a letter that the font lacks, and no formula
    for name in ("a.png", "b.png"):
        style.save(figure, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (2 * style.DPI, style.DPI)
        assert not {"Software", "Creation Time"} & set(picture.info)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


@pytest.mark.parametrize(("channels", "shape"), [(1, (6, 5)), (3, (6, 5, 3))])
def test_an_image_is_shown_from_black_to_white(channels, shape):
    axis = style.new_figure(1, 1).subplots()
    style.show_image(axis, make.pixels(6, 5, channels) // 4)
    (shown,) = axis.images
    assert shown.get_array().shape == shape
    assert shown.get_clim() == (0, 255)


def test_long_names_are_cut_and_long_headings_keep_their_end():
    assert style.short("short") == "short"
    assert style.short("a" * 25) == "a" * 23 + "…"
    lines = style.wrapped(" ".join(["word"] * 100) + " 17").splitlines()
    assert len(lines) == 8
    assert lines[4] == "…"
    assert lines[-1].endswith("17")
