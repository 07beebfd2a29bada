"""A mistake that the user can mend, and words that are safe to print."""

import re


class UserError(Exception):
    """A mistake that the user can mend. The message says what is wrong, where, what is allowed, what to do.

    It is one line: of a name that stands in it, line feeds and what else a terminal would obey are escaped.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(without_password(message)))


def printable(text: str) -> str:
    """The text with line feeds, and what else a terminal would obey, escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def without_password(text: str) -> str:
    """The text without the users and passwords that addresses in it may hold."""
    return re.sub(r"://[^/\s]*@", "://...@", text)
