import struct
import zlib

import pytest

from darkroom.intake import sevenzip_header
from darkroom.intake.sevenzip_header import Entry
from darkroom.intake.sevenzip_streams import BadSevenZip
from tests import sevenzips
from tests.sevenzips import names_of, streams


def entries(header):
    return list(sevenzip_header.parse(header, lambda block: pytest.fail("nothing is packed")).entries())


def header(*contents, names=None, **options):
    about, _ = streams([list(contents)])
    return b"\1\4" + about + names_of(names or [str(at) for at in range(len(contents))], **options) + b"\0"


def test_names_sizes_checksums_and_places_are_read():
    assert entries(header(b"one", b"three")) == [
        Entry("0", 3, zlib.crc32(b"one"), False, 0, 0),
        Entry("1", 5, zlib.crc32(b"three"), False, 0, 3),
    ]


def test_an_empty_file_has_no_block_and_a_folder_is_left_out():
    read = entries(header(b"1", names=["a", "b", "c"], empty=(0, 1), attributes=[0, sevenzips.FOLDER, 0]))
    assert [(entry.name, entry.block) for entry in read] == [("a", None), ("c", 0)]


def test_a_name_of_half_a_character_is_read():
    assert entries(header(b"1", names=["a\ud800"]))[0].name == "a\ufffd"


def test_unknown_properties_are_passed_over():
    times = b"\x14" + sevenzips.number(10) + b"\1\0" + bytes(8)
    assert len(entries(header(b"1")[:-2] + times + b"\0\0")) == 1


@pytest.mark.parametrize(
    ("damaged", "says"),
    [
        (b"\2", "damaged"),
        (b"\1\4", "cut short"),
        (b"\1\5\1\0\0", "names fewer files than it counts"),
        (header(b"1", names=["a", "b"]), "names more files than it has contents"),
        (header(b"1", count=2), "names fewer files than it counts"),
        (header(b"1", count=2**40), "counts 1,099,511,627,776 of something"),
        (header(b"1")[:-1], "cut short"),
        (header(b"1")[:-1] + b"\7", "damaged"),
        (b"\1\5\1\x11\2\1\0\0\0", "lies in several places"),
    ],
)
def test_a_damaged_header_is_told(damaged, says):
    with pytest.raises(BadSevenZip, match=says):
        entries(damaged)


def packed(size, crc=0):
    return (
        b"\x17\6\0\1\t\1\0\7\x0b\1\0\1\1\0\x0c" + sevenzips.number(size) + b"\x0a\1" + struct.pack("<L", crc) + b"\0\0"
    )


def test_a_packed_header_is_unpacked_checked_and_no_larger_than_any_data_set_needs():
    plain = header(b"1")
    read = sevenzip_header.parse(packed(len(plain), zlib.crc32(plain)), lambda block: plain)
    assert [entry.name for entry in read.entries()] == ["0"]
    with pytest.raises(BadSevenZip, match="wrong checksum"):
        sevenzip_header.parse(packed(len(plain)), lambda block: plain)
    with pytest.raises(BadSevenZip, match="its header has 2,000,000,000 bytes"):
        sevenzip_header.parse(packed(2 * 10**9), lambda block: pytest.fail("it is unpacked"))


def test_a_header_packed_in_itself_is_told():
    endless = packed(9)
    own = endless.replace(struct.pack("<L", 0), struct.pack("<L", 7), 1)
    with pytest.raises(BadSevenZip):
        sevenzip_header.parse(own, lambda block: own)
