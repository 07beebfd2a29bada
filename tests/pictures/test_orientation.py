import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from darkroom.pictures.orientation import TURNED, mirrored, orientation_of
from tests import make


def jpeg(orientation, order="<", side=(24, 40)):
    """A JPEG with the tag third in its directory."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    tags = [(0x010E, 2, 1, 0), (0x0110, 2, 1, 0), (0x0112, 3, 1, orientation)]
    packed = [struct.pack(f"{order}HHLHxx", *tag) for tag in tags]
    exif = mark + struct.pack(f"{order}LH", 8, len(tags)) + b"".join(packed) + bytes(4)
    return make.encode(make.smooth(*side), "JPEG", exif=b"Exif\0\0" + exif, quality=95)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_tag_is_read_in_both_orders_of_bytes(orientation, order):
    assert orientation_of(jpeg(orientation, order)) == orientation


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_tells_how_opencv_turns_a_picture(orientation):
    """A corner that is lit lies at the start of the axes, if they do not run the other way."""
    data = jpeg(orientation)
    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
    stored, upright = (cv2.imdecode(np.frombuffer(data, np.uint8), flag) for flag in (flags, cv2.IMREAD_GRAYSCALE))
    turned = stored.T if orientation in TURNED else stored
    ways = tuple(slice(None, None, -1 if against else 1) for against in mirrored(orientation))
    assert np.array_equal(upright, turned[ways])


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_impossible_value_is_upright(value):
    assert orientation_of(jpeg(value)) == 1


def test_a_picture_without_the_tag_is_upright():
    exif = Image.Exif()
    exif[0x010E] = "a cat"
    for data in (make.picture(1, form="JPEG"), make.encode(make.smooth(9, 9), "JPEG", exif=exif), b"\xff\xd8", b""):
        assert orientation_of(data) == 1


@given(st.data())
def test_damage_anywhere_gives_an_orientation(data):
    whole = bytearray(jpeg(6, side=(8, 8)))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(2, 90))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    assert orientation_of(cut) in range(1, 9)
