"""Broken and strange inputs by name, each with what must come of it, and the stages run on them.

A case is an archive in the place of a good one. Either every stage ends well, with so many images and rejected
files, or one of them says in one sentence what is wrong. Nothing is left half written in either case.
"""

import contextlib
import functools
import io
import itertools
import os
import shutil
import stat
import struct
import sys
import tarfile
import tempfile
import unicodedata
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from darkroom.base import console, paths
from darkroom.config.yaml_files import dump, read_yaml
from stages import audit, baseline, entry, extract, fetch, split, stats
from tests import make
from tests.conftest import ROOT, Project

STAGES = (entry, fetch, extract, audit, split)
OUTPUTS = {
    entry: (paths.ENTRY_SOURCE, paths.ENTRY_LAYOUT),
    fetch: (paths.RAW,),
    extract: (paths.DATA,),
    audit: (paths.AUDIT, paths.DUPLICATES, paths.AUDIT_PICTURES),
    split: (paths.SPLIT, paths.SPLIT_TABLE),
    stats: (paths.STATS,),
    baseline: (paths.BASELINE, paths.BASELINE_PREDICTIONS),
}
# Drawing takes long: `audit` runs where a name could trouble it.
AUDITED = ("label: a line feed", "label: an escape sequence", "label: mathematics", "label: a script without glyphs")
ARCHIVE = Path("archive.zip")
GOOD = make.pictures(("cat", "dog"), each=6, channels=3)
LOCAL, ENTRY, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"


class Case(NamedTuple):
    """An archive, and what must come of it: a part of the sentence, or so many images and rejected files."""

    archive: Callable[[], bytes]
    told: str = ""
    images: int = len(GOOD)
    rejected: int = 0
    settings: dict = {}  # noqa: RUF012, of params.yaml
    entry: dict = {}  # noqa: RUF012, keys of the entry in datasets.yaml


# The archive itself


def patched(data, mark, offset, form, value):
    """`data` with a number changed at `offset` from each place of `mark`."""
    data, at = bytearray(data), data.find(mark)
    while at >= 0:
        struct.pack_into(form, data, at + offset, value)
        at = data.find(mark, at + 1)
    return bytes(data)


def zeros(times):
    """`times` MiB of zeros, deflated in no time."""
    deflater = zlib.compressobj(9, wbits=-15)
    head = deflater.compress(bytes(2**20)) + deflater.flush(zlib.Z_FULL_FLUSH)
    piece = deflater.compress(bytes(2**20)) + deflater.flush(zlib.Z_FULL_FLUSH)
    return head + piece * (times - 1) + deflater.flush()


def bomb(name, times, size):
    """A zip of one member that holds `times` MiB of zeros and says that it has `size` bytes; no checksum fits."""
    packed = zeros(times)
    data = make.zip_of({name: packed}, zipfile.ZIP_STORED)
    for mark, offset in ((LOCAL, 8), (ENTRY, 10)):
        data = patched(data, mark, offset, "<H", zipfile.ZIP_DEFLATED)
    return patched(data, ENTRY, 24, "<L", size)


def joined(one, other):
    """The members of two zips in one, byte by byte, so that what is odd about them stays."""
    start, other_start = one.find(ENTRY), other.find(ENTRY)
    entries = one[start : one.rfind(END)]
    others = bytearray(other[other_start : other.rfind(END)])
    for at in _entries(others):
        struct.pack_into("<L", others, at + 42, struct.unpack_from("<L", others, at + 42)[0] + start)
    counts = [struct.unpack_from("<H", data, data.rfind(END) + 10)[0] for data in (one, other)]
    directory = entries + bytes(others)
    head = one[:start] + other[:other_start]
    end = struct.pack("<4s4H2LH", END, 0, 0, sum(counts), sum(counts), len(directory), len(head), 0)
    return head + directory + end


def _entries(directory):
    at = 0
    while at < len(directory):
        yield at
        at += 46 + sum(struct.unpack_from("<3H", directory, at + 28))


def overlapping(times):
    """A zip in which `times` entries share the bytes of one member of 1 MiB."""
    content = bytes(2**20)
    data = make.zip_of({"train/cat/zero.png": content})
    start, end = data.find(ENTRY), data.rfind(END)
    entry, directory = data[start:end], b""
    for number in range(times):
        name = b"train/cat/%04d.png" % number
        directory += entry[:46].replace(struct.pack("<H", 18), struct.pack("<H", len(name)), 1) + name
    return data[:start] + directory + struct.pack("<4s4H2LH", END, 0, 0, times, times, len(directory), start, 0)


