import io
import random
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.intake import tar_reader
from darkroom.intake.tar_reader import BadTar
from darkroom.intake.zip_reader import BadMember
from tests import make

FORMATS = {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT, "ustar": tarfile.USTAR_FORMAT}
PARTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=30)
NAMES = st.lists(PARTS, min_size=1, max_size=9).map("/".join)
CONTENTS = st.binary(max_size=1500)


def read(data):
    return [(member.name, member.content()()) for member in tar_reader.members(io.BytesIO(data))]


def read_in_pieces(data):
    return [(member.name, b"".join(member.pieces())) for member in tar_reader.members(io.BytesIO(data))]


def oracle(data):
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as packed:
        return [(info.name, packed.extractfile(info).read()) for info in packed if info.isreg()]


def write(members, form=tarfile.PAX_FORMAT):
    """A tar of TarInfo objects with their contents."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as packed:
        for info, content in members:
            packed.addfile(info, io.BytesIO(content) if content else None)
    return file.getvalue()


def member(name="a.png", content=b"", kind=tarfile.REGTYPE, size=None, **attributes):
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(content) if size is None else size
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, content


def header(data, field, value):
    """The first header of a tar with one field changed and the checksum made right again."""
    start, end = {
        "name": (0, 100),
        "size": (124, 136),
        "checksum": (148, 156),
        "kind": (156, 157),
        "more holes": (482, 483),
    }[field]
    block = bytearray(data[:512])
    block[start:end] = value.ljust(end - start, b"\0")
    if field != "checksum":
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + data[512:]


@given(st.lists(st.tuples(NAMES, CONTENTS), max_size=5), st.sampled_from(["pax", "gnu"]))
def test_reads_what_tarfile_reads(files, form):
    data = make.tar_of(files, form=FORMATS[form])
    assert read(data) == oracle(data)


@given(st.lists(st.tuples(st.text("abc/.-_ 09", min_size=1, max_size=90), CONTENTS), max_size=5))
def test_reads_what_tarfile_reads_in_the_oldest_format(files):
    files = [(name.strip("/") or "x", content) for name, content in files]
    data = make.tar_of(files, form=FORMATS["ustar"])
    assert read(data) == oracle(data)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("length", [99, 100, 101, 155, 200, 250])
def test_long_names(form, length):
    name = ("folder/" * 40)[: length - 1] + "n"
    data = make.tar_of({name: b"1", "short": b"2"}, form=FORMATS[form])
    assert read(data) == [(name, b"1"), ("short", b"2")]


@pytest.mark.parametrize("form", ["pax", "gnu"])
@pytest.mark.parametrize("name", ["n" * 5000, "ü" * 99, "日本/画像.png", "a\nb=c.png"])
def test_names_that_need_an_extension(form, name):
    data = make.tar_of({name: b"1", "short": b"2"}, form=FORMATS[form])
    assert read(data) == [(name, b"1"), ("short", b"2")]


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 10_239, 10_240, 2**20 + 1])
def test_any_size_of_content(size):
    content = random.Random(size).randbytes(size)
    assert read(make.tar_of({"a": content, "b": b"2"})) == [("a", content), ("b", b"2")]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "kind",
    [tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE],
)
@pytest.mark.parametrize("size", [0, 700])
def test_what_is_no_file_is_passed_over(form, kind, size):
    """Such members have no content, even where their header names a size."""
    odd = member("odd", b"", kind, size, linkname="a.png")
    data = write([member("a.png", b"1"), odd, member("b.png", b"2")], FORMATS[form])
    assert oracle(data) == [("a.png", b"1"), ("b.png", b"2")]
    assert read(data) == [("a.png", b"1"), ("b.png", b"2")]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("size", [0, 700])
def test_a_link_is_a_member_that_cannot_be_read(form, kind, size):
    link = member("link.png", b"", kind, size, linkname="a.png")
    data = write([member("a.png", b"1"), link, member("b.png", b"2")], FORMATS[form])
    assert [one.name for one in tar_reader.members(io.BytesIO(data))] == ["a.png", "link.png", "b.png"]
    contents = [one.content() for one in tar_reader.members(io.BytesIO(data))]
    assert (contents[0](), contents[2]()) == (b"1", b"2")
    with pytest.raises(BadMember, match="link"):
        contents[1]()
    with pytest.raises(BadTar, match=r"link\.png: it is a link"):
        read_in_pieces(data)


@pytest.mark.parametrize("more", [0, 1, 3])
def test_a_sparse_file_of_gnu_is_a_member_that_cannot_be_read(more):
    """The list of its holes goes on in blocks that no size counts."""
    data = header(make.tar_of({"a.png": b"x" * 700, "b.png": b"2"}, form=FORMATS["gnu"]), "kind", b"S")
    if more:
        data = header(data, "more holes", b"\1")
    blocks = [bytes(504) + bytes([number < more]) + bytes(7) for number in range(1, more + 1)]
    is_unreadable_but_the_next_is_not(data[:512] + b"".join(blocks) + data[512:])


@pytest.mark.parametrize("version", ["0.0", "0.1", "1.0"])
def test_a_sparse_file_of_pax_is_a_member_that_cannot_be_read(version):
    fields = {"GNU.sparse.size": "9"} if version < "1" else {"GNU.sparse.realsize": "9", "GNU.sparse.major": "1"}
    name = {} if version == "0.0" else {"GNU.sparse.name": "a.png"}
    inner = "a.png" if version == "0.0" else "GNUSparseFile.7/a.png"
    is_unreadable_but_the_next_is_not(
        write([member(inner, b"x" * 700, pax_headers=fields | name), member("b.png", b"2")])
    )


def is_unreadable_but_the_next_is_not(data):
    found = [(one.name, one.content()) for one in tar_reader.members(io.BytesIO(data))]
    assert [name for name, _ in found] == ["a.png", "b.png"]
    assert found[1][1]() == b"2"
    with pytest.raises(BadMember, match="stored without its zeros: pack again without `tar --sparse`"):
        found[0][1]()


def test_an_extended_header_of_many_records_is_read_to_its_end():
    records = b"".join(b"12 a%04d=xy\n" % number for number in range(5000)) + b"14 path=b.png\n"
    data = header(make.tar_of({"a": records, "short": b"1"}), "kind", b"x")
    assert read(data) == [("b.png", b"1")]


@pytest.mark.parametrize("form", ["gnu", "ustar"])
@pytest.mark.parametrize("long", [False, True])
def test_two_names_that_are_no_utf8_stay_two(form, long):
    file = io.BytesIO()
    names = [("x" * 120 + "/" if long else "") + name for name in ("b\xe4r/1.png", "b\xf6r/1.png")]
    with tarfile.open(fileobj=file, mode="w", format=FORMATS[form], encoding="latin-1") as packed:
        for name in names:
            packed.addfile(tarfile.TarInfo(name))
    assert [one.name for one in tar_reader.members(io.BytesIO(file.getvalue()))] == names


def test_a_file_of_an_unknown_kind_is_passed_over_with_its_content():
    data = header(make.tar_of({"a": b"x" * 700, "b": b"2"}), "kind", b"Z")
    assert read(data) == [("b", b"2")]


@pytest.mark.parametrize("kind", [b"0", b"\0", b"7"])
def test_all_kinds_of_plain_files_are_read(kind):
    assert read(header(make.tar_of({"a": b"1"}), "kind", kind)) == [("a", b"1")]


def test_the_size_in_an_extended_header_counts():
    data = write([member("a", b"12345", pax_headers={"size": "5"}), member("b", b"2")])
    assert read(data) == [("a", b"12345"), ("b", b"2")]


def test_other_extended_headers_do_not_matter():
    pax = {"mtime": "1.5", "comment": "ü\nx", "LIBARCHIVE.xattr.user": "1", "SCHILY.fflags": ""}
    assert read(write([member("a", b"1", pax_headers=pax), member("b", b"2")])) == [("a", b"1"), ("b", b"2")]


def test_a_global_header_names_no_file():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", pax_headers={"comment": "x", "path": "y"}) as packed:
        info, content = member("a", b"1")
        packed.addfile(info, io.BytesIO(content))
    assert read(file.getvalue()) == [("a", b"1")]


def test_a_size_in_base_256():
    data = make.tar_of({"a": b"12345"})
    assert read(header(data, "size", b"\x80" + (5).to_bytes(11, "big"))) == [("a", b"12345")]


@pytest.mark.parametrize(
    "size", [b"\xff" * 12, b"\x80" + b"\xff" * 11, b"-1", b"-1000", b"99999999999", b"1 2", b"abc", b"77777777777"]
)
def test_a_size_that_cannot_be_is_refused(size):
    data = header(make.tar_of({"a": b"12345"}), "size", size)
    with pytest.raises(BadTar):
        read_in_pieces(data)


@pytest.mark.parametrize("size", ["-1", "x", "²", "9" * 5000, "1.5", ""])
def test_a_size_in_an_extended_header_that_cannot_be_is_refused(size):
    data = write([member("a", b"12345", pax_headers={"size": size})])
    with pytest.raises(BadTar):
        read_in_pieces(data)


@pytest.mark.parametrize(
    "records", [b"x", b"5", b"99 path=a\n", b"1 path=a\n", b"path=a\n", b"-5 path=a\n", b" \n", b"9" * 5000]
)
def test_a_damaged_extended_header_is_refused(records):
    data = header(make.tar_of({"a": records}), "kind", b"x")
    with pytest.raises(BadTar, match="an extended header is damaged"):
        read(data)


def test_a_name_that_would_fill_the_memory_is_refused():
    data = header(make.tar_of({"a": b"1"}), "kind", b"L")
    with pytest.raises(BadTar, match="a name of 1073741824 bytes"):
        read(header(data, "size", b"10000000000"))


def test_a_wrong_checksum_is_refused():
    with pytest.raises(BadTar, match="wrong checksum"):
        read(header(make.tar_of({"a": b"1"}), "checksum", b"000001"))


@pytest.mark.parametrize("data", [b"", b"short", b"text" * 300, b"\xff" * 2000])
def test_what_is_no_tar_is_refused(data):
    with pytest.raises(BadTar):
        read(data)


def test_an_empty_tar_has_no_members():
    assert read(make.tar_of({})) == []


def test_a_tar_without_its_last_blocks_of_zeros_lost_nothing():
    data = make.tar_of({"a": b"1", "b": b"2"})
    with pytest.raises(BadTar, match="it has no end mark"):
        read(data[: 4 * 512])


@pytest.mark.parametrize("tenth", range(10))
def test_a_tar_cut_short_is_refused(tenth):
    data = make.tar_of([(f"{number}", b"x" * 700) for number in range(20)])
    data = data[: 20 * 3 * 512]  # without the zeros at its end
    with pytest.raises(BadTar):
        read(data[: len(data) * tenth // 10 + 100])


def test_contents_may_be_left_unread():
    data = make.tar_of({"a": b"x" * 3000, "b": b"y" * 3000, "c": b"z" * 3000})
    names = []
    for one in tar_reader.members(io.BytesIO(data)):
        names.append(one.name)
        if one.name == "b":
            next(one.pieces())
    assert names == ["a", "b", "c"]


@pytest.mark.parametrize("size", [0, 1, 2**20, 2**20 + 1, 3 * 2**20])
def test_pieces_are_the_content(size):
    content = random.Random(size).randbytes(size)
    for one in tar_reader.members(io.BytesIO(make.tar_of({"a": content}))):
        pieces = list(one.pieces())
        assert b"".join(pieces) == content
        assert all(0 < len(piece) <= 2**20 for piece in pieces)


@given(st.data())
def test_damage_anywhere_ends_in_an_error_or_does_no_harm(data):
    """Only BadTar comes out, whatever byte of a header is wrong; a header that is wrong by one byte is refused."""
    whole = bytearray(make.tar_of({"ü" * 60: b"first", "b/c.png": b"second"}, form=FORMATS["pax"]))
    heads = [at for at in range(0, len(whole), 512) if whole[at + 257 : at + 262] == b"ustar"]
    at = data.draw(st.sampled_from(heads)) + data.draw(st.integers(0, 511))
    was, whole[at] = whole[at], data.draw(st.integers(0, 255))
    try:
        read(bytes(whole))
    except BadTar:
        if whole[at] == was:
            raise


@given(st.binary(max_size=1500))
def test_any_bytes_end_in_an_error_or_are_read(data):
    try:
        read(data)
        read(make.tar_of({"a": b"1"})[:1024] + data)
    except BadTar:
        pass
