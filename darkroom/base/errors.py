"""The error for a mistake that the user can correct, and text that is safe to print."""

import re


class UserError(Exception):
    """A mistake that the user can correct. The message says what is wrong, where, what is allowed and what to do.

    The message is one line: `printable` escapes control characters in it, and `without_password` hides passwords.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(without_password(message)))


def printable(text: str) -> str:
    """The text with escapes for line feeds and all other control characters."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def without_password(text: str) -> str:
    """The text with `...` for the user and password in each address."""
    return re.sub(r"://[^/\s]*@", "://...@", text)
