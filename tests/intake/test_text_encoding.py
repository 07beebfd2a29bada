"""The encoding of a text is told from its bytes, and a guess is said."""

import pytest

from darkroom.base.errors import UserError
from darkroom.intake import text_encoding
from darkroom.intake.text_encoding import utf8


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_marks_and_utf8_are_read_without_a_note(encoding):
    assert utf8("né\r\n".encode(encoding), "a.csv") == ("né\r\n".encode(), None)


@pytest.mark.parametrize(
    ("data", "text", "name"), [(b"\x93n\xe9", "“né", "Windows-1252"), (b"\x81\xe9", "\x81é", "Latin-1")]
)
def test_other_bytes_are_read_with_a_note(data, text, name):
    assert utf8(data, "a.csv") == (text.encode(), f"is not UTF-8: read as {name}")


def test_a_character_on_the_border_of_two_slices_is_one(monkeypatch):
    monkeypatch.setattr(text_encoding, "SLICE", 1)
    assert utf8("né".encode(), "a.csv") == ("né".encode(), None)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"PK\3\4xx", "a.csv is a zip or an Excel file, no text: unpack it"),
        (b"\x1f\x8bxx", "a.csv is compressed by gzip"),
        ("né".encode("utf-16")[:-1], "a.csv begins as UTF-16 and is damaged: save it as UTF-8"),
        ("a\nb".encode("utf-16-le"), "a.csv holds a NUL byte in line 1: it is no text"),
        (b"a\nb\0", "a.csv holds a NUL byte in line 2"),
    ],
)
def test_what_is_no_text_is_said(data, said):
    with pytest.raises(UserError, match=said):
        utf8(data, "a.csv")
