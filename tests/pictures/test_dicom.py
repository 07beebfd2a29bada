import io
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from darkroom.pictures import dicom as module
from darkroom.pictures.decoding import BadImage, Target, decode, probe, read
from darkroom.pictures.dicom import NEEDED
from tests import make
from tests.dicoms import dicom

GREY = make.smooth(24, 32, 1)[..., 0]
DEEP = (GREY.astype(np.uint16) << 4) + 7  # 12 bits
HOUNSFIELD = np.linspace(-1024, 1000, 24 * 32).astype(np.int16).reshape(24, 32)
COLOURS = make.smooth(24, 32)
JPEG = "1.2.840.10008.1.2.4.50"


def grey(data, **options):
    pixels, _, notes, _ = read(data, 1, **options)
    return pixels[..., 0], notes


def levels(values, low, high):
    return np.rint((np.asarray(values, float) - low) * 255 / (high - low)).clip(0, 255).astype(np.uint8)


def refused(data, **options):
    with pytest.raises(BadImage) as told:
        read(data, 1, **options)
    assert make.is_one_line(str(told.value))
    return str(told.value)


def test_eight_bits_are_shown_as_they_are():
    pixels, notes = grey(dicom(GREY))
    assert np.array_equal(pixels, GREY)
    assert notes.shown == "of DICOM without a window, shown over all values that 8 bits hold"
    assert probe(dicom(GREY))[:3] == (32, 24, 1)


def test_a_picture_without_a_window_is_shown_over_its_stored_bits():
    pixels, notes = grey(dicom(DEEP, BitsStored=12, HighBit=11))
    assert np.array_equal(pixels, levels(DEEP, 0, 4095))
    assert (notes.bits, "12 bits" in notes.shown) == (8, True)


def test_dark_pictures_of_sixteen_bits_are_noted_as_such():
    assert grey(dicom(DEEP))[1][:2] == (16, int(DEEP.max()))


def test_the_window_of_the_file_counts_in_rescaled_units():
    facts = {"RescaleSlope": 2, "RescaleIntercept": -10, "WindowCenter": [300, 9], "WindowWidth": [101, 9]}
    pixels, notes = grey(dicom(DEEP, **facts))
    assert np.array_equal(pixels, levels(DEEP * 2.0 - 10, 249.5, 349.5))
    assert notes.shown == "of DICOM shown through the window that each file gives"


def test_windows_of_the_other_functions():
    facts = {"WindowCenter": 100, "WindowWidth": 50}
    exact, _ = grey(dicom(DEEP, VOILUTFunction="LINEAR_EXACT", **facts))
    assert np.array_equal(exact, levels(DEEP, 75, 125))
    curved, _ = grey(dicom(DEEP, VOILUTFunction="SIGMOID", **facts))
    assert np.array_equal(curved, np.rint(255 / (1 + np.exp(-4 * (DEEP - 100.0) / 50))).astype(np.uint8))


def test_a_window_of_one_level_is_a_threshold():
    pixels, _ = grey(dicom(GREY, WindowCenter=128, WindowWidth=1))
    assert np.array_equal(pixels, np.where(GREY > 127.5, 255, 0))


@pytest.mark.parametrize(("centre", "width"), [(40, -400), (40, 0), (None, 400), (40, None)])
def test_a_window_that_makes_no_sense_is_none(centre, width):
    assert "without a window" in grey(dicom(HOUNSFIELD, WindowCenter=centre, WindowWidth=width))[1].shown


def test_the_range_of_the_entry_counts_before_the_window_of_the_file():
    data = dicom(HOUNSFIELD, RescaleSlope=1, RescaleIntercept=-24, WindowCenter=40, WindowWidth=9)
    pixels, notes = grey(data, value_range=(-600, 400))
    assert np.array_equal(pixels, levels(HOUNSFIELD - 24, -600, 400))
    assert notes.shown == ""


def test_a_lookup_table_of_the_file_counts_where_there_is_no_window():
    from pydicom.dataset import Dataset

    table = Dataset()
    table.add_new("LUTDescriptor", "US", [256, 0, 16])
    table.add_new("LUTData", "US", [level * 257 for level in range(255, -1, -1)])
    pixels, notes = grey(dicom(GREY, VOILUTSequence=[table]))
    assert np.array_equal(pixels, 255 - GREY)
    assert "lookup table" in notes.shown


