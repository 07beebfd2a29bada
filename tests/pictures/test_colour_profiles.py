import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from darkroom.pictures.colour_profiles import read_profile
from darkroom.pictures.decoding import Target, decode
from darkroom.pictures.notes import NOTHING, Notes
from darkroom.pictures.resizing import resize
from tests import make
from tests.pictures import profiles

SRGB = profiles.rgb_profile("sRGB IEC61966-2.1", profiles.SRGB, profiles.srgb_light)
ADOBE = profiles.rgb_profile("Adobe RGB (1998)", profiles.ADOBE, lambda values: values**2.19921875)
LONG = profiles.rgb_profile("x" * 70_000, profiles.ADOBE, lambda values: values**2.2)
PRESS = profiles.cmyk_profile("A press")
FORMS = {"PNG": {}, "JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}, "TIFF": {}}


def of(data, channels=3):
    """The pixels of a file of 16 x 16, as whole numbers with a sign, and what was noted."""
    pixels, _, notes = decode(data, Target((16, 16, channels)))
    return pixels.astype(int), notes


def as_srgb(colours):
    """What Adobe RGB means in sRGB, by the definitions of both; colours outside of sRGB are cut off."""
    light = (colours / 255) ** 2.19921875 @ np.array(profiles.ADOBE) @ np.linalg.inv(np.array(profiles.SRGB))
    light = light.clip(0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("form", FORMS)
def test_other_colours_become_those_of_srgb(form):
    colours = make.smooth(16, 16) // 2 + 60
    plain, _ = of(make.encode(colours, form, **FORMS[form]))
    converted, notes = of(make.encode(colours, form, icc_profile=ADOBE, **FORMS[form]))
    assert notes == Notes(profile="Adobe RGB (1998)")
    assert np.abs(converted - as_srgb(plain)).max() <= 2
    assert np.abs(converted - plain).max() > 10


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("profile", [SRGB, profiles.rgb_profile("c2", profiles.SRGB, profiles.srgb_light)])
def test_srgb_under_any_name_changes_nothing(form, profile):
    image = make.smooth(16, 16)
    converted, notes = of(make.encode(image, form, icc_profile=profile, **FORMS[form]))
    assert notes == NOTHING
    assert np.array_equal(converted, of(make.encode(image, form, **FORMS[form]))[0])


def test_a_profile_in_several_parts_of_a_jpeg_is_joined():
    data = make.encode(make.smooth(16, 16), "JPEG", icc_profile=LONG)
    assert data.count(b"ICC_PROFILE\0") == 2
    assert of(data)[1].profile == "x" * 60


def test_a_profile_that_lacks_a_part_is_damaged():
    data = make.encode(make.smooth(16, 16), "JPEG", icc_profile=LONG)
    second = data.rfind(b"\xff\xe2", 0, data.rfind(b"ICC_PROFILE\0"))
    length = int.from_bytes(data[second + 2 : second + 4], "big")
    assert of(data[:second] + data[second + 2 + length :])[1] == Notes(damaged_profile=True)


def test_colours_are_converted_at_the_final_size():
    """A photo of 12 million pixels would take ten times as long."""
    image = make.pixels(64, 64, 3)
    converted, _, notes = decode(make.encode(image, icc_profile=ADOBE), Target((16, 16, 3)))
    assert notes.profile == "Adobe RGB (1998)"
    shrunk = resize(image, (16, 16, 3))
    assert np.array_equal(converted, of(make.encode(shrunk, icc_profile=ADOBE))[0])


def test_colours_of_a_palette_are_converted():
    image = Image.new("P", (16, 16), 1)
    image.putpalette([0, 0, 0, 200, 40, 30])
    converted, notes = of(make.encode(image, icc_profile=ADOBE))
    assert notes.profile == "Adobe RGB (1998)"
    assert np.abs(converted[0, 0] - as_srgb(np.array([200, 40, 30]))).max() <= 2


def test_colours_with_alpha_are_converted():
    image = np.dstack([make.smooth(16, 16), np.full((16, 16), 255, np.uint8)])
    converted, notes = of(make.encode(image, icc_profile=ADOBE))
    assert notes.profile == "Adobe RGB (1998)"
    assert np.array_equal(converted, of(make.encode(image[..., :3], icc_profile=ADOBE))[0])


def test_white_stays_white():
    """Screens differ in their white, to which the eye adapts."""
    warm = profiles.rgb_profile("warm", profiles.ADOBE, np.square, white=(1.0, 1.0, 0.6))
    converted, notes = of(make.encode(np.full((16, 16, 3), 255, np.uint8), icc_profile=warm))
    assert notes.profile == "warm"
    assert (converted == 255).all()


def test_inks_become_colours():
    """The darkest grey of a press becomes black."""
    for ink, grey in ((0, 255), (128, 129), (255, 0)):  # half the ink has a lightness of 55, or 54 with a true black
        data = make.encode(Image.new("CMYK", (16, 16), (0, 0, 0, ink)), "JPEG", icc_profile=PRESS)
        converted, notes = of(data)
        assert notes.profile == "A press"
        assert np.abs(converted - grey).max() <= 2


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("profile", [b"no profile at all", SRGB[:200], PRESS, bytes(4000)])
def test_a_profile_that_is_damaged_or_of_other_colours_is_ignored_and_noted(form, profile):
    image = make.smooth(16, 16)
    pixels, notes = of(make.encode(image, form, icc_profile=profile, **FORMS[form]))
    assert notes == Notes(damaged_profile=True)
    assert np.array_equal(pixels, of(make.encode(image, form, **FORMS[form]))[0])


def test_a_profile_with_a_wrong_checksum_is_ignored_and_noted():
    image = make.pixels(16, 16, 3)
    data = bytearray(make.encode(image, icc_profile=ADOBE))
    data[data.index(b"iCCP") + 30] ^= 1
    pixels, notes = of(bytes(data))
    assert notes == Notes(damaged_profile=True)
    assert np.array_equal(pixels, image)


def test_a_damaged_profile_of_inks_is_ignored_and_noted():
    image = Image.new("CMYK", (16, 16), (0, 0, 0, 128))
    pixels, notes = of(make.encode(image, "JPEG", icc_profile=SRGB))
    assert notes == Notes(damaged_profile=True)
    assert np.array_equal(pixels, of(make.encode(image, "JPEG"))[0])


@pytest.mark.parametrize(
    ("channels", "to", "form"), [(1, 3, "PNG"), (1, 3, "JPEG"), (1, 3, "TIFF"), *((3, 1, form) for form in FORMS)]
)
def test_grey_pictures_and_grey_targets_are_left_alone(channels, to, form):
    """WebP is missing among the grey: it stores colours always."""
    image = make.smooth(16, 16, channels)
    pixels, notes = of(make.encode(image, form, icc_profile=ADOBE, **FORMS[form]), to)
    assert notes == NOTHING
    assert np.array_equal(pixels, of(make.encode(image, form, **FORMS[form]), to)[0])


def test_the_name_of_a_profile_is_one_short_line():
    found = read_profile(profiles.rgb_profile("a\nb\x1b[31m" + "c" * 200, profiles.ADOBE, np.square), "RGB")
    assert make.is_one_line(found.name)
    assert len(found.name) == 60
    assert read_profile(profiles.rgb_profile("", profiles.ADOBE, np.square), "RGB").name == "without a name"


def test_a_png_that_only_mentions_a_profile_has_none():
    image = make.pixels(16, 16, 3)
    data = make.encode(image)
    said = b"tEXtComment\0iCCP"
    said = struct.pack(">L", len(said) - 4) + said + struct.pack(">L", zlib.crc32(said))
    pixels, notes = of(data[:33] + said + data[33:])
    assert notes == NOTHING
    assert np.array_equal(pixels, image)