def nested(depth, files):
    data = make.zip_of(files)
    for level in range(depth):
        data = make.zip_of({f"{level}.zip": data})
    return data


def linked(files, name, target):
    """A zip with a symbolic link, as Unix tools write it: its content is where it leads."""
    file = io.BytesIO(make.zip_of(files))
    with zipfile.ZipFile(file, "a") as packed:
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        packed.writestr(info, target)
    return file.getvalue()


def odd_tar(kind, name="train/cat/odd.png", size=0, **attributes):
    """A good tar with one member more that is no file."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as packed:
        for path, content in GOOD.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
        info = tarfile.TarInfo(name)
        info.type, info.size = kind, size
        for key, value in attributes.items():
            setattr(info, key, value)
        packed.addfile(info)
    return file.getvalue()


def zip64():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for path, content in GOOD.items():
            with packed.open(zipfile.ZipInfo(path), "w", force_zip64=True) as member:
                member.write(content)
    return file.getvalue()


def zip64_entry(packed=None, size=None, offset=None):
    """A zip whose entries all have the given numbers in a zip64 field."""
    data = make.zip_of(GOOD)
    start, end = data.find(ENTRY), data.rfind(END)
    numbers = [(24, size), (20, packed), (42, offset)]
    given = [(at, value) for at, value in numbers if value is not None]
    extra = struct.pack("<HH", 1, 8 * len(given)) + b"".join(struct.pack("<Q", value) for _, value in given)
    directory = b""
    entries = data[start:end]
    places = [*_entries(entries), len(entries)]
    for at, then in itertools.pairwise(places):
        entry = bytearray(entries[at:then])
        for place, _ in given:
            struct.pack_into("<L", entry, place, 0xFFFFFFFF)
        struct.pack_into("<H", entry, 30, len(extra))
        directory += bytes(entry) + extra
    count = len(GOOD)
    return data[:start] + directory + struct.pack("<4s4H2LH", END, 0, 0, count, count, len(directory), start, 0)


def pax(records):
    """A tar whose first header is an extended one with these bytes."""
    tar = make.tar_of({"head": records, **GOOD})
    head = bytearray(tar[:512])
    head[156:157] = b"x"
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + tar[512:]


def _damaged():
    """Archives that no stage can use."""
    for name, data in {
        "zip": make.zip_of(GOOD),
        "tar": make.tar_of(GOOD),
        "tar.gz": make.tar_of(GOOD, "gz"),
        "zip in zip": make.zip_of({"train.zip": make.zip_of(_inner())}, zipfile.ZIP_STORED),
    }.items():
        for tenth in range(10):
            # The last blocks of a tar are padding: nine tenths would leave all of the files and an end mark.
            cut = data[: len(data.rstrip(b"\0")) * tenth // 10]
            yield f"{name} cut at {tenth} tenths", Case(functools.partial(bytes, cut), told="damaged or cut short")
    yield "zip with text in front cut in its middle", _told(b"text" + make.zip_of(GOOD)[500:-300], "damaged")
    yield "gzip of nothing", _told(b"\x1f\x8b\x08" + bytes(7) + b"\x03" + bytes(9), "damaged or cut short")
    yield "a gzip that is no tar", _told(zlib.compress(b"text" * 500, wbits=31), "damaged or cut short")
    yield "text", _told(b"<html>404: not found</html>\n" * 50, "damaged or cut short")
    yield "rar", _told(b"Rar!\x1a\x07\x01\0" + bytes(2000), "it is a RAR archive, which is not read")
    yield "7z", _told(b"7z\xbc\xaf\x27\x1c" + bytes(2000), "damaged or cut short")
    yield "one picture", _told(GOOD["train/cat/0.png"], "damaged or cut short")
    yield "zip with no members", _told(make.zip_of({}), "it holds no pictures")
    yield "tar with no members", _told(make.tar_of({}), "it holds no pictures")
    yield "tar.gz with no members", _told(make.tar_of({}, "gz"), "it holds no pictures")
    yield "zip of folders alone", _told(make.zip_of({"train/cat/": b"", "train/dog/": b""}), "it holds no pictures")
    whole = make.zip_of(GOOD)
    yield "every member encrypted", _told(patched(whole, ENTRY, 8, "<H", 1), "it is encrypted")
    yield "every checksum wrong", _told(patched(whole, ENTRY, 16, "<L", 1), "it has a wrong checksum")
    yield "every member in bzip2", _told(make.zip_of(GOOD, zipfile.ZIP_BZIP2), "it is compressed with bzip2")
    yield "every member with AES", _told(patched(whole, ENTRY, 10, "<H", 99), "compressed with AES encryption")
    yield "every member elsewhere", _told(patched(whole, ENTRY, 42, "<L", 7), "is not where the archive's directory")
    inner = patched(make.zip_of({"train.tar": make.tar_of(_inner())}), ENTRY, 16, "<L", 1)
    yield "wrong checksum of a nested tar", _told(inner, "in train.tar is damaged")
    yield "an encrypted nested tar", _told(patched(inner, ENTRY, 8, "<H", 1), "train.tar: it is encrypted")
    yield (
        "nested too deep",
        _told(nested(6, {"train/cat/0.png": b""}), "more than 4 deep")._replace(entry={"train": "."}),
    )
    yield "a nested archive whose name has two lines", _told(make.zip_of({"train/a\nb.zip": b"x"}), "damaged")
    yield "a nested archive named to clear the screen", _told(make.zip_of({"train/\x1b[2J.zip": b"x"}), "damaged")
    for far in (2**32, 2**63 - 1, 2**63, 2**64 - 1):
        yield f"members at {far:,}", _told(zip64_entry(offset=far), "is not where the archive's directory says")
    for many in (2**32, 2**62, 2**64 - 1):
        yield (
            f"members of {many:,} packed bytes",
            _told(zip64_entry(packed=many), f"it is packed in {many:,} bytes where"),
        )
    for large in (2**62, 2**64 - 1):
        yield f"members of {large:,} bytes", _told(zip64_entry(size=large), "unpacks to more than")
    yield "extended header of an endless length", _told(pax(b"9" * 5000 + b" path=a\n"), "extended header is damaged")
    yield "extended header of an endless size", _told(pax(b"5012 size=" + b"9" * 5000 + b"\n"), "damaged")


def _told(data, sentence, **settings):
    return Case(functools.partial(bytes, data), told=sentence, settings=settings)


def _inner():
    return {path.removeprefix("train/"): content for path, content in GOOD.items()}


def _bombs():
    """Small archives that would fill memory or disk, were they believed."""
    good = make.zip_of(GOOD)
    size = {"extract__max_bytes": 2**22}
    for name, declared in (("honest", 600 * 2**20), ("that says it is small", 100), ("that says 100 MiB", 100 * 2**20)):
        yield f"flat bomb {name}", Case(lambda d=declared: joined(good, bomb("train/cat/x.png", 600, d)), rejected=1)
    yield (
        "flat bomb of many",
        Case(lambda: make.zip_of(GOOD | {f"train/cat/{n}-zero.png": bytes(2**20) for n in range(4)}), rejected=4),
    )
    yield "flat bomb of one shared member", Case(lambda: overlapping(100), told="100 of 100 files")
    yield "flat bomb beyond max_bytes", Case(lambda: overlapping(100), told="raise extract.max_bytes", settings=size)
    for inner in ("zip", "tar"):
        yield (
            f"nested bomb, {inner}",
            Case(
                lambda i=inner: joined(good, bomb(f"train/x.{i}", 64, 64 * 2**20)),
                told="raise extract.max_bytes",
                settings=size,
            ),
        )
    yield (
        "nested bomb, tar.gz in tar.gz",
        Case(
            lambda: make.tar_of({"train/x.tar.gz": make.tar_of({"a": bytes(2**23)}, "gz")}, "gz"),
            told="raise extract.max_bytes",
            settings=size,
        ),
    )
    yield (
        "more files than allowed",
        Case(lambda: make.zip_of(GOOD), told="raise extract.max_members", settings={"extract__max_members": 11}),
    )


def _odd():
    """Archives that are odd, and good all the same."""
    yield "zip64", Case(zip64)
    yield "zip behind a program that unpacks it", Case(lambda: b"MZ" + bytes(5000) + make.zip_of(GOOD))
    yield "zip in zip in zip in zip", Case(lambda: nested(3, GOOD), entry={"train": "2/1/0/train"})
    yield "tar.xz in tar.bz2", Case(lambda: make.tar_of({"train.tar.xz": make.tar_of(_inner(), "xz")}, "bz2"))
    yield (
        "zip with a symbolic link",
        Case(lambda: linked(GOOD, "train/cat/link.png", "../../../../etc/passwd"), rejected=1),
    )
    kinds = {"symbolic link": b"2", "hard link": b"1", "character device": b"3", "block device": b"4", "pipe": b"6"}
    for name, kind in kinds.items():
        yield (
            f"tar with a {name}",
            Case(functools.partial(odd_tar, kind, linkname="/etc/passwd"), rejected=int("link" in name)),
        )
    yield "tar with a device that says it is long", Case(functools.partial(odd_tar, b"3", size=10**9))
    yield "tar with a sparse file", Case(functools.partial(odd_tar, b"S"), rejected=1)
    yield "one member encrypted", Case(lambda: _one_wrong(8, 1), rejected=1)
    yield "one checksum wrong", Case(lambda: _one_wrong(16, 1), rejected=1)
    yield "one member of an unknown method", Case(lambda: _one_wrong(10, 77), rejected=1)


def _one_wrong(offset, value):
    one = patched(make.zip_of({"train/cat/wrong.png": make.picture(99)}), ENTRY, offset, "<H", value)
    return joined(make.zip_of(GOOD), one)


# Names and folders


def _names():
    """Files by path, each with what must come of it."""
    clean = {path.replace("train/", "{}", 1): content for path, content in GOOD.items()}
    for name, before in {
        "leading out of the archive": "../../train/",
        "with dots inside": "x/../../train/./",
        "from the root": "/train/",
        "with backslashes": "..\\train\\",
        "of a Windows share": "\\\\train\\",
        "with doubled slashes": "//train//",
    }.items():
        inside = "x/train" if name == "with dots inside" else "train"
        files = {path.format(before): content for path, content in clean.items()}
        yield f"paths {name}", files, Case(lambda: b"", entry={"train": inside})
    yield "names of 300 characters", GOOD | {f"train/cat/{'n' * 300}.png": make.picture(90)}, _handled(1)
    yield "a label of 300 characters", GOOD | make.pictures(("l" * 300,), each=6, seed=9), _handled(6)
    deep = "/".join(["d"] * 1000)
    yield "a folder a thousand deep", GOOD | {f"train/{deep}/cat/0.png": make.picture(90)}, _handled(1)
    duplicated = [*GOOD.items(), *GOOD.items()]
    yield "every member twice", duplicated, _handled(0)
    yield "one path, first broken and then good", [("train/cat/0.png", b"x"), *GOOD.items()], _handled(0, 1)
    for form in ("NFC", "NFD"):
        label = unicodedata.normalize(form, "caf\u00e9")
        yield f"a label in {form}", GOOD | make.pictures((label,), each=6, seed=9), _handled(6)
    composed, decomposed = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD"))
    both = make.pictures((composed, decomposed), each=3, seed=9)
    yield "one label in both forms", GOOD | both, _handled(6)
    yield "labels that differ in case", GOOD | make.pictures(("Cat", "CAT"), each=6, seed=9), _handled(12)
    yield "paths that differ in case", GOOD | {"train/cat/0.PNG": make.picture(90)}, _handled(1)
    strange = {
        "a line feed": "a\nb", "quotes and commas": 'a","b', "an escape sequence": "\x1b[31mred", "a formula": "=1+1",
        "mathematics": "$x^{$", "an emoji": "\U0001f600", "a script without glyphs": "\u0e01\u6f22",
        "writing to the left": "\u05d0\u202e", "nan": "nan", "NA": "NA", "null": "null", "a number": "1e5",
        "a huge number": "9" * 5000, "other digits": "\u00b2\u0664", "a blank": " ", "a tilde": "~", "a drive": "C:",
        "markup": "<script>alert(1)&lt;", "bytes of no text": "a\ufffdb", "percent": "%s%(x)s{}",
        "a zero-width space": "\u200b",
    }  # fmt: skip
    for name, label in strange.items():
        yield f"label: {name}", GOOD | make.pictures((label,), each=6, seed=9), _handled(6)
        yield f"file: {name}", GOOD | {f"train/cat/{label[:200]}.png": make.picture(90)}, _handled(1)
    yield "a broken file whose name has two lines", GOOD | {"train/cat/a\nb.png": b"x"}, _handled(0, 1)
    yield "broken files whose names have two lines", {"train/cat/a\nb.png": b"x"}, _files_told("1 of 1 files")


def _folders():
    yield "no pictures", {"train/cat/a.txt": b"x", "train/dog/b.csv": b"x"}, _files_told("it holds no pictures")
    yield (
        "pictures elsewhere",
        {f"data/{path}": one for path, one in GOOD.items()},
        _files_told("pictures lie in data/"),
    )
    yield "one class", make.pictures(("cat",), each=9), _files_told("training pictures of 1 class")
    for few in (1, 2, 3, 4):
        yield (
            f"a class with {few} images",
            (make.pictures(("cat",), each=9) | make.pictures(("dog",), each=few, seed=7)),
            Case(lambda: b"", images=9 + few) if few >= 3 else _files_told(f"dog ({few}); each class needs at least 3"),
        )
    yield (
        "a class of copies",
        (GOOD | {f"train/eel/{n}.png": make.picture(90) for n in range(9)}),
        _files_told("eel (1)"),
    )
    yield "a class whose every picture is broken", GOOD | {"train/eel/0.png": b"x"}, _handled(0, 1)
    yield "labels at two depths", GOOD | make.pictures(("eel",), each=6, folder="train/fish/", seed=7), _handled(6)
    yield "a class inside another", GOOD | make.pictures(("cat",), each=6, folder="train/dog/", seed=7), _handled(6)
    yield (
        "pictures beside the class folders",
        GOOD | {f"train/{n}.png": make.picture(90 + n) for n in range(3)},
        _handled(0, 3),
    )
    clutter = [
        "__MACOSX/train/cat/._0.png", "train/__MACOSX/cat/._0.png", "train/.DS_Store", "train/cat/.DS_Store",
        "train/cat/Thumbs.db", "train/cat/desktop.ini", "train/cat/._0.png", ".git/objects/0.png", "train/.cache/a.jpg",
        "train/cat/0.png.txt", "train/cat/0.svg", "train/cat/notes", "README.md", "train/cat/0.json",
    ]  # fmt: skip
    yield "clutter of file managers", GOOD | dict.fromkeys(clutter, b"x"), _handled(0)


def _handled(more, rejected=0):
    return Case(lambda: b"", images=len(GOOD) + more, rejected=rejected)


def _files_told(sentence):
    return Case(lambda: b"", told=sentence)


# Pictures


def chunk(kind, content):
    return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))


def png(width, height, depth=8, colour=2, *chunks):
    """A PNG that declares a size and holds next to nothing."""
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2L5B", width, height, depth, colour, 0, 0, 0))
    return head + b"".join(chunks) + chunk(b"IDAT", zlib.compress(bytes(10_000))) + chunk(b"IEND", b"")


def good_pictures():
    """Picture files of every kind that is read, by name and ending."""
    image = Image.fromarray(make.smooth(24, 32))
    grey = image.convert("L")
    alpha = image.copy()
    alpha.putalpha(grey)
    deep = Image.fromarray((np.asarray(grey).astype(np.uint16) << 8) + 7)
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = {"save_all": True, "append_images": [image.rotate(90), image.rotate(180)]}
    yield "jpeg.jpg", make.encode(image, "JPEG")
    yield "grey jpeg.jpg", make.encode(grey, "JPEG")
    yield "progressive.jpg", make.encode(image, "JPEG", progressive=True)
    yield "cmyk.jpg", make.encode(image.convert("CMYK"), "JPEG")
    yield "exif-rotated.jpg", make.encode(image, "JPEG", exif=exif)
    yield "png.png", make.encode(image)
    yield "grey.png", make.encode(grey)
    yield "16-bit.png", make.encode(deep)
    yield "palette.png", make.encode(image.convert("P"))
    yield "transparent palette.png", make.encode(image.convert("P"), transparency=3)
    yield "one bit.png", make.encode(grey.convert("1"))
    yield "alpha.png", make.encode(alpha)
    yield "grey-alpha.png", make.encode(alpha.convert("LA"))
    yield "animated.gif", make.encode(image.convert("P"), "GIF", **frames)
    yield "transparent.gif", make.encode(image.convert("P"), "GIF", transparency=2)
    yield "animated.webp", make.encode(image, "WEBP", **frames)
    yield "lossless.webp", make.encode(alpha, "WEBP", lossless=True)
    yield "tiff.tif", make.encode(image, "TIFF")
    yield "lzw.tiff", make.encode(image, "TIFF", compression="tiff_lzw")
    yield "16-bit.tif", make.encode(deep, "TIFF")
    yield "many pages.tif", make.encode(image, "TIFF", **frames)
    yield "cmyk.tif", make.encode(image.convert("CMYK"), "TIFF")
    yield "jpeg in.tif", make.encode(image, "TIFF", compression="jpeg")
    yield "bmp.bmp", make.encode(image, "BMP")
    yield "palette.bmp", make.encode(image.convert("P"), "BMP")
    yield "ppm.ppm", make.encode(image, "PPM")
    yield "pgm.pgm", make.encode(deep, "PPM")
    yield "1x1.png", make.picture(1, 1, 1)
    yield "1x5000.png", make.picture(1, 5000, 1)
    yield "5000x1.jpg", make.picture(1, 1, 5000, form="JPEG")
    yield "png named.jpg", make.encode(image)
    yield "jpeg named.gif", make.encode(image, "JPEG")


def broken_pictures():
    """Files that are no usable pictures, by name."""
    jpeg, grey = make.encode(make.smooth(32, 32), "JPEG"), make.picture(5)
    for tenth in range(10):
        yield f"jpeg cut at {tenth} tenths.jpg", jpeg[: len(jpeg) * tenth // 10]
    whole = make.picture(5, 32, 32, 3)
    yield "wrong crc of the head.png", whole[:29] + b"\0\0\0\0" + whole[33:]
    at = whole.find(b"IDAT")
    yield "wrong crc of the data.png", whole[: at + 50] + bytes([whole[at + 50] ^ 1]) + whole[at + 51 :]
    yield "a chunk of 4 GB.png", whole[:33] + b"\xff" + whole[34:]
    yield "an end of 4 GB.png", whole[:-12] + b"\xff" + whole[-11:]
    yield "no data.png", whole[: at - 4] + chunk(b"IEND", b"")
    yield "zero-byte.jpg", b""
    yield "text.jpg", b"this is no picture\n" * 9
    yield "html.png", b"<!DOCTYPE html><title>404</title>"
    yield "svg.png", b'<svg xmlns="http://www.w3.org/2000/svg"/>'
    yield "zip.jpg", make.zip_of({"a.png": grey})
    yield "postscript.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(x) run\n"
    yield "heic.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99)
    yield "40,000 x 40,000.png", png(40_000, 40_000)
    yield "2^31 x 2^31.png", png(2**31 - 1, 2**31 - 1)
    yield "2^32 x 1.png", png(2**32 - 1, 1)
    yield "0 x 8.png", png(0, 8)
    yield "no such depth.png", png(8, 8, depth=3)
    yield "no such colour.png", png(8, 8, colour=5)
    yield "text without end.png", whole[:33] + chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**26))) + whole[33:60]
    at = jpeg.find(b"\xff\xc0")
    yield "65,000 x 65,000.jpg", jpeg[: at + 5] + struct.pack(">2H", 65_000, 65_000) + jpeg[at + 9 :]
    yield "200 components.jpg", jpeg[: at + 9] + b"\xc8" + jpeg[at + 10 :]
    yield "lossless.jpg", jpeg[: at + 1] + b"\xc3" + jpeg[at + 2 :]
    yield "40,000 x 40,000.bmp", patched(make.picture(1, 4, 4, 3, "BMP"), b"BM", 18, "<Q", 40_000 << 32 | 40_000)
    yield "40,000 x 40,000.gif", patched(make.picture(1, 4, 4, 1, "GIF"), b"GIF8", 6, "<L", 40_000 << 16 | 40_000)
    yield "40,000 x 40,000.ppm", b"P6 40000 40000 255\n" + bytes(99)
    yield "plain.ppm", b"P3 " + b"9" * 9000
    yield "float.tif", make.encode(Image.new("F", (8, 8), 0.5), "TIFF")
    tiff = make.encode(make.smooth(16, 16), "TIFF")
    yield "endless directory.tif", tiff[:4] + struct.pack("<L", 8) + b"\1\0" + bytes(12) + struct.pack("<L", 8)
    yield "directory outside.tif", tiff[:4] + struct.pack("<L", 2**32 - 1) + tiff[8:]
    yield "cut.webp", make.encode(make.smooth(32, 32), "WEBP")[:60]
    yield "cut.gif", make.encode(make.smooth(32, 32), "GIF")[:200]


def _pictures():
    for name, content in good_pictures():
        yield name, GOOD | {f"train/cat/{name}": content}, _handled(1)
    for name, content in broken_pictures():
        yield name, GOOD | {f"train/cat/{name}": content}, _handled(0, 1)


PACKED = {"zip": make.zip_of, "tar": make.tar_of}


@functools.cache
def cases(forms=tuple(PACKED)):
    """All cases by name; those that are about files and not about the archive, in each of the forms."""
    found = {}
    for part in (_damaged, _bombs, _odd):
        found |= dict(part())
    for part in (_names, _folders, _pictures):
        for name, files, case in part():
            for form in forms:
                packed = functools.partial(PACKED[form], files)
                found[f"{name} ({form})"] = case._replace(archive=packed)
    return found


# The stages


@contextlib.contextmanager
def standard_error():
    """What is written on standard error, by Python and by libraries in C."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as file:
        os.dup2(file.fileno(), 2)
        try:
            with contextlib.redirect_stderr(file):
                yield lambda: (file.flush(), file.seek(0), file.read())[2]
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def prepare(folder):
    """A project in which the stages have run on good data."""
    for name in ("params.yaml", "datasets.yaml"):
        shutil.copy(ROOT / name, folder)
    project = Project(folder)
    project.add(path=str(ARCHIVE), channels=3)
    project.datasets.write_text(dump({"mine": read_yaml(project.datasets)["mine"]}))  # read again and again
    project.set(extract__max_rejected=0.5, extract__threads=2)
    (folder / ARCHIVE).write_bytes(make.zip_of(GOOD))
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        for stage in STAGES:
            stage.main()


