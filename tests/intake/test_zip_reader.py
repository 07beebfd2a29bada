import io
import random
import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.intake import zip_reader
from darkroom.intake.zip_reader import BadMember, BadZip

# A name without a closing slash, as a file has; NUL ends a name in zipfile.
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40).filter(
    lambda name: not name.endswith("/")
)
CONTENTS = st.binary(max_size=300) | st.builds(lambda piece, times: piece * times, st.binary(max_size=9), st.just(999))
METHODS = st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])


def read(data):
    """Names and contents of all members, as `zips` reads them."""
    return [(member.name, member.content()()) for member in zip_reader.members(io.BytesIO(data))]


def oracle(data):
    """Names and contents of all files, as zipfile reads them."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        return [(info.filename, packed.read(info)) for info in packed.infolist() if not info.is_dir()]


def write(members, comment=b"", before=b"", **options):
    file = io.BytesIO()
    file.write(before)
    with zipfile.ZipFile(file, "a" if before else "w") as packed:
        packed.comment = comment
        for name, content, method in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            with packed.open(info, "w", **options) as member:
                member.write(content)
    return file.getvalue()


def one(content=b"content", method=zipfile.ZIP_STORED, name="a.png"):
    return write([(name, content, method)])


def patched(data, mark, offset, form, value):
    """`data` with a number changed, at `offset` from each place of `mark`."""
    data = bytearray(data)
    at = data.find(mark)
    assert at >= 0
    while at >= 0:
        struct.pack_into(form, data, at + offset, *(value if isinstance(value, tuple) else (value,)))
        at = data.find(mark, at + 1)
    return bytes(data)


LOCAL, ENTRY, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"


@given(st.lists(st.tuples(NAMES, CONTENTS, METHODS), max_size=6), st.binary(max_size=30), st.booleans())
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_reads_what_zipfile_reads(members, comment, zip64):
    data = write(members, comment=comment.replace(b"PK", b""), force_zip64=zip64)
    assert read(data) == oracle(data)


@given(st.binary(min_size=1, max_size=200), st.lists(st.tuples(NAMES, CONTENTS, METHODS), max_size=3))
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_bytes_before_the_archive_do_not_matter(before, members):
    before = before.replace(b"PK", b"")
    data = write(members, before=before)
    assert read(data) == oracle(data)
    whole = write(members)  # the offsets in this one do not count what stands before it
    assert read(before + whole) == read(whole)


def test_folders_are_left_out():
    data = write([("a/", b"", zipfile.ZIP_STORED), ("a/b.png", b"1", zipfile.ZIP_STORED)])
    assert read(data) == [("a/b.png", b"1")]


def test_an_empty_archive_has_no_members():
    assert read(write([])) == []


def test_members_come_in_the_order_of_the_directory():
    names = [f"{number}.png" for number in (3, 1, 2)]
    assert [name for name, _ in read(write([(name, b"", zipfile.ZIP_STORED) for name in names]))] == names


def test_more_members_than_the_short_directory_can_count():
    data = write((f"{number}", b"%d" % number, zipfile.ZIP_STORED) for number in range(70_000))
    found = list(zip_reader.members(io.BytesIO(data)))
    assert len(found) == 70_000
    assert found[-1].content()() == b"69999"


def test_a_count_of_which_only_the_last_sixteen_bits_are_written(monkeypatch):
    """As macOS does it, without zip64: 65,541 members are announced as 5."""
    members = [(str(number), b"", zipfile.ZIP_STORED) for number in range(7)]
    data = patched(write(members), END, 8, "<HH", (5, 5))
    assert read(data) == [(str(number), b"") for number in range(7)]
    monkeypatch.setattr(zip_reader, "PIECE", 50)
    assert read(data) == [(str(number), b"") for number in range(7)]


def test_a_directory_longer_than_what_is_read_at_once(monkeypatch):
    monkeypatch.setattr(zip_reader, "PIECE", 300_000)
    data = write((f"{number:04}" + "n" * 3000, b"%d" % number, zipfile.ZIP_STORED) for number in range(300))
    assert read(data) == oracle(data)


@pytest.mark.parametrize("short", [1, 2, 3, 7])
def test_sizes_and_offsets_beyond_four_gigabytes_are_read_from_the_zip64_field(short):
    """The three numbers stand in the extra field, in their order, as far as the short ones are full."""
    content = b"0123456789"
    data = bytearray(one(content))
    entry = data.find(ENTRY)
    extra, numbers = b"", [(24, len(content)), (20, len(content)), (42, 0)]
    for bit, (offset, value) in enumerate(numbers):
        if short >> bit & 1:
            struct.pack_into("<L", data, entry + offset, 0xFFFFFFFF)
            extra += struct.pack("<Q", value)
    extra = struct.pack("<HH", 0x9999, 3) + b"abc" + struct.pack("<HH", 1, len(extra)) + extra
    struct.pack_into("<H", data, entry + 30, len(extra))
    end = data.find(END)
    struct.pack_into("<L", data, end + 12, end - entry + len(extra))
    data[end:end] = extra
    assert oracle(bytes(data)) == [("a.png", content)]
    assert read(bytes(data)) == [("a.png", content)]


def test_a_large_directory_is_found_by_the_zip64_record():
    data = bytearray(one(b"content"))
    end = data.find(END)
    start, size = data.find(ENTRY), end - data.find(ENTRY)
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, size, start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    struct.pack_into("<2H2L", data, end + 8, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    data[end:end] = record + locator
    assert oracle(bytes(data)) == [("a.png", b"content")]
    assert read(bytes(data)) == [("a.png", b"content")]
    assert read(b"before" + bytes(data)) == [("a.png", b"content")]
    data[data.find(b"PK\6\6") + 3] = 0
    with pytest.raises(BadZip, match="its zip64 directory is damaged"):
        read(bytes(data))


@pytest.mark.parametrize(
    ("raw", "utf8", "name"),
    [
        ("Übung".encode(), True, "Übung"),
        ("Übung".encode(), False, "Übung"),
        ("Übung".encode("cp437"), False, "Übung"),
        ("Übung".encode("cp437"), True, "\ufffdbung"),
    ],
)
def test_names_in_utf8_and_in_the_dos_code_page(raw, utf8, name):
    data = one(name="x" * len(raw)).replace(b"x" * len(raw), raw)
    data = patched(data, ENTRY, 8, "<H", 0x800 if utf8 else 0)
    assert [member.name for member in zip_reader.members(io.BytesIO(data))] == [name]


@pytest.mark.parametrize("tenth", range(10))
def test_an_archive_cut_short_is_refused(tenth):
    data = write([(f"{number}", b"x" * 50, zipfile.ZIP_STORED) for number in range(20)])
    with pytest.raises(BadZip):
        read(data[: len(data) * tenth // 10])


def test_an_archive_that_lacks_its_last_byte_is_refused():
    with pytest.raises(BadZip):
        read(one()[:-1])


def test_an_archive_whose_first_half_is_missing_is_refused():
    data = write([(f"{number}", b"x" * 50, zipfile.ZIP_STORED) for number in range(20)])
    with pytest.raises((BadZip, BadMember)):
        read(data[len(data) // 3 :])


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\3\4", b"text" * 100, END, b"\0" * 5000])
def test_what_is_no_zip_is_refused(data):
    with pytest.raises(BadZip, match="it has no directory at its end"):
        read(data)


def test_a_directory_with_fewer_entries_than_announced_is_refused():
    with pytest.raises(BadZip, match="its directory is damaged"):
        read(patched(one(), END, 10, "<H", 2))


@pytest.mark.parametrize(("offset", "value"), [(12, 10_000), (16, 10_000)])
def test_a_directory_outside_the_file_is_refused(offset, value):
    with pytest.raises(BadZip, match="its directory lies outside the file"):
        read(patched(one(), END, offset, "<L", value))


def test_a_member_that_is_not_where_the_directory_says_is_refused():
    with pytest.raises(BadZip, match=r"a\.png is not where the archive's directory says"):
        read(patched(one(), ENTRY, 42, "<L", 3))


def test_a_member_said_to_lie_at_the_very_end_is_refused():
    data = write([("a.png", b"1", zipfile.ZIP_STORED)], comment=b"some text PK\3\4 and more")
    with pytest.raises(BadZip, match=r"a\.png is not where"):
        read(patched(data, ENTRY, 42, "<L", data.rfind(LOCAL)))


def test_a_directory_that_ends_within_an_entry_is_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        info = zipfile.ZipInfo("a.png")
        info.comment = b"PK\1\2 begins no entry"
        packed.writestr(info, b"1")
    data = file.getvalue()
    with pytest.raises(BadZip, match="its directory is damaged"):
        read(patched(data, END, 12, "<L", len(info.comment)))


def test_the_longest_comment_there_can_be():
    data = write([("a.png", bytes(100_000), zipfile.ZIP_STORED)], comment=b"c" * 0xFFFF)
    assert read(data) == [("a.png", bytes(100_000))]


BOTH = pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])


@BOTH
def test_a_wrong_checksum_is_told(method):
    with pytest.raises(BadMember, match="it has a wrong checksum"):
        read(patched(one(method=method), ENTRY, 16, "<L", 12345))


@BOTH
@pytest.mark.parametrize("size", [0, 1, 6, 8, 100, 2**31])
def test_a_size_that_lies_is_told(method, size):
    with pytest.raises(BadMember, match=r"wrong checksum|damaged|where [0-9]+ are declared"):
        read(patched(one(b"content", method=method), ENTRY, 24, "<L", size))


@BOTH
@pytest.mark.parametrize("size", [1000, 2**20 + 7])
def test_a_size_that_lies_about_a_large_member_is_told_without_filling_the_memory(method, size):
    content = random.Random(1).randbytes(2**20)
    with pytest.raises(BadMember):
        read(patched(one(content, method=method), ENTRY, 24, "<L", size))


def test_damaged_data_is_told():
    data = bytearray(one(b"content" * 100, zipfile.ZIP_DEFLATED))
    data[40:47] = b"\xff" * 7
    with pytest.raises(BadMember, match="its compressed data is damaged"):
        read(bytes(data))


def test_an_encrypted_member_is_told_and_the_others_are_read():
    data = bytearray(write([("a", b"1", zipfile.ZIP_STORED), ("b", b"2", zipfile.ZIP_STORED)]))
    data[data.find(ENTRY) + 8] |= 1
    first, second = zip_reader.members(io.BytesIO(bytes(data)))
    with pytest.raises(BadMember, match="it is encrypted: unpack it with its password"):
        first.content()()
    assert second.content()() == b"2"


@pytest.mark.parametrize(
    ("method", "name"),
    [(9, "deflate64"), (12, "bzip2"), (14, "LZMA"), (93, "Zstandard"), (99, "AES"), (77, "method 77")],
)
def test_an_unsupported_method_is_named(method, name):
    with pytest.raises(BadMember, match=f"it is compressed with {name}.*: pack it again with deflate"):
        read(patched(one(), ENTRY, 10, "<H", method))


def test_members_packed_by_zipfile_in_other_methods_are_named():
    for method, name in ((zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "LZMA")):
        with pytest.raises(BadMember, match=name):
            read(one(method=method))


def test_contents_may_be_read_out_of_order_and_in_other_threads():
    members = [(f"{number}", b"%d" % number * 1000, zipfile.ZIP_DEFLATED) for number in range(200)]
    reads = [member.content() for member in zip_reader.members(io.BytesIO(write(members)))]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda read: read(), reversed(reads))) == [content for _, content, _ in reversed(members)]


def test_a_member_larger_than_what_is_read_ahead():
    members = [(f"{size}", random.Random(size).randbytes(size), zipfile.ZIP_DEFLATED) for size in (10, 3 * 2**20, 11)]
    data = write(members)
    assert read(data) == oracle(data)


@BOTH
@pytest.mark.parametrize("size", [0, 1, 2**20 - 1, 2**20, 2**20 + 1, 3 * 2**20 + 5])
def test_pieces_are_the_content(method, size):
    content = random.Random(size).randbytes(size)
    member = next(zip_reader.members(io.BytesIO(one(content, method))))
    pieces = list(member.pieces())
    assert b"".join(pieces) == content
    assert all(0 < len(piece) <= 2**20 for piece in pieces)


@pytest.mark.parametrize("over", [0, 1, 7, 100, 257, 258, 259, 300, 516, 1000])
def test_pieces_of_content_that_shrinks_much_are_the_content(over):
    content = bytes(2**20 + over)
    member = next(zip_reader.members(io.BytesIO(one(content, zipfile.ZIP_DEFLATED))))
    assert b"".join(member.pieces()) == content


@given(st.integers(0, 600), st.binary(min_size=1, max_size=3), st.integers(1, 9), st.integers(20, 90))
def test_pieces_of_any_length_are_the_content(size, unit, level, piece):
    content = (unit * size)[:size]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as packed:
        packed.writestr("a", content)
    member = next(zip_reader.members(io.BytesIO(file.getvalue())))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zip_reader, "PIECE", piece)
        pieces = list(member.pieces())
    assert b"".join(pieces) == content
    assert all(pieces), "an empty piece would be taken for the end"


def test_pieces_of_data_with_empty_blocks_are_the_content(monkeypatch):
    """A compressor that flushes leaves bytes that decompress to nothing."""
    deflater = zlib.compressobj(wbits=-15)
    packed = deflater.compress(b"first")
    for _ in range(20):
        packed += deflater.flush(zlib.Z_FULL_FLUSH) + deflater.compress(b"")
    packed += b"\0\0\0\xff\xff" * 50  # empty stored blocks
    packed += deflater.compress(b"last") + deflater.flush()
    content = b"firstlast"
    data = one(packed)
    for mark, offset in ((LOCAL, 8), (ENTRY, 10)):
        data = patched(data, mark, offset, "<H", zipfile.ZIP_DEFLATED)
    data = patched(data, ENTRY, 16, "<L", zlib.crc32(content))
    data = patched(data, ENTRY, 24, "<L", len(content))
    member = next(zip_reader.members(io.BytesIO(data)))
    monkeypatch.setattr(zip_reader, "PIECE", 16)
    pieces = list(member.pieces())
    assert b"".join(pieces) == content
    assert all(pieces), "an empty piece would be taken for the end"


def test_pieces_of_a_damaged_member_are_refused():
    content = random.Random(1).randbytes(5000)
    for data in (
        patched(one(content), ENTRY, 16, "<L", 12345),
        patched(one(content), ENTRY, 10, "<H", 12),
        patched(one(content), ENTRY, 8, "<H", 1),
        patched(one(content), ENTRY, 20, "<L", 10_000_000),
    ):
        with pytest.raises(BadZip):
            list(next(zip_reader.members(io.BytesIO(data))).pieces())


@given(st.data())
def test_damage_anywhere_ends_in_an_error_or_does_no_harm(data):
    """Only BadZip and BadMember come out, and what is read is right, whatever byte is wrong."""
    contents = {"a.png": b"first" * 9, "b/c.png": b"second"}
    whole = bytearray(write([(name, content, zipfile.ZIP_DEFLATED) for name, content in contents.items()]))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        for member in zip_reader.members(io.BytesIO(bytes(whole))):
            try:
                content = member.content()()
            except BadMember:
                continue
            assert member.name not in contents or content == contents[member.name]
    except BadZip:
        pass


def zip64_member(**numbers):
    """A zip of one member whose sizes or offset stand in the zip64 field."""
    data, content = bytearray(one()), b""
    entry, end = data.find(ENTRY), data.find(END)
    for name, offset in (("size", 24), ("packed", 20), ("offset", 42)):
        if name in numbers:
            struct.pack_into("<L", data, entry + offset, 0xFFFFFFFF)
            content += struct.pack("<Q", numbers[name])
    extra = struct.pack("<HH", 1, len(content)) + content
    struct.pack_into("<H", data, entry + 30, len(extra))
    struct.pack_into("<L", data, end + 12, end - entry + len(extra))
    return bytes(data[:end] + extra + data[end:])


FAR = pytest.mark.parametrize("number", [2**32, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1])


@FAR
def test_an_offset_beyond_any_file_is_refused(tmp_path, number):
    path = tmp_path / "a.zip"
    path.write_bytes(zip64_member(offset=number))
    with path.open("rb") as stream, pytest.raises(BadZip, match=r"a\.png is not where"):
        next(zip_reader.members(stream)).content()


@FAR
def test_more_packed_bytes_than_any_memory_are_told(tmp_path, number):
    path = tmp_path / "a.zip"
    path.write_bytes(zip64_member(packed=number))
    with path.open("rb") as stream:
        member = next(zip_reader.members(stream))
        with pytest.raises(BadMember, match=f"it is packed in {number:,} bytes where 7 are declared"):
            member.content()()
        with pytest.raises(BadZip, match=r"a\.png is cut short"):
            list(member.pieces())


@pytest.mark.parametrize("said", [9, 16, 36_292])
def test_a_zip64_field_shorter_than_it_says_is_refused(said):
    data = bytearray(zip64_member(size=7))
    struct.pack_into("<H", data, data.find(struct.pack("<HHQ", 1, 8, 7)) + 2, said)
    assert read(bytes(data)) == [("a.png", b"content")]
    data = bytearray(zip64_member(size=7, packed=7))
    at = data.find(struct.pack("<HHQ", 1, 16, 7))
    del data[at + 12 : at + 20]
    entry = data.find(ENTRY)
    struct.pack_into("<H", data, entry + 30, 12)
    struct.pack_into("<H", data, at + 2, said)
    struct.pack_into("<L", data, data.find(END) + 12, data.find(END) - entry)
    with pytest.raises(BadZip, match="a zip64 entry is damaged"):
        read(bytes(data))
