import io

import numpy as np
import pytest
from PIL import Image

from darkroom.pictures.notes import BadImage
from darkroom.pictures.pillow_decoding import decode_with_pillow


def encoded(array, form="PNG", mode=None):
    out = io.BytesIO()
    Image.fromarray(array, mode).save(out, form)
    return out.getvalue()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_ground_becomes_white(channels):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[0, 0, 3] = 255
    found, notes = decode_with_pillow(encoded(pixels), channels, None)[:2]
    assert found.shape[:2] == (4, 4)
    assert found[0, 0].max() == 0
    assert found[1, 1].min() == 255
    assert not notes.clear


def test_16_bits_are_spread_from_a_range():
    values = np.array([[0, 2048], [4095, 9000]], np.uint16)
    found, notes = decode_with_pillow(encoded(values, "TIFF"), 1, (0, 4095))[:2]
    assert found.tolist() == [[0, 128], [255, 255]]
    assert (notes.bits, notes.highest) == (16, 9000)


def test_damage_is_told():
    whole = encoded(np.zeros((32, 32, 4), np.uint8))
    with pytest.raises(BadImage, match="does not decode"):
        decode_with_pillow(whole[: len(whole) // 2], 3, None)
