"""Hostile 7z archives, and files of DICOM, HEIC and AVIF among good pictures.

The cases are run by `hostile.check`, as those of tests/hostile.py are.
"""

import functools
import zlib

import numpy as np

from tests import make, sevenzips
from tests.dicoms import dicom
from tests.hostile import GOOD, Case
from tests.sevenzips import LZMA, LZMA2, STORED, around, coder, names_of, number, sevenzip_of, streams

GREY = make.smooth(16, 16, 1)[..., 0]
JPEG, RLE = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.5"
BEYOND = {"extract__max_bytes": 2**20}


def _archive(build, told="", settings=None, **come):
    return Case(build, told=told, settings=settings or {}, **come)


def _lying(**options):
    """An archive of the good pictures in one block, whose header says other things."""
    return functools.partial(sevenzip_of, GOOD, method=STORED, **options)


def _without_names():
    about, body = streams([[b"1"]])
    return around(body, b"\1\4" + about + b"\5\1\0\0")


def _bomb_of_a_header(size):
    """A header of zeros that is packed small."""
    return sevenzips.with_packed_header(b"", bytes(2**16), size=size)


def _counts(count):
    about, body = streams([[b"1"]])
    return around(body, b"\1\4" + about + names_of(["a"], count=count) + b"\0")


