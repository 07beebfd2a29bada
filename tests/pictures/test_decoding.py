import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from darkroom.pictures import decoding
from darkroom.pictures.colour_profiles import in_srgb
from darkroom.pictures.decoding import BadImage, Target, looks_like_image, probe
from darkroom.pictures.notes import NOTHING, Notes
from darkroom.pictures.resizing import resize
from tests import make
from tests.pictures import profiles


def decode(data, shape, **target):
    """The pixels of a file and its header."""
    return decoding.decode(data, Target(shape, **target))[:2]


LOSSLESS = ["PNG", "BMP", "TIFF", "PPM"]
LOSSY = ["JPEG", "WEBP", "GIF"]


def close(left, right, by=12):
    """The mean difference, for formats that lose something."""
    return np.abs(left.astype(int) - right.astype(int)).mean() < by


def chunk(kind, content):
    return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))


def png_head(width, height, depth=8, colour=0):
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2L5B", width, height, depth, colour, 0, 0, 0))


def png(rows, depth, colour, *chunks):
    """A PNG with any depth and colour type, written byte by byte; `rows` are bytes."""
    head = png_head(len(rows[0]) * 8 // (depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]), len(rows), depth, colour)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return head + b"".join(chunks) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("form", LOSSLESS)
@pytest.mark.parametrize("channels", [1, 3])
def test_lossless_formats_give_the_very_pixels(form, channels):
    image = make.pixels(9, 13, channels)
    decoded, found = decode(make.encode(image, form), (9, 13, channels))
    assert np.array_equal(decoded, image)
    assert (found.width, found.height, found.channels) == (13, 9, channels)


@pytest.mark.parametrize("form", LOSSY)
@pytest.mark.parametrize("channels", [1, 3])
def test_lossy_formats_give_nearly_the_pixels(form, channels):
    image = make.smooth(40, 30, channels)
    decoded, found = decode(make.encode(image, form), (40, 30, channels))
    assert close(decoded, image)
    assert (found.width, found.height) == (30, 40)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF", "PPM"])
def test_colours_come_as_red_green_blue(form):
    image = np.zeros((16, 16, 3), np.uint8)
    image[:] = (250, 100, 10)
    decoded, _ = decode(make.encode(image, form), (16, 16, 3))
    assert np.abs(decoded.astype(int) - (250, 100, 10)).max() < 16


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "WEBP", "TIFF"])
def test_colour_to_grey_and_grey_to_colour(form):
    colour = np.zeros((16, 16, 3), np.uint8)
    colour[:] = (200, 100, 50)
    grey, _ = decode(make.encode(colour, form), (16, 16, 1))
    assert grey.shape == (16, 16, 1)
    assert np.abs(grey.astype(int) - (0.299 * 200 + 0.587 * 100 + 0.114 * 50)).max() <= 4  # ITU-R BT.601
    back, _ = decode(make.encode(np.full((16, 16, 1), 77, np.uint8), form), (16, 16, 3))
    assert np.abs(back.astype(int) - 77).max() <= 4


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]), st.integers(1, 40), st.integers(1, 40))
def test_any_size_becomes_the_size_asked_for(height, width, channels, to_height, to_width):
    data = make.picture(1, height, width, channels)
    decoded, found = decode(data, (to_height, to_width, channels))
    assert decoded.shape == (to_height, to_width, channels)
    assert decoded.dtype == np.uint8
    assert decoded.flags.c_contiguous
    assert (found.width, found.height) == (width, height)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (2000, 3)])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP"])
def test_extreme_shapes(size, form):
    decoded, found = decode(make.encode(np.full((*size, 3), 90, np.uint8), form), (28, 28, 3))
    assert decoded.shape == (28, 28, 3)
    assert np.abs(decoded.astype(int) - 90).max() < 8
    assert (found.height, found.width) == size


def test_shrinking_averages():
    image = np.zeros((8, 8, 1), np.uint8)
    image[::2] = 200
    assert np.array_equal(decode(make.encode(image), (4, 4, 1))[0], np.full((4, 4, 1), 100))


def test_enlarging_stays_between_its_neighbours():
    decoded, _ = decode(make.encode(np.array([[[0], [200]]], np.uint8)), (1, 8, 1))
    assert (np.diff(decoded[0, :, 0].astype(int)) >= 0).all()
    assert decoded[0, 0, 0] == 0
    assert decoded[0, -1, 0] == 200


