"""A catalogue entry as a person would have written it: plain words where YAML allows, short lists in one line.

Values are written by hand, not by a YAML library's writer, which would fold long lines and put lists over many. Each
word is quoted only where a reader would else take it for something else; `scalar` tries that with both readers.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from ruamel.yaml import YAML

from darkroom.base.errors import UserError, printable

WIDTH = 110  # columns of a line
WITH_COMMENT = 80  # columns of a line with a comment
COMMENT = 74  # characters of a comment
LONGEST_KEY = 1000  # characters; YAML reads a key of more than 1,024 only after a question mark
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./*-]*( [A-Za-z0-9_./*-]+)*")
# Words that YAML 1.1, which other tools still read, takes for true and false, and those of YAML 1.2.
VALUES = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")


def text(name: str, entry: Mapping[str, Any], comments: Mapping[str, str]) -> str:
    """The lines of an entry; `comments` has a few words for some of its keys.

    A comment stands at the end of its line, else above it, and those at the ends of lines begin in one column. Raises
    UserError if a value holds half of a character, which no file can hold.
    """
    blocks = {key: _item(key, value, "  ") for key, value in entry.items()}
    short = {key: _comment(comments.get(key, "")) for key in blocks}
    lengths = {key: len(lines[0]) + 2 for key, lines in blocks.items() if short[key] and len(lines) == 1}
    lengths = {key: length for key, length in lengths.items() if length + len(short[key]) <= WITH_COMMENT}
    column = max(lengths.values(), default=0)
    written = [f"{scalar(name)}:"]
    for key, lines in blocks.items():
        comment = short[key]
        if key in lengths and column + len(comment) <= WITH_COMMENT:
            written.append(f"{lines[0]:{column}}{comment}")
        else:
            written += [f"  {comment}"] * bool(comment) + lines
    return "\n".join(written) + "\n"


def _comment(words: str) -> str:
    """A comment of the first clause of what is said, for the table of `darkroom add` says it all."""
    plain = printable(words).partition("; ")[0]
    if len(plain) > COMMENT:
        plain = plain.partition(": ")[0]
    return "" if not plain else f"# {plain if len(plain) <= COMMENT else plain[: COMMENT - 1].rstrip() + '…'}"


def _item(key: object, value: object, indent: str) -> list[str]:
    """The lines of `key: value`; a list or mapping stands in one line if that is short."""
    start = f"{indent}{scalar(key)}:"
    if len(start) > LONGEST_KEY:
        return [f"{indent}? {scalar(key)}", f"{indent}: {flow(value)}"]
    line = f"{start} {flow(value)}"
    if not value or not isinstance(value, list | dict) or (len(line) <= WIDTH and key != "recipe"):
        return [line]
    if isinstance(value, dict):
        return [start, *(part for item in value.items() for part in _item(*item, f"{indent}  "))]
    return [start, *(f"{indent}  - {flow(one)}" for one in value)]


def flow(value: object) -> str:
    """A value in one line: `[a, b]`, `{file: labels.csv, label: dx}`."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_flow_key(key)}: {flow(one)}' for key, one in value.items())}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(flow, value))}]"
    return scalar(value)


def _flow_key(key: object) -> str:
    written = scalar(key)
    return written if len(written) <= LONGEST_KEY else f"? {written} "


def scalar(value: object) -> str:
    """A word, number, true, false or null, in the plainest form that reads back as the same value."""
    if not isinstance(value, str):
        return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return _word(value)


@lru_cache(2**14)
def _word(value: str) -> str:
    if PLAIN.fullmatch(value) and value.lower() not in VALUES:
        return value  # as most are: no reader need be asked, which takes milliseconds
    if re.fullmatch("[0-9]+", value):
        return f'"{value}"'
    if not re.search("[\ud800-\udfff]", value):
        for form in _forms(value):
            if _reads_back(form, value):
                return form
    raise UserError(f"{value!r} holds half of a character, which no file can hold: rename it")


def _forms(value: str) -> list[str]:
    """The ways of writing a word, the plainest first."""
    escaped = '"' + "".join(one if one.isprintable() and one not in '"\\' else _escape(one) for one in value) + '"'
    if not value.isprintable():
        return [escaped]
    plain = [] if value.lower() in VALUES else [value]
    return [*plain, *([] if re.search(r'["\\]', value) else [f'"{value}"']), f"'{value.replace(chr(39), 2 * chr(39))}'"]


def _escape(character: str) -> str:
    code = ord(character)
    if character in '"\\':
        return f"\\{character}"
    return {"\n": "\\n", "\t": "\\t"}.get(character) or (f"\\u{code:04x}" if code < 2**16 else f"\\U{code:08x}")


def _reads_back(form: str, value: str) -> bool:
    """Whether both readers take `form` for `value`, within brackets, where more signs mean something, and outside."""
    with suppress(Exception):  # whatever a reader raises, it does not take this form
        return all(
            YAML(typ="safe", pure=pure).load(f"- [{form}]\n- {form}\n") == [[value], value] for pure in (False, True)
        )
    return False
