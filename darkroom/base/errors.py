"""The error for a mistake that the user can correct, and text that is safe to print."""

import re

LONGEST = 2000  # characters of a message; a name in it may have thousands


class UserError(Exception):
    """A mistake that the user can correct. The message says what is wrong, where, what is allowed and what to do.

    The message is one line: `printable` escapes control characters in it, and `without_password` hides passwords. Of
    one longer than LONGEST the middle is left out, for what to do stands at its end.
    """

    def __init__(self, message: str) -> None:
        text = printable(without_password(message))
        half = LONGEST // 2
        super().__init__(text if len(text) <= LONGEST else f"{text[:half]} … {text[-half:]}")


def printable(text: str) -> str:
    """The text with escapes for line feeds and all other control characters."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def without_password(text: str) -> str:
    """The text with `...` for the user and password in each address."""
    return re.sub(r"://[^/\s]*@", "://...@", text)