# Depths and palettes


def test_16_bit_grey_becomes_8():
    values = np.array([[0, 255, 256, 32768, 65535]], ">u2")
    decoded, found = decode(png([values.tobytes()], 16, 0), (1, 5, 1))
    assert decoded[0, :, 0].tolist() == [0, 0, 1, 128, 255]
    assert found.channels == 1


def test_16_bit_colour_becomes_8():
    values = np.array([[[65535, 32768, 256], [0, 255, 512]]], ">u2")
    decoded, _ = decode(png([values.tobytes()], 16, 2), (1, 2, 3))
    assert decoded[0].tolist() == [[255, 128, 1], [0, 0, 2]]


def test_16_bit_grey_in_other_formats():
    image = Image.fromarray(np.array([[0, 256, 32768, 65535]], np.uint16))
    for form in ("TIFF", "PPM"):
        assert decode(make.encode(image, form), (1, 4, 1))[0][0, :, 0].tolist() == [0, 1, 128, 255]


TWELVE = np.array([[0, 100, 1600, 3000, 4095, 5000]], np.uint16)  # of a sensor of 12 bits, but for the last
SPREAD = [0, 6, 100, 187, 255, 255]


def noted(data, shape, **target):
    return decoding.decode(data, Target(shape, **target))[2]


def tiff_16(pixels):
    """A TIFF of 16 bits and several channels, which Pillow cannot write. `pixels` are height x width x channels."""
    height, width, channels = pixels.shape
    body = pixels.astype("<u2").tobytes()
    end = 8 + len(body) + 2 + 12 * (11 if channels == 4 else 10) + 4
    short, long = (3, "<HHLHxx"), (4, "<HHLL")
    entries = [(256, long, width), (257, long, height), (258, None, end), (259, short, 1), (262, short, 2)]
    entries += [(273, long, 8), (274, short, 1), (277, short, channels), (278, long, height), (279, long, len(body))]
    entries += [(338, short, 2)] if channels == 4 else []  # the fourth channel is alpha
    directory = struct.pack("<H", len(entries))
    for tag, kind, value in entries:
        form, packing = kind or (3, "<HHLL")
        directory += struct.pack(packing, tag, form, 1 if kind else channels, value)
    return b"II*\0" + struct.pack("<L", 8 + len(body)) + body + directory + bytes(4) + b"\x10\0" * channels