def outputs(stage):
    """The bytes of a stage's outputs, by path."""
    files = [file for path in OUTPUTS[stage] for file in ([path] if path.is_file() else path.rglob("*"))]
    return {file: file.read_bytes() for file in files if file.is_file()}


def run(stage):
    """Run a stage as its command does; returns its sentence, or nothing where it ends well."""
    before = outputs(stage)
    with standard_error() as written, contextlib.redirect_stdout(io.StringIO()):
        code = 0
        try:
            console.run(stage.main)
        except SystemExit as end:
            code = end.code
        said = written()
    partial = [str(path) for path in Path().rglob("*") if "partial" in path.name or path.name.startswith("tmp")]
    assert not partial, f"{stage.__name__} left {partial}"
    if not code:
        assert said == "", f"{stage.__name__} ended well, but said {said!r}"
        return ""
    assert said.startswith("error: "), said
    assert said.endswith("\n"), said
    assert said[:-1].isprintable(), f"{stage.__name__} said {said!r}, which is not one line of text"
    assert outputs(stage) == before, f"{stage.__name__} failed, and changed its outputs"
    return said.strip()


def counts():
    """Images and rejected files, as the stages have left them."""
    return len(np.load(paths.IMAGES, mmap_mode="r")), len(pd.read_csv(paths.REJECTED))


def check(name, case):
    """Try a case in the working folder, which `prepare` made; AssertionError where it does not hold."""
    stages = STAGES if name.startswith(AUDITED) else (entry, fetch, extract, split)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # one name twice, on purpose
        ARCHIVE.write_bytes(case.archive())
    project = Project(Path())
    if case.entry:
        make.edit(project.datasets, {f"mine.{key}": value for key, value in case.entry.items()})
    if case.settings:
        project.set(**case.settings)
    for stage in stages:
        sentence = run(stage)
        if sentence:
            assert case.told, f"{stage.__name__} told: {sentence}"
            assert case.told in sentence, sentence
            return
    assert not case.told, f"nothing was told, but {case.told!r} is to be"
    assert counts() == (case.images, case.rejected)
