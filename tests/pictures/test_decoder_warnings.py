import re
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from darkroom.pictures.decoder_warnings import decoder_warnings, mark, warned_since, warning_of
from darkroom.pictures.decoding import Target, decode
from darkroom.pictures.notes import BadImage
from tests import make
from tests.pictures import profiles

PICTURE = Image.fromarray(make.pixels(64, 64, 3))
FORMS = {
    "baseline": make.encode(PICTURE, "JPEG"),
    "progressive": make.encode(PICTURE, "JPEG", progressive=True),
    "restarts": make.encode(PICTURE, "JPEG", restart_marker_blocks=3),
    "grey": make.encode(PICTURE.convert("L"), "JPEG"),
    "cmyk": make.encode(PICTURE.convert("CMYK"), "JPEG"),
}
SOUND = FORMS["baseline"]
MARKED = SOUND[:-2] + bytes(9) + SOUND[-2:]  # nine bytes too many before the end


def closed(data, part):
    """A file cut short, and closed with an end mark."""
    return data[: int(len(data) * part)] + b"\xff\xd9"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("part", [0.45, 0.7, 0.9, 0.99])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_jpeg_that_ends_early_is_noticed_and_refused(form, part, channels):
    data = closed(FORMS[form], part)
    with decoder_warnings():
        before = mark()
        try:
            decode(data, Target((8, 8, channels)))  # the decoder makes up the rest
        except BadImage:
            return  # the cut goes through a table, without which the decoder stops
        assert warned_since(before)
        with pytest.raises(BadImage, match="its data end early: a part of the picture is missing"):
            warning_of(data)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("trailer", [b"", b"\0" * 3000, b"\xff\xd8junk" * 20])
def test_a_sound_jpeg_says_nothing(form, trailer):
    data = FORMS[form] + trailer
    with decoder_warnings():
        before = mark()
        decode(data, Target((8, 8, 3)))
        assert not warned_since(before)
        assert warning_of(data) == ""


def test_other_faults_are_told_and_no_reason_to_refuse():
    with decoder_warnings():
        before = mark()
        decode(MARKED, Target((8, 8, 3)))
        assert warned_since(before)
        assert re.fullmatch(r"Corrupt JPEG data: \d+ extraneous bytes before marker 0xd9", warning_of(MARKED))


@given(part=st.floats(0.4, 1))
def test_wherever_a_jpeg_ends_it_is_refused_or_whole(part):
    whole = decode(SOUND, Target((64, 64, 3)))[0]
    data = closed(SOUND, part)
    with decoder_warnings():
        try:
            assert warning_of(data) == ""
        except BadImage:
            return
        found = decode(data, Target((64, 64, 3)))[0]
    assert (found == whole).all()


def test_a_warning_of_any_thread_is_seen():
    with decoder_warnings(), ThreadPoolExecutor(4) as pool:
        before = mark()
        list(pool.map(lambda data: decode(data, Target((8, 8, 3))), [SOUND] * 40))
        assert not warned_since(before)
        list(pool.map(lambda data: decode(data, Target((8, 8, 3))), [*[SOUND] * 20, MARKED, *[SOUND] * 20]))
        assert warned_since(before)
        assert not warned_since(mark())


def test_a_warning_of_one_file_is_no_trace_of_the_next():
    with decoder_warnings():
        before = mark()
        assert warning_of(MARKED)
        assert not warned_since(before)
        assert warning_of(SOUND) == ""


@pytest.mark.parametrize("form", ["PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_other_formats_have_no_warnings(form):
    assert warning_of(make.encode(PICTURE, form)[:600]) == ""


def test_a_png_that_is_warned_of_is_sound():
    """libpng warns of what lies beside the pixels, and refuses damage to them."""
    data = make.encode(PICTURE, icc_profile=profiles.cmyk_profile("A press"))
    with decoder_warnings():
        before = mark()
        decode(data, Target((8, 8, 3)))
        assert warned_since(before)
        assert warning_of(data) == ""


def test_what_python_says_is_still_shown(capfd):
    with decoder_warnings():
        print("for a person", file=sys.stderr)
        decode(MARKED, Target((8, 8, 3)))
    decode(SOUND, Target((8, 8, 3)))
    assert capfd.readouterr().err == "for a person\n"


def test_nothing_was_said_where_nobody_listens(capfd):
    """Descriptor 2 may be a terminal, or closed to everyone by `silent_libraries`."""
    from darkroom.base.console import silent_libraries

    with silent_libraries():
        before = mark()
        decode(MARKED, Target((8, 8, 3)))
        assert before == 0
        assert not warned_since(before)
        assert warning_of(MARKED)
