import gzip
import io
import lzma
import re
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.base.errors import UserError
from darkroom.intake import archive
from darkroom.intake.archive import Limits
from darkroom.intake.zip_reader import BadMember
from tests import make


def read(path, wanted=lambda path: True, may_hold=lambda folder: True, **limits):
    return [
        (file.path, file.read())
        for file in archive.files(path, wanted=wanted, may_hold=may_hold, limits=Limits(**limits))
    ]


def stored(tmp_path, content, name="archive.zip"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def refusal(path, **options):
    sentence = make.refusal(lambda: read(path, **options))
    assert sentence is not None
    assert make.is_one_line(sentence)
    return sentence


FILES = {f"set/{label}/{number}.png": make.picture(number) for label in "ab" for number in range(3)}
FLAT = [(f"set/{path}", content) for path, content in FILES.items()]
COMPRESSIONS = [("set.tar", ""), ("set.tar.gz", "gz"), ("set.tgz", "gz"), ("set.tar.bz2", "bz2"), ("set.tar.xz", "xz")]
COMPRESSIONS += [("set.tbz2", "bz2"), ("set.txz", "xz"), ("set.TAR.GZ", "gz")]


@pytest.mark.parametrize(("name", "compression"), COMPRESSIONS)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_tar_in_a_zip_has_the_paths_of_the_flat_form(tmp_path, name, compression, method):
    nested = make.zip_of({name: make.tar_of(FILES, compression)}, method)
    assert read(stored(tmp_path, nested)) == FLAT
    assert read(stored(tmp_path, make.zip_of(FLAT))) == FLAT


@pytest.mark.parametrize(("name", "compression"), COMPRESSIONS)
def test_a_tar_is_read_by_its_content_not_its_name(tmp_path, name, compression):
    data = make.tar_of(FILES, compression)
    assert read(stored(tmp_path, data, name)) == list(FILES.items())
    assert read(stored(tmp_path, data, "wrong.zip")) == list(FILES.items())


def test_a_zip_is_read_by_its_content_not_its_name(tmp_path):
    assert read(stored(tmp_path, make.zip_of(FILES), "wrong.tar.gz")) == list(FILES.items())
    nested = make.zip_of({"set.tar.gz": make.zip_of(FILES)})
    assert read(stored(tmp_path, nested)) == FLAT


@pytest.mark.parametrize("outer", ["zip", "", "gz"])
@pytest.mark.parametrize("inner", ["zip", "", "gz", "bz2", "xz"])
def test_any_archive_in_any_other(tmp_path, outer, inner):
    data = make.zip_of(FILES) if inner == "zip" else make.tar_of(FILES, inner)
    files = {"before.txt": b"1", "set.zip": data, "z/after.txt": b"2"}
    data = make.zip_of(files) if outer == "zip" else make.tar_of(files, outer)
    assert read(stored(tmp_path, data)) == [("before.txt", b"1"), *FLAT, ("z/after.txt", b"2")]


def test_a_nested_zip_too_large_for_memory_waits_in_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "SPOOL", 100)
    assert read(stored(tmp_path, make.zip_of({"set.zip": make.zip_of(FILES)}))) == FLAT


def test_archives_stand_in_archives_only_so_deep(tmp_path):
    data = make.zip_of({"a.png": b"1"})
    for depth in range(archive.MAX_DEPTH):
        data = make.zip_of({f"{depth}.zip": data})
    assert read(stored(tmp_path, data)) == [("3/2/1/0/a.png", b"1")]
    data = make.zip_of({"4.zip": data})
    assert "4/3/2/1/0.zip: archives stand inside archives more than 4 deep" in refusal(stored(tmp_path, data))


def test_only_what_is_wanted_is_read(tmp_path):
    path = stored(tmp_path, make.zip_of({"a.png": b"1", "b.txt": b"2", "c.png": b"3"}))
    assert read(path, wanted=lambda path: path.endswith(".png")) == [("a.png", b"1"), ("c.png", b"3")]


