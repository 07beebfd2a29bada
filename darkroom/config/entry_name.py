"""How an entry of the catalogue may be called: so that YAML, DVC and its `-S` all take the name for the same text."""

import re
from contextlib import suppress

from darkroom.base.errors import UserError

FORM = re.compile("[A-Za-z0-9_-]+")
WORDS = ("true", "false", "null")  # values of YAML and of `-S`, in any case


def check_name(name: object) -> None:
    """Raise UserError, one sentence that ends in a name to take instead, if an entry cannot have this name.

    `name` is what YAML reads: text, a number, or None where there is nothing.
    """
    if name is None:
        raise UserError("params.yaml: dataset is empty, but must be the name of an entry of datasets.yaml: write one")
    if isinstance(name, str) and FORM.fullmatch(name) and not _is_value(name):
        return
    shown = repr(name) if len(repr(name)) <= 60 else f"{repr(name)[:57]}..."
    raise UserError(
        f"{shown} is no name for an entry: it must be letters, digits, - and _, and not a number alone, for DVC would "
        f"misread it; rename it in datasets.yaml and params.yaml: {possible_name(str(name))}"
    )


def possible_name(text: str) -> str:
    """A name for an entry that is as near to `text` as can be, of at most 40 characters of it."""
    plain = re.sub("[^A-Za-z0-9_-]+", "_", text[:40]).strip("_")
    return f"set_{plain}".rstrip("_") if not plain or _is_value(plain) else plain


def _is_value(text: str) -> bool:
    """Whether `dataset: TEXT` or `-S dataset=TEXT` is read as a number, or as true, false or null."""
    with suppress(ValueError):
        float(text)
        return True
    return text.lower() in WORDS
