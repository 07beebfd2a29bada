import base64
import io

import numpy as np
import pytest
from jinja2 import UndefinedError
from PIL import Image

from darkroom.report import rendering
from darkroom.report.rendering import picture, render, thumbnail
from tests import make


def content(uri):
    kind, data = uri.split(";base64,")
    return kind, base64.b64decode(data)


def opened(uri):
    return Image.open(io.BytesIO(content(uri)[1]))


def test_a_page_and_a_card_escape_names(tmp_path, monkeypatch):
    monkeypatch.setattr(rendering, "TEMPLATES", tmp_path)
    for name in ("page.html.j2", "card.md.j2"):
        (tmp_path / name).write_text("{{ name }}\n")
    assert render("page.html.j2", name="<script>") == "&lt;script&gt;\n"
    assert render("card.md.j2", name="<script>") == "&lt;script>\n"
    with pytest.raises(UndefinedError):
        render("page.html.j2")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a|b", r"a\|b"),
        ("`x`", r"\`x\`"),
        ("two\nlines\r\n\u2028more", "two lines more"),
        ("[z](javascript:alert(1))", r"\[z\](javascript:alert(1))"),
        ("*y* _x_ ~~s~~ $m$", r"\*y\* \_x\_ \~\~s\~\~ \$m\$"),
        ("back\\slash", r"back\\slash"),
        ("# head", r"\# head"),
        ("&lt;script&gt;", r"\&lt;script\&gt;"),
        ("\x1b[31mred", r" \[31mred"),
        ("c&d, class_3, 28 x 28 (1 > 0) {{7*7}}", r"c\&d, class_3, 28 x 28 (1 > 0) {{7\*7}}"),
        (-0.5, "-0.5"),
    ],
)
def test_a_card_shows_names_letter_by_letter(tmp_path, monkeypatch, name, written):
    monkeypatch.setattr(rendering, "TEMPLATES", tmp_path)
    (tmp_path / "card.md.j2").write_text("{{ name }}")
    assert render("card.md.j2", name=name) == written


def test_a_part_stands_in_a_page_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(rendering, "TEMPLATES", tmp_path)
    (tmp_path / "page.html.j2").write_text("{{ script }}")
    (tmp_path / "page.js").write_text("1 < 2 && 3")
    assert render("page.html.j2", script=rendering.part("page.js")) == "1 < 2 && 3"


def test_a_small_picture_is_kept_byte_by_byte(tmp_path):
    file = tmp_path / "small.png"
    file.write_bytes(make.encode(make.smooth(20, 30)))
    found = picture(file, "words")
    assert content(found.uri) == ("data:image/png", file.read_bytes())
    assert (found.alt, found.width, found.height) == ("words", 30, 20)


def test_a_large_picture_becomes_smaller_and_keeps_its_size_in_pixels(tmp_path):
    file = tmp_path / "large.png"
    file.write_bytes(make.encode(make.pixels(400, 500, 3)))
    assert file.stat().st_size > rendering.LARGE
    found = picture(file, "")
    kind, data = content(found.uri)
    assert kind == "data:image/webp"
    assert len(data) < file.stat().st_size
    assert opened(found.uri).size == (found.width, found.height) == (500, 400)


def test_a_picture_too_long_for_webp_stays_as_it_is(tmp_path):
    """The bars of a thousand classes stand in a picture of 26,000 pixels."""
    file = tmp_path / "long.png"
    file.write_bytes(make.encode(make.pixels(16_384, 20)))
    assert file.stat().st_size > rendering.LARGE
    found = picture(file, "")
    assert content(found.uri) == ("data:image/png", file.read_bytes())
    assert (found.width, found.height) == (20, 16_384)


def test_no_picture_without_a_file(tmp_path):
    assert picture(tmp_path / "none.png", "") is None


@pytest.mark.parametrize("channels", [1, 3])
def test_a_thumbnail_of_few_pixels_is_exact(channels):
    image = make.pixels(28, 20, channels)
    shown = np.asarray(opened(thumbnail(image)))
    np.testing.assert_array_equal(shown, image[..., 0] if channels == 1 else image)


@pytest.mark.parametrize(
    ("shape", "size"), [((300, 150, 3), (48, 96)), ((90, 90, 3), (90, 90)), ((1, 5000, 1), (96, 1))]
)
def test_a_thumbnail_of_many_pixels_is_small_and_keeps_the_form(shape, size):
    assert opened(thumbnail(make.pixels(*shape))).size == size


def test_a_thumbnail_keeps_the_colours():
    red = np.full((200, 200, 3), (250, 10, 10), np.uint8)
    assert opened(thumbnail(red)).getpixel((48, 48)) == pytest.approx((250, 10, 10), abs=3)