def _sevenzip():
    whole = sevenzip_of(GOOD, pack_header=True)
    yield "as it should be", _archive(lambda: whole)
    yield "a block a member", _archive(lambda: sevenzip_of(GOOD, blocks=len(GOOD)))
    for tenth in range(10):
        cut = whole[: len(whole) * tenth // 10]
        yield f"cut at {tenth} tenths", _archive(lambda cut=cut: cut, "is damaged or cut short")
        nested = functools.partial(make.zip_of, {"train.7z": cut})
        yield f"nested, cut at {tenth} tenths", _archive(nested, "train.7z is damaged or cut short")
    for at in range(3, len(whole), len(whole) // 8):
        changed = whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :]
        yield f"byte {at} changed", _archive(lambda changed=changed: changed, "is damaged or cut short")
    yield (
        "two gigabytes of zeros",
        _archive(lambda: sevenzip_of(GOOD, method=LZMA2, sizes=[[2 * 10**9] * len(GOOD)]), "no picture has more than"),
    )
    large = {path: bytes(2**18) for path in GOOD}
    yield "zeros beyond the limit", _archive(lambda: sevenzip_of(large), "unpacks to more than", BEYOND)
    yield (
        "nested zeros beyond the limit",
        _archive(lambda: make.zip_of({"train.7z": sevenzip_of(large)}), "unpacks to more than", BEYOND),
    )
    yield "sizes of exabytes", _archive(_lying(sizes=[[2**60] * len(GOOD)]), "unpacks to more than")
    yield "sizes of nothing", _archive(_lying(sizes=[[0] * len(GOOD)]), "cannot be used")
    yield "a size too large", _archive(_lying(sizes=[[len(one) + 9 for one in GOOD.values()]]), "cut short")
    gigabytes = number(1) + coder(LZMA2, b"\x28")
    yield (
        "a dictionary of 4 GiB",
        _archive(lambda: sevenzip_of(GOOD, coders=gigabytes), "needs 4,294,967,295 bytes of memory"),
    )
    yield (
        "a dictionary of 3 GiB",
        _archive(
            lambda: sevenzip_of(GOOD, coders=number(1) + coder(LZMA, b"\x5d\0\0\0\xc0")),
            "bytes of memory to be unpacked",
        ),
    )
    yield "a packed header of exabytes", _archive(lambda: _bomb_of_a_header(2**60), "its header has")
    yield "a packed header of zeros", _archive(lambda: _bomb_of_a_header(2**16), "its header is damaged")
    yield "files without number", _archive(lambda: _counts(2**62), "its header counts")
    yield "two million files", _archive(lambda: _counts(2**21), "its header counts")
    yield "files without names", _archive(_without_names, "names fewer files than it counts")
    for name, method in {"encrypted": b"\6\xf1\7\1", "PPMd": b"\3\4\1", "BCJ2": b"\3\3\1\x1b"}.items():
        coders = number(1) + coder(method, bytes(5))
        yield f"method {name}", _archive(_lying(coders=coders), f"with {name}" if name != "encrypted" else name)
    yield "names that climb", _archive(lambda: sevenzip_of({f"../../{path}": one for path, one in GOOD.items()}))
    yield (
        "one name for all",
        _archive(lambda: sevenzip_of([("train/cat/1.png", one) for one in GOOD.values()]), "1 class"),
    )
    links = [sevenzips.LINK] * len(GOOD)
    yield "links alone", _archive(_lying(attributes=links), "it is a link to another file")
    yield "folders that have content", _archive(_lying(attributes=[sevenzips.FOLDER] * len(GOOD)))
    yield "nothing", _archive(lambda: sevenzip_of({}), "has no picture")
    yield "RAR", _archive(lambda: b"Rar!\x1a\7\1\0" + bytes(99), "it is a RAR archive")


def _file(name, content, reason=""):
    """A file among good ones: rejected for a reason, or a picture like the others."""
    files = GOOD | {f"train/cat/{name}": content}
    settings = {"extract__max_rejected": 0.0 if reason else 0.5}
    build = functools.partial(make.zip_of, files)
    return Case(build, told=reason, images=len(GOOD) + 1, settings=settings)


def _dicom():
    odd = {
        "rows beyond the data": ({"Rows": 999}, "it does not decode"),
        "rows of 65,535": ({"Rows": 65535, "Columns": 65535}, "more than extract.max_pixels allows"),
        "no rows": ({"Rows": 0}, "it has no pixels"),
        "12 bits in 12": ({"BitsAllocated": 12}, "it does not decode"),
        "64 bits": ({"BitsAllocated": 64, "BitsStored": 64, "HighBit": 63}, "it does not decode"),
        "more bits stored than there are": ({"BitsStored": 40}, "it does not decode"),
        "no bits": ({"BitsStored": 0}, "it does not decode"),
        "seven samples": ({"SamplesPerPixel": 7}, "it does not decode"),
        "a window of no width": ({"WindowCenter": 9, "WindowWidth": 0}, ""),
        "a window of negative width": ({"WindowCenter": 9, "WindowWidth": -7}, ""),
        "a window without end": ({"WindowCenter": 9, "WindowWidth": "1e308"}, ""),
        "a slope of zero": ({"RescaleSlope": 0, "RescaleIntercept": 5}, ""),
        "a slope of huge size": ({"RescaleSlope": "1e300", "RescaleIntercept": 5}, ""),
        "a thousand frames": ({"NumberOfFrames": 1000}, "of 1,000 frames"),
        "no pixels": ({"without": ["PixelData"]}, "it holds no picture"),
        "no kind": ({"without": ["PhotometricInterpretation"]}, "it does not decode"),
        "a palette without colours": ({"PhotometricInterpretation": "PALETTE COLOR"}, "it does not decode"),
        "JPEG that is none": ({"packed": b"junk" * 9, "syntax": JPEG}, "it does not decode"),
        "RLE that is none": ({"packed": bytes(64), "syntax": RLE}, "it does not decode"),
        "RLE of absurd segments": ({"packed": b"\xff" * 64, "syntax": RLE}, "it does not decode"),
    }
    for name, (options, reason) in odd.items():
        yield f"DICOM: {name}", _file("x.dcm", dicom(GREY, **options), reason)
    bomb = make.encode(np.zeros((9000, 9000), np.uint8), "JPEG")
    yield (
        "DICOM: a JPEG of 81 megapixels inside",
        _file("x.dcm", dicom(GREY, packed=bomb, syntax=JPEG), "the picture inside is 9000x9000"),
    )
    whole = dicom(GREY, WindowCenter=9, WindowWidth=9)
    for tenth in range(2, 10, 2):
        yield f"DICOM: cut at {tenth} tenths", _file("x.dcm", whole[: len(whole) * tenth // 10], "cannot be used")
    deep = whole[:132] + b"\x08\0\x15\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff" * 3000
    yield "DICOM: 3,000 sequences in one another", _file("x.dcm", deep, "cannot be used")
    deflated = dicom(GREY).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99") + zlib.compress(bytes(10**7))
    yield "DICOM: deflated zeros", _file("x.dcm", deflated, "it is deflated DICOM")
    yield "DICOM: a name alone", _file("x.dcm", b"DICM", "it is no picture of a known format")


def _resized(data, side):
    """A photograph whose head gives another size."""
    data, at = bytearray(data), data.find(b"ispe")
    while at >= 0:
        data[at + 8 : at + 16] = side.to_bytes(4, "big") * 2
        at = data.find(b"ispe", at + 1)
    return bytes(data)


def _telephones():
    import pillow_heif

    pillow_heif.register_heif_opener()
    for form in ("HEIF", "AVIF"):
        whole = make.encode(make.smooth(32, 32), form)
        yield f"{form}: as it should be", _file("x.heic", whole)
        for tenth in range(1, 10, 2):
            yield f"{form}: cut at {tenth} tenths", _file("x.heic", whole[: len(whole) * tenth // 10], "cannot be used")
        for name, side in {"gigapixels": 60_000, "nothing": 0}.items():
            yield f"{form}: a size of {name}", _file("x.heic", _resized(whole, side), "cannot be used")
    yield "HEIF: a head alone", _file("x.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "cannot be used")
    yield (
        "HEIF: junk behind the head",
        _file("x.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\xff" * 999, "cannot be used"),
    )


@functools.cache
def cases():
    """All cases by name."""
    found = {f"7z: {name}": case for name, case in _sevenzip()}
    return found | dict(_dicom()) | dict(_telephones())
