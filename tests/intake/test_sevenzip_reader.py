import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.intake import sevenzip_reader
from darkroom.intake.sevenzip_streams import BadSevenZip
from darkroom.intake.zip_reader import BadMember, Unreadable
from tests import make, sevenzips
from tests.sevenzips import BZIP2, LZMA, LZMA2, STORED, coder, names_of, number, sevenzip_of

FILES = {f"set/{at % 3}/{at}.png": make.picture(at) for at in range(7)} | {"set/none.txt": b"", "日本/ü b.txt": b"x"}


def members(data, spend=lambda size: None):
    return sevenzip_reader.members(io.BytesIO(data), spend)


def read(data):
    return {member.name: member.content()() for member in members(data)}


@pytest.mark.parametrize("method", [STORED, LZMA, LZMA2, BZIP2])
@pytest.mark.parametrize(("blocks", "pack_header"), [(1, True), (3, False), (9, False)])
def test_members_are_read_in_their_order(method, blocks, pack_header):
    data = sevenzip_of(FILES, method=method, blocks=blocks, pack_header=pack_header)
    assert list(read(data).items()) == list(FILES.items())
    pieces = {member.name: b"".join(member.pieces()) for member in members(data)}
    assert pieces == FILES


def test_an_archive_of_another_program_is_read():
    """py7zr applies the filter for programs to everything, and packs the header."""
    import py7zr

    file = io.BytesIO()
    with py7zr.SevenZipFile(file, "w") as packed:
        for path, content in FILES.items():
            packed.writestr(content, path)
    assert read(file.getvalue()) == FILES


def test_a_difference_filter_is_undone():
    data = bytes(range(200))
    steps = bytes((one - before) % 256 for one, before in zip(data, b"\0\0\0" + data, strict=False))
    coders = number(2) + coder() + coder(b"\3", b"\2") + number(1) + number(0)
    about, body = sevenzips.streams([[steps]], coders, crcs=False)
    # Each of the two coders has a size.
    about = about.replace(b"\x0c" + number(200), b"\x0c" + number(200) * 2)
    assert read(sevenzips.around(body, b"\1\4" + about + names_of(["a"]) + b"\0")) == {"a": data}


@given(st.lists(st.binary(max_size=400), max_size=9), st.integers(1, 9), st.data())
def test_members_may_be_passed_over(contents, blocks, data):
    files = [(str(at), content) for at, content in enumerate(contents)]
    asked = data.draw(st.sets(st.integers(0, max(0, len(contents) - 1))))
    packed = members(sevenzip_of(files, blocks=blocks, method=STORED))
    assert [member.content()() for at, member in enumerate(packed) if at in asked] == [
        content for at, content in enumerate(contents) if at in asked
    ]


def test_an_archive_without_members_is_read():
    assert read(sevenzip_of({})) == {}
    assert read(sevenzips.around(b"", b"")) == {}


def test_folders_are_left_out_and_links_are_members_that_cannot_be_read():
    files = {"folder": b"", "a.png": b"1", "link.png": b"a.png", "none": b""}
    found = {m.name: m for m in members(sevenzip_of(files, attributes=[sevenzips.FOLDER, 0, sevenzips.LINK, 0]))}
    assert [(name, member.link) for name, member in found.items()] == [
        ("a.png", False),
        ("link.png", True),
        ("none", False),
    ]
    with pytest.raises(BadMember, match="it is a link to another file: pack the file itself in its place"):
        found["link.png"].content()()


def test_what_all_members_unpack_to_is_told_first():
    told = []
    for _ in members(sevenzip_of({"a": bytes(100), "b": bytes(50)}, blocks=2), told.append):
        break
    assert told == [150]


PROPERTIES = {"4 GiB": (LZMA2, b"\x28"), "3 GiB": (LZMA2, b"\x27"), "1 GiB": (LZMA, b"\x5d\0\0\0\x40")}