def test_a_nested_archive_that_holds_no_data_is_not_opened(tmp_path):
    path = stored(tmp_path, make.zip_of({"bad.zip": b"no archive", "x/good.tar": make.tar_of({"a.png": b"1"})}))
    asked = []

    def may_hold(folder):
        asked.append(folder)
        return folder == "x/good"

    assert read(path, may_hold=may_hold) == [("x/good/a.png", b"1")]
    assert asked == ["bad", "x/good"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("a/../../b.png", "a/b.png"),
        ("a/./b.png", "a/b.png"),
        ("./a/b.png", "a/b.png"),
        ("a//b.png", "a/b.png"),
        ("a\\b\\c.png", "a/b/c.png"),
        ("..\\..\\c.png", "c.png"),
        ("\\\\host\\share\\c.png", "host/share/c.png"),
        ("a/b.c/d..png", "a/b.c/d..png"),
        ("a b/ü.png", "a b/ü.png"),
    ],
)
@pytest.mark.parametrize("pack", [make.zip_of, make.tar_of])
def test_a_path_is_cleaned(tmp_path, pack, name, path):
    assert read(stored(tmp_path, pack({name: b"1"}))) == [(path, b"1")]


@given(st.text("ab./\\:~ ", min_size=1, max_size=20))
def test_no_path_leads_out_of_the_archive(name):
    path = archive._clean(name)
    assert not path.startswith("/")
    assert "\\" not in path
    assert not {"", ".", ".."} & set(path.split("/")[:-1])


def test_a_cleaned_nested_archive_is_a_folder(tmp_path):
    data = make.zip_of({"..\\sets\\one.zip": make.zip_of({"../a.png": b"1"})})
    assert read(stored(tmp_path, data)) == [("sets/one/a.png", b"1")]


def test_one_unreadable_member_does_not_stop_the_others(tmp_path):
    data = bytearray(make.zip_of({"a.png": b"1" * 99, "b.png": b"2" * 99}, zipfile.ZIP_STORED))
    data[data.find(b"1" * 99)] ^= 1
    files = archive.files(
        stored(tmp_path, bytes(data)), wanted=lambda path: True, may_hold=lambda folder: True, limits=Limits()
    )
    first, second = list(files)
    with pytest.raises(BadMember, match="wrong checksum"):
        first.read()
    assert second.read() == b"2" * 99


def test_a_file_too_large_for_a_picture_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_FILE", 10)
    for pack in (make.zip_of, make.tar_of):
        files = archive.files(
            stored(tmp_path, pack({"a.png": b"1" * 11, "b.png": b"2"})),
            wanted=lambda path: True,
            may_hold=lambda folder: True,
            limits=Limits(),
        )
        (_, size, read_first, *_), (_, _, read_second, *_) = files
        assert size == 11
        with pytest.raises(BadMember, match="it has 11 bytes, and no picture has more than 10"):
            read_first()
        assert read_second() == b"2"


def test_the_limit_of_members(tmp_path):
    nested = make.zip_of({"a.png": b"1", "set.zip": make.zip_of({"b.png": b"2", "c.png": b"3"})})
    path = stored(tmp_path, nested)
    assert len(read(path, members=3)) == 3
    assert "holds more than 2 files: raise extract.max_members in params.yaml" in refusal(path, members=2)


def test_the_limit_of_bytes(tmp_path):
    path = stored(tmp_path, make.zip_of({"a.png": b"1" * 600, "b.png": b"2" * 600}))
    assert len(read(path, bytes=1200)) == 2
    assert "unpacks to more than 1,199 bytes: raise extract.max_bytes in params.yaml" in refusal(path, bytes=1199)


@pytest.mark.parametrize("name", ["bomb.zip", "bomb.tar"])
def test_the_limit_of_bytes_stops_a_nested_bomb(tmp_path, name):
    """A nested archive counts as it is decompressed, whether it holds pictures or not."""
    content = bytes(3_000_000)
    inner = make.zip_of({"a.png": content}, zipfile.ZIP_STORED) if name == "bomb.zip" else make.tar_of({"a": content})
    path = stored(tmp_path, make.zip_of({name: inner}))
    assert path.stat().st_size < 10_000
    assert "unpacks to more than 2,000,000 bytes" in refusal(path, bytes=2_000_000)


@pytest.mark.parametrize("compression", ["gz", "bz2", "xz"])
@pytest.mark.parametrize("depth", [0, 1])
def test_the_limit_of_bytes_stops_a_compressed_bomb_that_holds_no_pictures(tmp_path, compression, depth):
    data = make.tar_of({"a.txt": bytes(3_000_000)}, compression)
    for _ in range(depth):
        data = make.tar_of({"set.tar": data}, compression)
    path = stored(tmp_path, data)
    assert path.stat().st_size < 10_000
    assert "unpacks to more than 2,000,000 bytes" in refusal(path, wanted=lambda path: False, bytes=2_000_000)


