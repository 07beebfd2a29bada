"""Letters that Matplotlib's font lacks, and how wide words are."""

import pytest
from matplotlib.figure import Figure

from darkroom.drawing import fonts


@pytest.fixture
def no_fonts(monkeypatch):
    monkeypatch.setattr(fonts, "_fonts", list)


def figure_of(*words):
    figure = Figure()
    return figure, [figure.text(0.1, 0.1, word) for word in words]


def test_words_of_matplotlibs_own_font_stay_as_they_are():
    figure, (text,) = figure_of("Grüße, κόσμε, мир → 100 %\nnext")
    before = text.get_fontfamily()
    fonts.fit(figure)
    assert text.get_fontfamily() == before


@pytest.mark.parametrize("word", ["猫", "貓", "개", "ねこ", "हिन्दी", "ไทย", "বাংলা"])
def test_other_scripts_get_a_font_of_the_lock(word, capsys):
    pytest.importorskip("manimgx_fonts")
    pytest.importorskip("noto_cjk_sans_jp_regular")
    figure, (text, other) = figure_of(word, "cat")
    fonts.fit(figure)
    own, *more = text.get_fontfamily()
    assert own == fonts.OWN
    assert more
    assert all(name.startswith("Darkroom ") for name in more)
    assert other.get_fontfamily() != text.get_fontfamily()
    assert 0 < fonts.width(word, 8) <= len(word) * 8 / 72
    assert capsys.readouterr().err == ""


def test_a_letter_without_a_font_is_told(no_fonts, capsys):
    fonts.fit(figure_of("猫猫", "a 犬")[0])
    assert (
        "no font for 2 letters of the names in a picture, which stand there as boxes: 犬 猫" in capsys.readouterr().err
    )


def test_capitals_are_cut_by_their_width_not_by_their_number():
    for word in ("WWWWWWWWWWWWWWWWWWWW", "iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii"):
        cut = fonts.cut(word, 1.0, 8)
        assert cut.endswith("…")
        assert 0.8 < fonts.width(cut, 8) <= 1.0
    assert fonts.cut("short", 1.0, 8) == "short"
    assert fonts.width("abc", 16) == pytest.approx(2 * fonts.width("abc", 8))


def test_a_letter_without_a_font_is_as_wide_as_a_box(no_fonts):
    fonts._ems.cache_clear()
    assert fonts.width("猫", 72) == 1.0
    fonts._ems.cache_clear()