GREY_16 = {
    "png": png([TWELVE.astype(">u2").tobytes()], 16, 0),
    "tiff": make.encode(Image.fromarray(TWELVE), "TIFF"),
    "pgm": make.encode(Image.fromarray(TWELVE), "PPM"),
}
COLOURS_16 = np.stack([TWELVE, TWELVE[:, ::-1], TWELVE // 2], axis=-1)
COLOUR_16 = {
    "png": png([COLOURS_16.astype(">u2").tobytes()], 16, 2),
    "tiff": tiff_16(COLOURS_16),
    "png with alpha": png([np.dstack([COLOURS_16, TWELVE * 0 + 65535]).astype(">u2").tobytes()], 16, 6),
    "tiff with alpha": tiff_16(np.dstack([COLOURS_16, TWELVE * 0 + 65535])),
}


@pytest.mark.parametrize("form", GREY_16)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_range_of_16_bits_is_spread(form, channels):
    spread, _ = decode(GREY_16[form], (1, 6, channels), range=(0, 4095))
    assert spread.tolist() == [[[value] * channels for value in SPREAD]]
    dark, _ = decode(GREY_16[form], (1, 6, channels))
    assert dark.tolist() == [[[value // 256] * channels for value in TWELVE[0].tolist()]]
    lifted, _ = decode(GREY_16[form], (1, 6, channels), range=(1600, 3000))
    assert lifted[0, :, 0].tolist() == [0, 0, 0, 255, 255, 255]


@pytest.mark.parametrize("form", COLOUR_16)
def test_a_range_of_16_bits_is_spread_in_colour(form):
    spread, _ = decode(COLOUR_16[form], (1, 6, 3), range=(0, 4095))
    assert spread[0, :, 0].tolist() == SPREAD
    assert spread[0, :, 1].tolist() == SPREAD[::-1]
    assert spread[0, :, 2].tolist() == [0, 3, 50, 93, 127, 156]
    assert np.array_equal(decode(COLOUR_16[form], (1, 6, 3))[0][0], COLOURS_16[0] >> 8)
    grey, _ = decode(COLOUR_16[form], (1, 6, 1), range=(0, 4095))
    # A PNG becomes grey before its values are spread, so that 5,000 counts in full.
    assert np.abs(grey[0, :, 0] - spread[0] @ np.array([0.299, 0.587, 0.114]))[1:-1].max() <= 1.5


@pytest.mark.parametrize("form", ["png", "tiff"])
def test_a_range_leaves_transparency_to_white(form):
    pixels = np.array([[[4095, 0, 0, 65535], [4095, 0, 0, 0]]], np.uint16)
    data = tiff_16(pixels) if form == "tiff" else png([pixels.astype(">u2").tobytes()], 16, 6)
    assert decode(data, (1, 2, 3), range=(0, 4095))[0].tolist() == [[[255, 0, 0], [255, 255, 255]]]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_range_leaves_8_bits_alone(form):
    data = make.picture(1, 9, 9, 3, form)
    assert np.array_equal(decode(data, (9, 9, 3), range=(0, 4095))[0], decode(data, (9, 9, 3))[0])


def test_colours_of_16_bits_that_do_not_decode_are_refused_where_a_range_needs_them(monkeypatch):
    monkeypatch.setattr(decoding.cv2, "imdecode", lambda data, flags: None)
    with pytest.raises(BadImage, match="its colours of 16 bits do not decode: save it as PNG"):
        decode(COLOUR_16["tiff"], (1, 6, 3), range=(0, 4095))
    assert noted(COLOUR_16["tiff"], (1, 6, 3)) == Notes(bits=16)  # the high bytes are there


# Notes


@pytest.mark.parametrize("form", GREY_16 | COLOUR_16)
@pytest.mark.parametrize("value_range", [None, (0, 4095)])
def test_the_highest_value_of_16_bits_is_noted(form, value_range):
    data = (GREY_16 | COLOUR_16)[form]
    assert noted(data, (1, 6, 3), range=value_range) == Notes(bits=16, highest=5000)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF", "PPM"])
@pytest.mark.parametrize("channels", [1, 3])
def test_nothing_is_noted_of_a_usual_picture(form, channels):
    for image in (make.pixels(9, 9, 1), make.pixels(9, 9, 3)):
        assert noted(make.encode(image, form), (9, 9, channels)) == NOTHING


def test_a_picture_whose_alpha_is_0_everywhere_keeps_its_colours():
    colours = make.pixels(9, 9, 3)
    for form in ("PNG", "TIFF", "WEBP"):
        options = {"lossless": True, "exact": True} if form == "WEBP" else {}
        clear = make.encode(np.dstack([colours, np.zeros((9, 9), np.uint8)]), form, **options)
        assert np.array_equal(decode(clear, (9, 9, 3))[0], colours)
        grey = np.asarray(Image.fromarray(colours).convert("L"))
        assert np.array_equal(decode(clear, (9, 9, 1))[0][..., 0], grey)
        assert noted(clear, (9, 9, 3)) == noted(clear, (9, 9, 1)) == Notes(clear=True)


def test_one_pixel_with_alpha_is_enough_for_white_around_it():
    alpha = np.zeros((9, 9), np.uint8)
    alpha[8, 8] = 1
    data = make.encode(np.dstack([make.pixels(9, 9, 3) // 2, alpha]))
    assert (decode(data, (9, 9, 3))[0].reshape(-1, 3)[:-1] == 255).all()
    assert noted(data, (9, 9, 3)) == NOTHING


def test_grey_whose_alpha_is_0_everywhere_keeps_its_values():
    data = make.encode(Image.fromarray(np.array([[[0, 0], [100, 0]]], np.uint8), "LA"))
    assert decode(data, (1, 2, 1))[0].ravel().tolist() == [0, 100]
    assert noted(data, (1, 2, 1)) == Notes(clear=True)


@pytest.mark.parametrize("how", ["squash", "crop", "pad"])
def test_a_picture_is_resized_as_the_target_says(how):
    image = make.pixels(8, 20, 3)
    assert np.array_equal(decode(make.encode(image), (5, 5, 3), resize=how)[0], resize(image, (5, 5, 3), how))


@pytest.mark.parametrize(
    ("depth", "row", "values"), [(1, b"\xa0", [255, 0, 255, 0, 0, 0, 0, 0]), (4, b"\x0f", [0, 255])]
)
def test_few_bits_of_grey_become_8(depth, row, values):
    assert decode(png([row], depth, 0), (1, len(values), 1))[0][0, :, 0].tolist() == values


@pytest.mark.parametrize("form", ["PNG", "GIF", "BMP", "TIFF"])
def test_a_palette_is_looked_up(form):
    image = Image.new("P", (4, 2), 1)
    image.putpalette([0, 0, 0, 250, 100, 10, 9, 9, 9])
    decoded, found = decode(make.encode(image, form), (2, 4, 3))
    assert np.array_equal(decoded, np.full((2, 4, 3), (250, 100, 10)))
    assert found.channels == 3  # of the colours it stands for
    grey, _ = decode(make.encode(image, form), (2, 4, 1))
    assert np.abs(grey.astype(int) - (0.299 * 250 + 0.587 * 100 + 0.114 * 10)).max() <= 1


@pytest.mark.parametrize("value", [200, 60_000, -5])
def test_whole_numbers_without_a_fixed_range_are_refused(value):
    """They came out black, or white where they were below zero."""
    with pytest.raises(BadImage, match="32-bit values, which have no fixed range"):
        decode(make.encode(Image.new("I", (4, 4), value), "TIFF"), (4, 4, 1))


def test_floating_point_values_are_refused():
    with pytest.raises(BadImage, match="floating-point"):
        decode(make.encode(Image.new("F", (4, 4), 0.5), "TIFF"), (4, 4, 1))


# Transparency: what is transparent becomes white


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_stands_before_white(form, channels):
    image = np.zeros((8, 8, 4), np.uint8)
    image[:4] = (0, 0, 0, 255)
    image[6:] = (0, 0, 0, 128)
    options = {"lossless": True} if form == "WEBP" else {}
    decoded, found = decode(make.encode(image, form, **options), (8, 8, channels))
    assert (decoded[:4] == 0).all()
    assert (decoded[4:6] == 255).all()
    assert np.abs(decoded[6:].astype(int) - 127).max() <= 1
    assert found.channels == 4


def test_grey_with_alpha():
    image = Image.fromarray(np.array([[[0, 255], [0, 0], [100, 255]]], np.uint8), "LA")
    decoded, found = decode(make.encode(image), (1, 3, 1))
    assert decoded[0, :, 0].tolist() == [0, 255, 100]
    assert found.channels == 2


def palette_png(*before):
    colours, alphas = b"\0\0\0\x0a\x14\x1e\xc8\x64\x32", b"\0\xff"
    return png([b"\0\1\2"], 8, 3, *before, chunk(b"PLTE", colours), chunk(b"tRNS", alphas))


def test_a_palette_with_transparency():
    decoded, _ = decode(palette_png(), (1, 3, 3))
    assert decoded[0].tolist() == [[255, 255, 255], [10, 20, 30], [200, 100, 50]]


def test_transparency_is_found_behind_a_long_colour_profile():
    profile = chunk(b"tEXt", b"Comment\0" + bytes(range(1, 200)) * 50)
    decoded, _ = decode(palette_png(profile), (1, 3, 3))
    assert decoded[0].tolist() == [[255, 255, 255], [10, 20, 30], [200, 100, 50]]


@pytest.mark.parametrize(("colour", "samples"), [(0, 1), (2, 3)])
def test_a_transparent_colour(colour, samples):
    """A grey or colour PNG may name one value that is transparent."""
    row = b"".join(bytes([value]) * samples for value in (0, 7, 200))
    decoded, _ = decode(png([row], 8, colour, chunk(b"tRNS", b"\0\7" * samples)), (1, 3, 3))
    assert decoded[0, :, 0].tolist() == [0, 255, 200]


def test_a_transparent_gif():
    image = Image.new("P", (3, 1))
    image.putpalette([0, 0, 0, 10, 20, 30, 200, 100, 50])
    image.putdata([0, 1, 2])
    decoded, _ = decode(make.encode(image, "GIF", transparency=0), (1, 3, 3))
    assert decoded[0].tolist() == [[255, 255, 255], [10, 20, 30], [200, 100, 50]]


def test_an_animation_is_its_first_frame():
    frames = [Image.new("RGB", (6, 6), colour) for colour in ("red", "blue")]
    for form in ("GIF", "WEBP", "PNG", "TIFF"):
        data = make.encode(frames[0], form, save_all=True, append_images=frames[1:])
        decoded, _ = decode(data, (6, 6, 3))
        assert decoded[3, 3, 0] > 200, form
        assert decoded[3, 3, 2] < 50, form


# JPEG


@pytest.mark.parametrize("colour", [(200, 40, 30), (20, 180, 60), (255, 255, 255), (0, 0, 0)])
def test_cmyk_has_the_right_colour(colour):
    image = Image.new("RGB", (16, 16), colour)
    decoded, found = decode(make.encode(image.convert("CMYK"), "JPEG", quality=95), (16, 16, 3))
    assert np.abs(decoded.astype(int) - colour).max() < 12
    assert found.channels == 4


@pytest.mark.parametrize("options", [{"progressive": True}, {"optimize": True}, {"subsampling": 2}, {"quality": 5}])
@pytest.mark.parametrize("channels", [1, 3])
def test_all_usual_jpegs_are_read(options, channels):
    image = make.smooth(33, 47, channels)
    data = make.encode(image, "JPEG", **options)
    decoded, found = decode(data, (33, 47, channels))
    assert close(decoded, image, 25)
    assert found[:3] == (47, 33, channels)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [1, 3])
def test_a_camera_held_sideways_is_corrected(orientation, channels):
    upright = make.smooth(24, 40, channels)
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = make.encode(np.ascontiguousarray(turned), "JPEG", exif=exif, quality=95)
    decoded, found = decode(data, (24, 40, channels))
    assert close(decoded, upright, 6)
    assert found[:2] == (40, 24)  # as a person sees it


def with_thumbnail(data, thumbnail):
    """A JPEG that carries another one in an application segment, as cameras write it."""
    content = b"Exif\0\0" + thumbnail
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + data[2:]


def test_a_jpeg_with_a_thumbnail_has_its_own_size():
    data = with_thumbnail(make.encode(make.smooth(40, 60), "JPEG"), make.encode(make.smooth(10, 10), "JPEG"))
    decoded, found = decode(data, (40, 60, 3))
    assert (found.width, found.height) == (60, 40)
    assert close(decoded, make.smooth(40, 60))


def test_fill_bytes_before_the_markers_of_a_jpeg_do_not_matter():
    at = JPEG.find(b"\xff\xdb")
    decoded, found = decode(JPEG[:at] + b"\xff" * 3 + JPEG[at:], (64, 64, 3))
    assert found[:3] == (64, 64, 3)
    assert close(decoded, make.smooth(64, 64))


@pytest.mark.parametrize("trailer", [b"\0", b"\n", b"\0" * 3000, bytes(range(256)) * 100, b"\xff\xd8junk" * 2000])
def test_bytes_after_the_end_of_a_jpeg_do_not_matter(trailer):
    """Phones append films, scanners append zeros."""
    image = make.smooth(20, 20)
    decoded, _ = decode(make.encode(image, "JPEG") + trailer, (20, 20, 3))
    assert close(decoded, image)


# Large JPEGs, decoded at a fraction of their size


@pytest.fixture
def flags(monkeypatch):
    """What OpenCV is asked for, call by call."""
    asked, imdecode = [], cv2.imdecode
    monkeypatch.setattr(decoding.cv2, "imdecode", lambda data, flag: (asked.append(flag), imdecode(data, flag))[1])
    return asked


def in_full(data, shape, how="squash"):
    """What decoding at full size gives, with the header; no conversion of colours is left to do."""
    pixels, header, _, _ = decoding.read(data, shape[2])
    return resize(pixels, shape, how), header


@pytest.mark.parametrize(("side", "bit"), [(61, 0), (60, 16), (31, 16), (30, 32), (15, 64), (1, 64)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_fraction_follows_from_the_target(side, bit, channels, flags):
    data = make.encode(make.smooth(240, 300), "JPEG")
    decode(data, (side, side, channels))
    assert flags == [bit + (256 if channels == 3 else 0)]


@pytest.mark.parametrize("form", ["PNG", "BMP", "WEBP", "TIFF"])
def test_other_formats_are_decoded_in_full(form, flags):
    data = make.encode(make.smooth(240, 300), form)
    decode(data, (8, 8, 3))
    assert all(flag < 16 or flag == cv2.IMREAD_COLOR_RGB for flag in flags)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 2}, {"subsampling": 0}])
@pytest.mark.parametrize("how", ["squash", "crop", "pad"])
@pytest.mark.parametrize(("stored", "channels"), [(1, 1), (1, 3), (3, 1), (3, 3)])
def test_a_fraction_gives_nearly_the_same_pixels(options, how, stored, channels, flags):
    data = make.encode(make.smooth(243, 333, stored), "JPEG", quality=95, **options)
    found, header = decode(data, (16, 16, channels), resize=how)
    assert flags[0] & (32 | 64)
    expected, original = in_full(data, (16, 16, channels), how)
    assert np.abs(found.astype(int) - expected).max() <= 2
    assert header == original == (333, 243, stored, True)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("how", ["squash", "crop", "pad"])
@pytest.mark.parametrize("shape", [(16, 16, 3), (12, 24, 1)])
def test_a_fraction_of_a_turned_picture_is_upright(orientation, how, shape, flags):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = make.encode(make.smooth(243, 401), "JPEG", exif=exif, quality=95)
    found, header = decode(data, shape, resize=how)
    assert flags[0] & 0x70
    expected, original = in_full(data, shape, how)
    assert np.abs(found.astype(int) - expected).max() <= 6
    assert header == original


@pytest.mark.parametrize("said", [1, 6])
def test_an_orientation_that_opencv_sees_otherwise_is_decoded_in_full(said, monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = 7 - said
    data = make.encode(make.smooth(240, 400), "JPEG", exif=exif)
    monkeypatch.setattr(decoding, "orientation_of", lambda data: said)
    found, header = decode(data, (16, 16, 3))
    expected, original = in_full(data, (16, 16, 3))
    assert np.array_equal(found, expected)
    assert header == original


def test_a_colour_profile_is_converted_from_a_fraction_too(flags):
    profile = profiles.rgb_profile("Adobe RGB (1998)", profiles.ADOBE, lambda values: values**2.2)
    data = make.encode(make.smooth(243, 333), "JPEG", quality=95, icc_profile=profile)
    found, header = decode(data, (16, 16, 3))
    assert flags[0] & 32
    pixels, _, notes, conversion = decoding.read(data, 3)
    expected = in_srgb(resize(pixels, (16, 16, 3)), conversion)
    assert np.abs(found.astype(int) - expected).max() <= 3
    assert header[:3] == (333, 243, 3)
    assert noted(data, (16, 16, 3)) == notes != NOTHING


JPEG = make.encode(make.smooth(64, 64), "JPEG")
PROGRESSIVE = make.encode(make.smooth(64, 64), "JPEG", progressive=True)
THUMBNAILED = with_thumbnail(JPEG, make.encode(make.smooth(8, 8), "JPEG"))
CMYK = make.encode(Image.fromarray(make.smooth(64, 64)).convert("CMYK"), "JPEG")
PNG = make.picture(1, 64, 64, 3)
WHOLE = {"jpeg": JPEG, "progressive": PROGRESSIVE, "thumbnail": THUMBNAILED, "cmyk": CMYK, "png": PNG}


@pytest.mark.parametrize("form", WHOLE)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [64, 4])  # at full size, at an eighth
@pytest.mark.parametrize("part", [0.01, 0.05, 0.1, 0.25, 0.5, 0.6, 0.75, 0.9, 0.99])
def test_a_file_cut_short_is_refused(form, channels, side, part):
    data = WHOLE[form]
    with pytest.raises(BadImage):
        decode(data[: int(len(data) * part)], (side, side, channels))


@pytest.mark.parametrize("form", WHOLE)
@pytest.mark.parametrize("side", [64, 16, 8, 4])
def test_a_file_that_lacks_its_last_bytes_is_refused(form, side):
    data = WHOLE[form]
    for missing in (*range(3, 40), *range(40, len(data), 97)):
        with pytest.raises(BadImage):
            decode(data[:-missing], (side, side, 3))


def test_a_transparent_png_cut_short_is_refused_or_unharmed():
    data = make.picture(1, 32, 32, 4)
    whole, _ = decode(data, (32, 32, 3))
    for missing in range(1, len(data), 13):
        try:
            decoded, _ = decode(data[:-missing], (32, 32, 3))
        except BadImage:
            continue
        assert missing < 20
        assert np.array_equal(decoded, whole)


@pytest.mark.parametrize("form", ["BMP", "WEBP", "TIFF", "PPM", "GIF"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.9])
def test_other_formats_cut_short_are_refused(form, part):
    data = make.picture(1, 64, 64, 3, form)
    with pytest.raises(BadImage):
        decode(data[: int(len(data) * part)], (64, 64, 3))


# Damage


def test_a_png_with_a_wrong_checksum_is_refused_or_unharmed():
    image = make.pixels(16, 16, 3)
    data = make.encode(image)
    for at in range(8, len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 0x10
        try:
            decoded, _ = decode(bytes(damaged), (16, 16, 3))
        except BadImage:
            continue
        assert np.array_equal(decoded, image), at


def test_a_png_that_lacks_a_piece_in_its_middle_is_refused():
    for at in range(60, len(PNG) - 100, 500):
        with pytest.raises(BadImage):
            decode(PNG[:at] + PNG[at + 50 :], (64, 64, 3))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it is empty"),
        (b"not a picture\n" * 20, "it is no picture of a known format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "it is no picture of a known format"),
        (b"%PDF-1.7\n", "it is no picture of a known format"),
        (b"\xff\xd8", "cut short"),
        (b"\xff\xd8\xff\xd9", "cut short"),
        (b"\x89PNG\r\n\x1a\n", "cut short"),
        (png_head(8, 8), "damaged or cut short"),
        (png_head(8, 8) + chunk(b"IEND", b""), "damaged or cut short"),
        (png_head(8, 8, 8, 5) + chunk(b"IEND", b""), "no valid PNG"),
        (png_head(0, 8) + chunk(b"IEND", b""), "it has no pixels"),
        (b"BM" + bytes(100), "."),
        (b"GIF89a" + bytes(4), "."),
        (b"II*\0" + bytes(20), "."),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "."),
        (b"P5 0 0 255\n", "."),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_no_picture_is_refused_with_a_reason(data, says, channels):
    with pytest.raises(BadImage, match=says) as caught:
        decode(data, (8, 8, channels))
    assert make.is_one_line(str(caught.value))


def test_a_lossless_jpeg_is_refused_with_advice():
    at = JPEG.find(b"\xff\xc0")
    with pytest.raises(BadImage, match="save it as usual JPEG"):
        decode(JPEG[:at] + b"\xff\xc3" + JPEG[at + 2 :], (8, 8, 3))


def test_a_huge_picture_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(decoding.cv2, "imdecode", None)
    bomb = png_head(40_000, 40_000, 8, 2) + chunk(b"IDAT", zlib.compress(bytes(10_000))) + chunk(b"IEND", b"")
    with pytest.raises(BadImage, match=r"it is 40000x40000, more than extract\.max_pixels allows"):
        decode(bomb, (28, 28, 3))
    at = JPEG.find(b"\xff\xc0")
    bomb = JPEG[: at + 5] + struct.pack(">2H", 65_000, 65_000) + JPEG[at + 9 :]
    with pytest.raises(BadImage, match="it is 65000x65000"):
        decode(bomb, (28, 28, 3))


@pytest.mark.parametrize("at", [33, 8, -12])
def test_a_chunk_longer_than_the_file_is_refused_before_memory_is_taken_for_it(monkeypatch, at):
    monkeypatch.setattr(decoding.cv2, "imdecode", None)
    data = bytearray(make.picture(1))
    data[at] = 0xFF
    with pytest.raises(BadImage, match="it is cut short or no PNG"):
        decode(bytes(data), (8, 8, 1))


def test_a_huge_bitmap_is_refused_before_it_is_decoded():
    data = bytearray(make.picture(1, 4, 4, 3, "BMP"))
    struct.pack_into("<2l", data, 18, 40_000, 40_000)
    with pytest.raises(BadImage, match="it is 40000x40000"):
        decode(bytes(data), (28, 28, 3))


def test_the_limit_of_pixels_is_exact():
    data = make.picture(1, 10, 10)
    assert decode(data, (8, 8, 1), max_pixels=100)
    with pytest.raises(BadImage, match="it is 10x10"):
        decode(data, (8, 8, 1), max_pixels=99)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF", "PPM"])
@given(data=st.data())
def test_damage_anywhere_gives_a_picture_or_a_reason(form, data):
    whole = bytearray(make.picture(1, 12, 12, 3, form))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded, _ = decode(bytes(whole), (8, 8, 3), max_pixels=10_000)
    except BadImage:
        return
    assert decoded.shape == (8, 8, 3)


@given(
    st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", png_head(3, 3)]), st.binary(max_size=80)
)
def test_any_bytes_give_a_picture_or_a_reason(start, rest):
    try:
        decoded, _ = decode(start + rest, (8, 8, 1), max_pixels=10_000)
    except BadImage:
        return
    assert decoded.shape == (8, 8, 1)


def test_opencv_does_not_talk_about_damage_itself(capfd):
    for data in (PNG, JPEG):
        for part in (0.3, 0.6, 0.9):
            with pytest.raises(BadImage):
                decode(data[: int(len(data) * part)], (64, 64, 3))
    assert "WARN" not in capfd.readouterr().err


def test_bytes_after_the_end_of_a_png_do_not_matter():
    image = make.pixels(9, 9, 3)
    assert np.array_equal(decode(make.encode(image) + b"junk" * 300, (9, 9, 3))[0], image)


def test_equal_heads_do_not_share_what_differs():
    """The head of a JPEG is looked up by its first bytes: the same bytes, the same facts."""
    small, large = make.picture(1, 20, 30, 1, "JPEG"), make.picture(1, 30, 20, 1, "JPEG")
    for _ in range(2):
        assert probe(small)[:3] == (30, 20, 1)
        assert probe(large)[:3] == (20, 30, 1)


@pytest.mark.parametrize(
    ("path", "looks"),
    [
        ("a/b.jpg", True),
        ("a/b.JPEG", True),
        ("b.png", True),
        ("a.b/c.tiff", True),
        ("a/b.txt", False),
        ("a/jpg", False),
        ("jpg", False),
        ("", False),
        ("a/.b.jpg", False),
        (".b.jpg", False),
        ("a/.hidden/b.jpg", False),
        ("__MACOSX/a/b.jpg", False),
        ("a/__MACOSX/b.jpg", False),
        ("a/._b.jpg", False),
        ("a/b.jpg/c", False),
        ("a/Thumbs.db", False),
        ("a/IMG_1.HEIC", True),
        ("a/b.heif", True),
        ("a/b.avif", True),
        ("a/b.dcm", True),
        ("a/b.DICOM", True),
    ],
)
def test_a_picture_is_known_by_its_path(path, looks):
    assert looks_like_image(path) is looks


@pytest.mark.parametrize("name", ["pixels.npy", "a.zip", "a.svg"])
def test_other_files_are_no_pictures(name):
    assert not looks_like_image(name)


def test_pillow_is_given_no_other_format():
    """Formats that run programs or read other files stay closed, whatever a file calls itself."""
    image = Image.new("RGB", (4, 4))
    for form in ("EPS", "PDF", "ICO", "PCX"):
        file = io.BytesIO()
        image.save(file, form)
        with pytest.raises(BadImage, match="no picture of a known format"):
            decode(file.getvalue(), (4, 4, 3))


def test_what_pillow_logs_of_a_damaged_file_stands_nowhere(caplog):
    tiff = bytearray(make.picture(channels=3, form="TIFF"))
    at = tiff.index(struct.pack("<HHI", 277, 3, 1))  # the entry for samples per pixel
    tiff[at + 8 : at + 10] = struct.pack("<H", 2048)
    with pytest.raises(BadImage):
        decoding.read(bytes(tiff), 3)
    assert not caplog.records
