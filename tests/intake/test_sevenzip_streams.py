import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.intake.sevenzip_streams import BadSevenZip, Coder, Reader, read_streams
from tests.sevenzips import LZMA2, STORED, coder, number, streams


def read(about):
    return read_streams(Reader(about))


@given(st.integers(0, 2**64 - 1))
def test_numbers_of_all_lengths(value):
    assert Reader(number(value)).number() == value


def test_blocks_lie_one_after_the_other_and_divide_into_parts():
    about, body = streams([[b"1", b"22"], [b"333"]], method=STORED)
    found = read(about)
    assert [(block.start, block.packed, block.size) for block in found.blocks] == [(0, 3, 3), (3, 3, 3)]
    assert found.sizes == [[1, 2], [3]]
    assert body == b"122333"


def test_the_checksum_of_a_block_is_that_of_its_only_part():
    about = b"\6\0\1\t\1\0\7\x0b\1\0\1\1\0\x0c\1\x0a\1\7\0\0\0\0\0"
    assert read(about).crcs == [[7]]
    assert read(about[:-1] + b"\x08\0\0").crcs == [[7]]


def test_a_block_without_parts_has_none():
    about, _ = streams([[b"1"]], sizes=[[1]], crcs=False)
    assert read(about.replace(b"\x0d\1", b"\x0d\0")).sizes == [[]]


BCJ = b"\3\3\1\3"


@pytest.mark.parametrize("turned", [False, True])
def test_coders_come_in_the_order_in_which_they_unpack(turned):
    """Programs write them in both orders, with bonds that say which takes what another gives."""
    both, bond = [coder(LZMA2), coder(BCJ)], (1, 0)
    if turned:
        both, bond = both[::-1], (0, 1)
    about, _ = streams([[b"1"]], number(2) + b"".join(both) + number(bond[0]) + number(bond[1]))
    [block] = read(about.replace(b"\x0c\1", b"\x0c\1\1")).blocks
    assert block.chained
    assert block.coders == (Coder(LZMA2, b"\x10"), Coder(BCJ, b""))


@pytest.mark.parametrize(
    ("coders", "sizes"),
    [
        (number(2) + coder() + coder(BCJ) + b"\0\0", 2),  # a coder that takes what it gives itself
        (number(1) + b"\x14" + b"\3\3\1\x1b" + b"\4\1" + b"\0\1\2\3", 1),  # of four inputs
    ],
)
def test_coders_that_form_no_chain_are_told(coders, sizes):
    about, _ = streams([[b"1"]], coders)
    about = about.replace(b"\x0c\1", b"\x0c" + b"\1" * sizes)
    about = about.replace(b"\6\0\1\t" + about[4:5], b"\6\0\4\t" + about[4:5] * 4)
    [block] = read(about).blocks
    assert not block.chained


@pytest.mark.parametrize(
    ("coders", "says"),
    [
        (number(0), "damaged"),
        (number(1) + b"\x11\0\x40\x40", "damaged"),
        (number(1) + b"\x11\0\0\1", "damaged"),
        (number(1) + b"\x11\0\1\0", "damaged"),
        (number(2**21 + 1), "counts"),
        (number(1) + coder(LZMA2, bytes(9)).replace(b"\t", number(2**60), 1), "cut short"),
    ],
)
def test_absurd_coders_are_told(coders, says):
    about, _ = streams([[b"1"]], coders)
    with pytest.raises(BadSevenZip, match=says):
        read(about)


def test_parts_that_are_more_than_their_block_are_told():
    about, _ = streams([[b"1", b"2"]])
    with pytest.raises(BadSevenZip, match="damaged"):
        read(about.replace(b"\t\1\x0a", b"\t\5\x0a"))


def test_more_blocks_than_packed_streams_are_told():
    about, _ = streams([[b"1"], [b"2"]])
    packed = about[4:6]
    with pytest.raises(BadSevenZip, match="more blocks than packed streams"):
        read(about.replace(b"\6\0\2\t" + packed, b"\6\0\1\t" + packed[:1]))


@given(st.binary(max_size=60), st.integers(0, 60))
def test_any_bytes_are_read_or_told(junk, at):
    about, _ = streams([[b"1", b"22"], [b"333"]])
    for damaged in (junk, about[:at] + junk, about[:at] + junk + about[at + len(junk) :]):
        try:
            read(damaged)
        except BadSevenZip as error:
            assert str(error)  # noqa: PT017