def test_low_values_are_bright_in_monochrome1():
    assert np.array_equal(grey(dicom(GREY, PhotometricInterpretation="MONOCHROME1"))[0], 255 - GREY)


def test_colours_of_all_kinds():
    pixels, header, notes, _ = read(dicom(COLOURS), 3)
    assert np.array_equal(pixels, COLOURS)
    assert header.channels == 3
    assert notes.shown == ""
    tables = {f"{name}PaletteColorLookupTableData": bytes(range(256)) for name in ("Red", "Green", "Blue")}
    tables |= {f"{name}PaletteColorLookupTableDescriptor": [256, 0, 8] for name in ("Red", "Green", "Blue")}
    palette = dicom(GREY, PhotometricInterpretation="PALETTE COLOR", **tables)
    assert np.array_equal(read(palette, 3)[0], np.dstack([GREY] * 3))
    assert read(palette, 1)[0].shape == (24, 32, 1)
    assert "stored as HSV" in refused(dicom(COLOURS, PhotometricInterpretation="HSV"))


def test_grey_becomes_three_channels_and_the_wanted_size():
    pixels, header, _ = decode(dicom(GREY), Target((8, 8, 3)))
    assert pixels.shape == (8, 8, 3)
    assert header[:2] == (32, 24)


def test_a_jpeg_inside_is_read_if_it_has_the_size_that_the_head_says():
    packed = make.encode(GREY, "JPEG", quality=95)
    pixels, _ = grey(dicom(GREY, packed=packed, syntax=JPEG))
    assert np.abs(pixels.astype(int) - GREY).mean() < 3
    large = make.encode(np.zeros((2000, 3000), np.uint8), "JPEG")
    assert "its head says 32x24, but the picture inside is 3000x2000" in refused(dicom(GREY, packed=large, syntax=JPEG))


def test_the_size_is_held_against_the_limit_before_the_pixels_are_decoded(monkeypatch):
    monkeypatch.setattr(module, "_stored", lambda dataset: pytest.fail("it is decoded"))
    assert "it is 32x24, more than" in refused(dicom(GREY), max_pixels=700)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"NumberOfFrames": 12}, "it is DICOM of 12 frames, and a picture has one"),
        ({"without": ["PixelData"]}, "it holds no picture"),
        ({"Rows": 0}, "it has no pixels"),
        ({"without": ["Columns"]}, "it has no pixels"),
        ({"Rows": 25}, "it does not decode"),
        ({"BitsAllocated": 12}, "it does not decode"),
        ({"BitsStored": 0}, "it does not decode"),
        ({"without": ["PixelRepresentation"]}, "it does not decode"),
        ({"packed": b"\xff\xd8\xff", "syntax": "1.2.840.10008.1.2.4.70"}, "it is packed as JPEG Lossless"),
        ({"packed": b"\xff\xd8\xff", "syntax": "1.2.840.10008.1.2.4.100"}, "it is packed as MPEG2"),
        ({"packed": b"junk", "syntax": JPEG}, "it does not decode"),
        ({"packed": bytes(64), "syntax": "1.2.840.10008.1.2.5"}, "it does not decode"),
    ],
)
def test_what_cannot_be_shown_is_told(options, says):
    assert says in refused(dicom(GREY, **options))


def test_values_of_thirty_two_bits_are_refused():
    assert "save it with 8 or 16 bits" in refused(dicom(np.zeros((4, 4), np.uint32)))


def test_a_deflated_file_is_refused_before_it_is_unpacked():
    plain = dicom(GREY)
    head, rest = plain[:300], plain[300:]
    data = head.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99") + zlib.compress(rest)
    assert "it is deflated DICOM" in refused(data)


@pytest.mark.parametrize("tenth", range(10))
def test_a_file_cut_short_is_told(tenth):
    data = dicom(GREY, WindowCenter=40, WindowWidth=400)
    assert refused(data[: len(data) * tenth // 10])


def test_without_the_package_one_sentence_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    module._pydicom.cache_clear()
    assert refused(dicom_file) == NEEDED
    module._pydicom.cache_clear()


dicom_file = dicom(GREY)


def test_other_formats_are_no_dicom():
    file = io.BytesIO()
    Image.fromarray(GREY).save(file, "BMP")
    assert not module.is_dicom(file.getvalue())
