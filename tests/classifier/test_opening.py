import cv2
import numpy as np
import pytest

from darkroom.base.errors import UserError
from darkroom.classifier.opening import Reading, content
from darkroom.pictures import decoding
from darkroom.pictures.decoding import Target, decode
from tests import make


@pytest.fixture
def flags(monkeypatch):
    """What OpenCV is asked for, call by call."""
    asked, imdecode = [], cv2.imdecode
    monkeypatch.setattr(decoding.cv2, "imdecode", lambda data, flag: (asked.append(flag), imdecode(data, flag))[1])
    return asked


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("how", ["squash", "crop", "pad"])
def test_a_picture_is_decoded_once_and_as_the_training_saw_it(channels, how, flags):
    target = Target((16, 16, channels), how)
    data = make.encode(make.smooth(130, 260), "JPEG")
    opened = Reading(target).open(data)
    assert len(flags) == 1
    assert flags[0] & (32 | 64)  # a quarter or an eighth
    assert np.array_equal(opened.stored, decode(data, target)[0])
    assert (opened.aspect, opened.channels, opened.inverted) == (2, 3, False)


def test_the_source_is_a_path_or_bytes_never_pixels(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(make.picture(1, 9, 9, 3))
    reading = Reading(Target((8, 8, 3)))
    assert reading.open(file).source == file
    assert reading.open(file.read_bytes()).source == file.read_bytes()
    assert isinstance(reading.open(make.pixels(9, 9, 3)).source, bytes)


def test_the_negative_is_that_of_what_the_network_gets():
    reading, data = Reading(Target((8, 8, 3))), make.picture(1, 20, 30, 3)
    plain, negative = reading.open(data), reading.open(data, invert=True)
    assert np.array_equal(negative.stored, 255 - plain.stored)
    assert negative.inverted


def test_a_fitted_picture_has_the_shape_of_the_training():
    paper = np.full((60, 120, 1), 230, np.uint8)
    paper[15:40, 40:50] = 20
    opened = Reading(Target((20, 30, 1)), extent=0.5).open(paper, fit=True)
    assert opened.aspect == 1.5
    assert (opened.stored > 0).any(axis=1).sum() == 10  # half of 20
    dark = Reading(Target((20, 30, 1)), light=False, extent=0.5).open(paper, fit=True)
    assert np.array_equal(dark.stored, 255 - opened.stored)


def test_what_cannot_be_used_is_called_by_its_name(tmp_path):
    reading = Reading(Target((8, 8, 1)))
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(UserError, match=r"text\.jpg cannot be used: it is no picture"):
        reading.open(tmp_path / "text.jpg")
    with pytest.raises(UserError, match="standard input cannot be used: it is empty"):
        reading.open(b"", name="standard input")
    with pytest.raises(UserError, match="the picture: nothing stands out"):
        reading.open(np.full((9, 9), 3, np.uint8), fit=True)


def test_files_that_cannot_be_read_are_named(tmp_path):
    assert content(b"x") == b"x"
    with pytest.raises(UserError, match=f"{tmp_path} is a folder: name the pictures in it"):
        content(tmp_path)
    with pytest.raises(UserError, match="there is no picture"):
        content(str(tmp_path / "none.png"))