@pytest.mark.parametrize("name", ["archive.zip", "archive.tar", "archive.tar.gz"])
@pytest.mark.parametrize(
    "content", [b"", b"this is a text file\n" * 100, b"PK", b"PK\3\4", b"\x1f\x8b", b"BZh", b"\0" * 9]
)
def test_what_is_no_archive_is_told(tmp_path, name, content):
    path = stored(tmp_path, content, name)
    assert refusal(path).startswith(f"{path} is damaged or cut short (")


def whole_archives():
    flat, tar = make.zip_of(FILES), make.tar_of(FILES)
    yield "zip", flat
    yield "zip in zip", make.zip_of({"set.zip": flat})
    for compression in ("gz", "bz2", "xz"):
        yield compression, make.tar_of(FILES, compression)
        yield f"{compression} in zip", make.zip_of({"set.tar": make.tar_of(FILES, compression)}, zipfile.ZIP_STORED)
    yield "tar in zip", make.zip_of({"set.tar": tar})
    yield "tar in gz", make.tar_of({"set.tar": tar}, "gz")


WHOLE = dict(whole_archives())


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("tenth", range(10))
def test_an_archive_cut_short_is_told(tmp_path, kind, tenth):
    data = WHOLE[kind]
    path = stored(tmp_path, data[: len(data) * tenth // 10])
    assert refusal(path).startswith(f"{path}")


@pytest.mark.parametrize("kind", WHOLE)
def test_an_archive_that_lacks_its_last_byte_is_told(tmp_path, kind):
    assert "damaged or cut short" in refusal(stored(tmp_path, WHOLE[kind][:-1]))


def test_the_place_of_damage_is_named(tmp_path):
    path = stored(tmp_path, make.zip_of({"a.png": b"1", "x/set.tar.gz": make.tar_of(FILES, "gz")[:-100]}))
    sentence = refusal(path)
    assert sentence.startswith(f"{path}, in x/set.tar.gz is damaged or cut short (")
    assert sentence.endswith("delete it, fetch it again with `dvc repro -f fetch`")


def test_a_nested_archive_that_is_encrypted_is_told(tmp_path):
    data = bytearray(make.zip_of({"set.tar": make.tar_of(FILES)}))
    data[data.find(b"PK\1\2") + 8] |= 1
    assert "set.tar: it is encrypted" in refusal(stored(tmp_path, bytes(data)))


BYTES = b"0123456789abcdef" * 64


@pytest.mark.parametrize("compression", ["", "gz", "bz2", "xz"])
def test_a_changed_byte_in_a_nested_tar_is_noticed(tmp_path, compression):
    """A tar has no checksum of its files: that of what it is packed in must be looked at, to the end."""
    data = bytearray(make.zip_of({"set.tar": make.tar_of({"a.png": BYTES}, compression)}, zipfile.ZIP_STORED))
    data[data.find(BYTES[:9]) + 3 if not compression else len(data) // 3] ^= 1
    assert "damaged" in refusal(stored(tmp_path, bytes(data)))


def test_a_changed_byte_in_a_compressed_tar_is_noticed(tmp_path):
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=0) as stream:
        stream.write(make.tar_of({"a.png": BYTES}))
    data = bytearray(packed.getvalue())
    data[data.find(BYTES[:9]) + 3] ^= 1
    assert "damaged" in refusal(stored(tmp_path, bytes(data), "a.tar.gz"))


def test_xz_in_several_streams_with_padding(tmp_path, monkeypatch):
    tar = make.tar_of(FILES)
    data = lzma.compress(tar[:700]) + bytes(8) + lzma.compress(b"") + lzma.compress(tar[700:]) + bytes(4)
    path = stored(tmp_path, data)
    for piece in (archive.PIECE, 50, 13, 4, 1):
        monkeypatch.setattr(archive, "PIECE", piece)
        assert read(path) == list(FILES.items())


def test_xz_that_asks_for_much_memory_is_told(tmp_path):
    """The size of the window stands in the head of the block; the content need not fill it."""
    data = bytearray(make.tar_of(FILES, "xz"))
    size = (data[12] + 1) * 4
    data[data.find(b"\x21\x01", 12) + 2] = 37  # 1.5 GiB
    struct.pack_into("<L", data, 12 + size - 4, zlib.crc32(data[12 : 12 + size - 4]))
    for content in (bytes(data), make.zip_of({"x/set.tar.xz": bytes(data)})):
        assert "needs more than 268,435,456 bytes of memory to be unpacked" in refusal(stored(tmp_path, content))


def test_a_missing_file_is_the_systems_own_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nowhere.zip")


@pytest.mark.parametrize("kind", WHOLE)
@given(data=st.data())
def test_damage_anywhere_ends_in_one_sentence_or_does_no_harm(tmp_path_factory, kind, data):
    whole = bytearray(WHOLE[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = stored(tmp_path_factory.getbasetemp(), bytes(whole), "damaged.zip")

    def read_all():
        for file in archive.files(path, wanted=lambda _: True, may_hold=lambda _: True, limits=Limits()):
            try:
                file.read()
            except BadMember as error:
                assert make.is_one_line(str(error))  # noqa: PT017

    sentence = make.refusal(read_all)
    assert sentence is None or make.is_one_line(sentence)


def test_hard_and_symbolic_links_are_told_of_and_never_followed(tmp_path):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as packed:
        for name, kind in (("a.png", tarfile.SYMTYPE), ("b.png", tarfile.LNKTYPE), ("c.png", tarfile.REGTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            packed.addfile(info)
    path = stored(tmp_path, file.getvalue())
    everything = {"wanted": lambda path: True, "may_hold": lambda folder: True, "limits": Limits()}
    first, second, third = (file.read for file in archive.files(path, **everything))
    assert third() == b""
    for link in (first, second):
        with pytest.raises(BadMember, match="link"):
            link()


def zip_with_link(target, system=3):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        member = zipfile.ZipInfo("a.png")
        member.create_system, member.external_attr = system, (stat.S_IFLNK | 0o777) << 16
        packed.writestr(member, target)
        packed.writestr("b.png", b"b")
    return file.getvalue()


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (b"b.png", "it is a link to another file: pack again without `zip --symlinks`"),
        (b"", "it is a link whose target is not there"),
    ],
)
def test_links_in_a_zip_are_told_of_and_never_followed(tmp_path, target, says):
    path = stored(tmp_path, zip_with_link(target))
    found = list(archive.files(path, wanted=lambda path: True, may_hold=lambda folder: True, limits=Limits()))
    assert [(file.path, file.link) for file in found] == [("a.png", True), ("b.png", False)]
    with pytest.raises(BadMember, match=re.escape(says)):
        found[0].read()
    assert found[1].read() == b"b"


def test_the_mode_of_a_member_means_nothing_where_the_zip_does_not_come_from_unix(tmp_path):
    assert read(stored(tmp_path, zip_with_link(b"pixels", system=0)))[0] == ("a.png", b"pixels")


def test_a_link_is_yielded_whatever_its_name_for_it_may_stand_for_a_folder(tmp_path):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as packed:
        for name, kind in (("c", tarfile.SYMTYPE), ("d", tarfile.REGTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "elsewhere"
            packed.addfile(info)
    for data in (file.getvalue(), zip_with_link(b"b")):
        nothing = {"wanted": lambda path: False, "may_hold": lambda folder: True, "limits": Limits()}
        (link,) = archive.files(stored(tmp_path, data), **nothing)
        assert link.link


@pytest.mark.parametrize("nested", [False, True])
def test_a_zip_with_a_program_in_front_that_unpacks_it(tmp_path, nested):
    data = b"#!/bin/sh\nexec unzip $0\n" * 40 + make.zip_of({"a/1.png": b"1"})
    path = stored(tmp_path, make.zip_of({"set.zip": data}) if nested else data)
    assert read(path) == [("set/a/1.png" if nested else "a/1.png", b"1")]


def test_names_are_given_as_they_are_spelled(tmp_path):
    name = unicodedata.normalize("NFD", "é/ü.png")
    assert read(stored(tmp_path, make.zip_of({name: b"1"}))) == [(name, b"1")]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("a.zip", True),
        ("a.TAR.GZ", True),
        ("a.tgz", True),
        ("a.tar.xz", True),
        ("a.gz", False),
        ("zip", False),
        ("a.zip.png", False),
        ("a.rar", False),
    ],
)
def test_an_archive_is_known_by_its_ending(name, is_one):
    assert archive.is_archive(name) is is_one


def test_reading_is_a_stream(tmp_path):
    """The first file is there before the rest of a tar is read."""
    path = stored(tmp_path, make.tar_of([(f"{number}", bytes(500_000)) for number in range(20)]), "a.tar")
    files = archive.files(path, wanted=lambda _: True, may_hold=lambda _: True, limits=Limits())
    assert next(files).path == "0"
    with path.open("r+b") as stream:
        stream.truncate(5_000_000)
    with pytest.raises(UserError, match=re.escape(str(path))):
        list(files)