@pytest.mark.parametrize("size", PROPERTIES)
def test_a_dictionary_that_would_take_much_memory_is_told(size):
    [member] = members(sevenzip_of({"a.png": b"1"}, coders=number(1) + coder(*PROPERTIES[size])))
    with pytest.raises(
        BadMember, match=r"it needs [1-4],[\d,]+ bytes of memory to be unpacked: pack it again with `7z"
    ):
        member.content()()


@pytest.mark.parametrize(
    ("method", "properties", "says"),
    [
        (b"\6\xf1\7\1", b"\x13\0", "it is encrypted: unpack it with its password and pack it again without"),
        (b"\3\4\1", bytes(5), "it is compressed with PPMd: pack it again with LZMA2, 7-Zip's usual method"),
        (b"\4\xf7\x11\1", bytes(5), "compressed with Zstandard"),
        (b"\3\3\1\x1b", b"", "compressed with BCJ2"),
        (b"\4\1\x08", b"", "compressed with deflate:"),
        (b"\7\7", b"", "compressed with method 0707"),
        (LZMA2, b"", "compressed in an unusual way"),
        (LZMA, b"\xff\0\0\0\0", "compressed in an unusual way"),
        (LZMA, b"", "compressed in an unusual way"),
    ],
)
def test_a_block_that_cannot_be_unpacked_is_told_for_each_of_its_members(method, properties, says):
    data = sevenzip_of({"a.png": b"1", "b.png": b"2"}, coders=number(1) + coder(method, properties))
    for member in members(data):
        with pytest.raises(BadMember, match=says):
            member.content()()
        with pytest.raises(Unreadable, match=rf"{member.name}: .*{says}"):
            next(member.pieces())


def test_an_encrypted_list_of_files_is_told():
    about, body = sevenzips.streams([[b"1"]])
    header = b"\1\4" + about + names_of(["a"]) + b"\0"
    data = sevenzips.with_packed_header(body, header, coders=number(1) + coder(b"\6\xf1\7\1", b"\x13\0"))
    with pytest.raises(Unreadable, match="the list of its files does not unpack, for it is encrypted: unpack it with"):
        read(data)


def test_a_wrong_checksum_is_told():
    data = sevenzip_of({"a.png": b"first", "b.png": b"second"}, method=STORED).replace(b"first", b"fjrst")
    first, second = ((member.content(), member) for member in members(data))
    with pytest.raises(BadMember, match="it has a wrong checksum"):
        first[0]()
    assert second[0]() == b"second"
    with pytest.raises(BadSevenZip, match=r"a\.png has a wrong checksum"):
        list(next(members(data)).pieces())


@pytest.mark.parametrize("method", [STORED, LZMA, LZMA2, BZIP2])
def test_a_block_that_ends_early_is_told(method):
    data = sevenzip_of({"a.png": b"1" * 90}, method=method, sizes=[[100]])
    with pytest.raises((BadSevenZip, EOFError)):
        read(data)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it is empty"),
        (b"7z\xbc\xaf\x27\x1c", "it is cut short"),
        (b"<html>" + bytes(99), "it does not begin as a 7z archive does"),
        (sevenzip_of(FILES)[:-1], "it ends before its header, which stands last"),
        (sevenzip_of(FILES)[:-1] + b"x", "its header has a wrong checksum"),
        (sevenzips.MAGIC + bytes(26), "its beginning has a wrong checksum"),
    ],
)
def test_what_is_no_whole_archive_is_told(data, says):
    with pytest.raises(BadSevenZip, match=says):
        read(data)


def test_little_is_in_memory_however_much_a_block_unpacks_to():
    import tracemalloc

    data = sevenzip_of({"a": bytes(2**24), "b": b"1"})
    _, last = members(data)
    tracemalloc.start()
    assert last.content()() == b"1"
    assert tracemalloc.get_traced_memory()[1] < 2**23
    tracemalloc.stop()
