import pytest

from darkroom.base.errors import UserError, printable, without_password


@pytest.mark.parametrize(
    ("text", "shown"), [("a\nb", "a\\nb"), ("\x1b[2J", "\\x1b[2J"), ("\ud800", "\\ud800"), ("Übung 漢", "Übung 漢")]
)
def test_what_a_terminal_would_obey_is_escaped(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:secret@host/a@b", "https://...@host/a@b"),
        ("http://host/a@b", "http://host/a@b"),
        ("one://a:b@c and two://d@e", "one://...@c and two://...@e"),
        ("mail me@host", "mail me@host"),
    ],
)
def test_addresses_lose_users_and_passwords(text, shown):
    assert without_password(text) == shown


def test_a_mistake_is_one_safe_line():
    assert str(UserError("no\nftp://me:secret@host")) == "no\\nftp://...@host"


def test_the_middle_of_an_endless_message_is_left_out():
    said = str(UserError("there is no " + "x" * 60_000 + ": name another"))
    assert said.startswith("there is no x")
    assert said.endswith("x: name another")
    assert len(said) < 2100
