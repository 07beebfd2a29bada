import io
import sys

import numpy as np
import pytest
from PIL import Image

from darkroom.pictures import pillow_decoding
from darkroom.pictures.decoding import probe, read
from darkroom.pictures.notes import BadImage
from darkroom.pictures.pillow_decoding import decode_with_pillow
from tests import make
from tests.pictures import profiles


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


def telephone(form, image=None, **options):
    """A photograph as telephones write it."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    return make.encode(make.smooth(40, 64) if image is None else image, form, quality=95, **options)


@pytest.mark.parametrize("form", ["HEIF", "AVIF"])
@pytest.mark.parametrize("channels", [1, 3])
def test_photographs_of_telephones_are_decoded(form, channels):
    data = telephone(form)
    assert probe(data)[:3] == (64, 40, 3)
    pixels = read(data, channels)[0]
    expected = make.smooth(40, 64) if channels == 3 else np.asarray(Image.fromarray(make.smooth(40, 64)).convert("L"))
    assert np.abs(pixels.astype(int) - expected.reshape(pixels.shape)).mean() < 3


def test_an_avif_that_was_held_upright_is_turned():
    turned = Image.Exif()
    turned[0x112] = 6
    pixels, header, *_ = read(telephone("AVIF", exif=turned), 3)
    assert header[:2] == (40, 64)
    assert np.abs(pixels.astype(int) - np.rot90(make.smooth(40, 64), -1)).mean() < 3


@pytest.mark.parametrize("form", ["HEIF", "AVIF"])
def test_the_colour_profile_of_a_telephone_is_converted(form):
    profile = profiles.rgb_profile("Adobe", profiles.ADOBE, lambda values: values**2.2)
    assert read(telephone(form, icc_profile=profile), 3)[2].profile == "Adobe"


@pytest.mark.parametrize("form", ["HEIF", "AVIF"])
@pytest.mark.parametrize("tenth", range(10))
def test_a_photograph_cut_short_is_told(form, tenth):
    data = telephone(form)
    with pytest.raises(BadImage) as told:
        read(data[: len(data) * tenth // 10], 3)
    assert make.is_one_line(str(told.value))


@pytest.mark.parametrize("form", ["HEIF", "AVIF"])
def test_the_size_is_known_before_a_photograph_is_decoded(form, monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda picture: pytest.fail("it is decoded"))
    with pytest.raises(BadImage, match="it is 64x40, more than"):
        read(telephone_files[form], 3, max_pixels=2000)


telephone_files = {form: telephone(form) for form in ("HEIF", "AVIF")}


def test_without_the_package_one_sentence_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    pillow_decoding._register_heic.cache_clear()
    with pytest.raises(BadImage) as told:
        read(telephone_files["HEIF"], 3)
    assert str(told.value) == "it is HEIC, for which the package pillow-heif is needed: pip install pillow-heif"
    assert probe(telephone_files["AVIF"])
    pillow_decoding._register_heic.cache_clear()
