"""The patterns of the catalogue: which files of an archive they reach, and which parts of a path they name.

A pattern is a folder, which reaches all files below it, or a path with wildcards: `*` stays within a folder, `**`
crosses folders, `{label}` and `{group}` name a part of one folder's or file's name, `{label:[01]}` one with a form of
its own, a regular expression. Other names are free and mean nothing. All other characters stand for themselves.
"""

import re
import time
import unicodedata
from collections.abc import Callable, Iterator
from fnmatch import translate
from functools import cached_property, lru_cache
from itertools import count
from posixpath import normpath
from typing import Literal, NamedTuple

import regex

from darkroom.base.errors import UserError
from darkroom.base.paths import DATASETS

LONGEST = 1000  # characters of one pattern
SECONDS = 2.0  # for one path; a sound pattern needs microseconds
EACH = 0.01  # seconds for each further path, on average
WRITTEN_OUT = 50_000  # characters of a form whose repeats are written out, as the compiler of expressions does
FEW, SHORT = 3, 300  # so many wildcards come to an end soon on a path of so many characters


class Token(NamedTuple):
    """A part of a pattern: text, `*`, `**`, or a name with its form («» where it has none of its own)."""

    kind: Literal["text", "star", "stars", "name"]
    text: str = ""
    form: str = ""

    def __str__(self) -> str:
        if self.kind == "name":
            return f"{{{self.text}:{self.form}}}" if self.form else f"{{{self.text}}}"
        return {"text": self.text, "star": "*", "stars": "**"}[self.kind]


class Pattern:
    """One pattern, compiled. Raises ValueError, one sentence, where the text is none."""

    def __init__(self, text: str) -> None:
        self.text = plain(text)
        if len(self.text) > LONGEST:
            raise ValueError(f"a pattern of {len(self.text):,} characters is longer than the {LONGEST:,} allowed")
        self._tokens = tuple(_tokens(self.text))
        self.is_folder = all(token.kind == "text" for token in self._tokens)
        self.names = frozenset(token.text for token in self._tokens if token.kind == "name")
        self.breadth = self._breadth()
        self._expression = self._compiled()
        self._seconds = 0.0  # that matching took beyond EACH a path
        wildcards = [token for token in self._tokens if token.kind != "text"]
        self._is_quick = len(wildcards) <= FEW and not any(token.form for token in wildcards)
        # In the first version `*` crossed folders, and ? and [...] were wildcards too.
        was_glob = any(character in self.text for character in "*?[") and not self.names
        self._first_version = re.compile(translate(self.text)) if was_glob else None

    def _compiled(self) -> "regex.Pattern[str]":
        if self.is_folder:
            # A plain path may be that of a file too.
            return regex.compile(".*" if self.text == "." else regex.escape(self.text) + "(?:/.*)?", regex.DOTALL)
        return _compiled(self._tokens, self.text)

    def _breadth(self) -> tuple[int, int]:
        """A sort key, smaller for the more particular pattern: more folders without wildcards, then more text."""
        parts = [part for part in self._shape.split("/") if part not in ("", ".")]
        return -sum("*" not in part for part in parts), -len(self._shape.replace("*", ""))

    def match(self, path: str, container: str = "") -> dict[str, str] | None:
        """The parts of a path that the pattern names; None if it does not reach the path (in composed Unicode).

        What reaches a container, a file that holds pictures, reaches its pictures too: `*.csv` train.csv#17. Raises
        UserError if the search does not come to an end.
        """
        is_quick = self._is_quick and len(path) <= SHORT  # a watch costs more than such a match
        found = self._expression.fullmatch(path) if is_quick else self._watched(path)
        if found is None and container:
            return self.match(container)
        return found.groupdict() if found else None

    @cached_property
    def of_container(self) -> "Pattern | None":
        """The pattern before its first `#`, if it has one: `data/x.npz` of data/x.npz#train/*."""
        written = ""
        for token in self._tokens:
            text, mark, _ = token.text.partition("#") if token.kind == "text" else (str(token), "", "")
            written += text
            if mark:
                return Pattern(written) if written else None
        return None

    def _watched(self, path: str, *, partial: bool = False) -> "regex.Match[str] | None":
        begun = time.thread_time()
        try:
            found = self._expression.fullmatch(path, partial=partial, timeout=SECONDS)
        except TimeoutError:
            found = None
            self._seconds += SECONDS
        self._seconds += time.thread_time() - begun - EACH
        if self._seconds >= SECONDS:
            raise UserError(
                f"{DATASETS}: the pattern {self.text!r} is not done with {path[:200]!r} in good time (after "
                f"{SECONDS:g} seconds), for it can match in too many ways: use fewer wildcards, or a simpler form "
                "after the colon"
            )
        return found

    def reached_in_first_version(self, path: str) -> bool:
        """Whether the text, read as the glob of the first version, reaches a path."""
        return self._first_version is not None and self._first_version.match(composed(path)) is not None

    @property
    def by_folder(self) -> bool:
        """Whether all files of one folder fare alike, so that the answer for one is the answer for all."""
        if self.is_folder:
            return self.text == "." or "." not in self.text.rpartition("/")[2]  # else it may be a file among others
        last, before = self._tokens[-1], self._tokens[:-1]
        return last.kind in ("star", "stars") and (not before or before[-1].text.endswith("/"))

    @property
    def root(self) -> str:
        """The folder before the first wildcard, or nothing: what lies right in it lies in no folder of a class."""
        if self.is_folder:
            return "" if self.text == "." else self.text
        return self._shape.partition("*")[0].rpartition("/")[0]

    def may_reach_below(self, folder: str) -> bool:
        """Whether a file below `folder` can be reached; if not, a nested archive need not be opened."""
        inside = composed(folder) + "/"
        if self._watched(inside, partial=True) is not None:
            return True
        # What the glob of the first version reached is opened, so that its owner learns what to write now.
        start = self._shape.partition("*")[0]
        return self._first_version is not None and (start.startswith(inside) or inside.startswith(start))

    @property
    def _shape(self) -> str:
        """The text with one `*` for each wildcard."""
        return "".join(token.text if token.kind == "text" else "*" for token in self._tokens)

    def __str__(self) -> str:
        return self.text


def plain(text: str) -> str:
    """The one spelling of a pattern: `train` for ./train/, `.` for an empty one, Unicode composed."""
    return composed(normpath(text.strip("/")))


def of_first_version(glob: str) -> str:
    """A pattern for a glob of the first version: `**` for `*`, which crossed folders, and forms for ? and [...]."""
    return without_old_wildcards(re.sub(r"\*+", "**", glob))


def without_old_wildcards(glob: str) -> str:
    """A glob of the first version with a name that has a form for each ? and [...]."""
    number = count(1)

    def named(found: re.Match[str]) -> str:
        form = "." if found[0] == "?" else found[0].replace("[!", "[^")
        return f"{{x{next(number)}:{form}}}"

    return re.sub(r"\?|\[[^]]+\]", named, glob)


def composed(text: str) -> str:
    """Unicode's composed form (NFC): two systems may spell one name in two ways."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _tokens(text: str) -> Iterator[Token]:
    at = start = 0
    while at < len(text):
        if text[at] not in "*{":
            at += 1
            continue
        if at > start:
            yield Token("text", text[start:at])
        if text[at] == "{":
            end = _closing(text, at)
            yield _name(text[at + 1 : end], text)
            at = end + 1
        else:
            stars = text.startswith("**", at)
            yield Token("stars" if stars else "star")
            at += 2 if stars else 1
        start = at
    if start < len(text):
        yield Token("text", text[start:])


def _closing(text: str, opening: int) -> int:
    """The place of the brace that closes the one at `opening`; a form may hold braces, as in `{age:\\d{2}}`."""
    depth, at = 0, opening
    while at < len(text):
        if text[at] == "\\":
            at += 1
        else:
            depth += (text[at] == "{") - (text[at] == "}")
            if not depth:
                return at
        at += 1
    raise ValueError(f"{text!r} has a {{ that no }} closes: write {{label}}, or {{label:form}}")


def _name(inside: str, text: str) -> Token:
    name, colon, form = inside.partition(":")
    if not (name.isidentifier() and name.isascii()):
        raise ValueError(f"{text!r} names {name!r} in braces, but a name is a word of letters, as in {{label}}")
    if colon and not form:
        raise ValueError(f"{text!r} has no form after the colon of {name}: write {{{name}}}, or {{{name}:[0-9]+}}")
    if _written_out(form) > WRITTEN_OUT:
        raise ValueError(f"{text!r} repeats a part of {name}'s form more than {WRITTEN_OUT:,} times: use + or *")
    # By itself, for `a)|(b` would change what stands around it.
    if _checked(form, text).groupindex:
        raise ValueError(f"{text!r} names a part within the form of {name}: write (...) instead of (?P<...>...)")
    return Token("name", name, form)


def _written_out(form: str) -> int:
    """The length of a form once each part that is to stand at least n times is written n times."""
    lengths, last = [0], 0  # of the groups that are open; of what a count after it repeats
    for token in re.finditer(r"\\.|\[(?:\\.|[^]\\])*\]|[()]|\{([0-9]+)[^}]*\}|.", form, re.DOTALL):
        if token[0] == "(":
            lengths.append(1)
        elif token[0] == ")" and len(lengths) > 1:
            last = lengths.pop()
            lengths[-1] += last
        else:
            more = last * (int(token[1]) - 1) if token[1] else 1
            last = last + more if token[1] else 1
            lengths[-1] += more
    return sum(lengths)


def column_form(form: str) -> Callable[[str], str | None]:
    """A function that takes the label out of a value, as `{label} *` takes the first word; it gives None if it cannot.

    Here a name is one word, and `*` any text. Raises ValueError, one sentence, where the form is none.
    """
    if len(form) > LONGEST:
        raise ValueError(f"a form of {len(form):,} characters is longer than the {LONGEST:,} allowed")
    tokens = tuple(_tokens(form))
    if "label" not in [token.text for token in tokens if token.kind == "name"]:
        raise ValueError(f"{form!r} must say where the label stands, as in '{{label}} *'")
    expression = _compiled(tokens, form, name=r"\S+", star=".*")

    def label(value: str) -> str | None:
        try:
            found = expression.fullmatch(value, timeout=SECONDS)
        except TimeoutError:
            raise UserError(
                f"{DATASETS}: the form {form!r} is not done with {value[:200]!r}: use a simpler one"
            ) from None
        return found["label"] if found else None

    return label


def _compiled(
    tokens: tuple[Token, ...], text: str, *, name: str = "[^/]+", star: str = "[^/]*"
) -> "regex.Pattern[str]":
    return _checked("".join(_expressions(tokens, name, star)), text)


@lru_cache(10_000)  # an entry's patterns are compiled to be checked, and to be used; regex itself keeps 500
def _checked(expression: str, text: str) -> "regex.Pattern[str]":
    try:
        return regex.compile(expression, regex.DOTALL)
    except (regex.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{text!r} holds no regular expression after its colon ({error})") from None


def _expressions(tokens: tuple[Token, ...], name: str, star: str) -> Iterator[str]:
    """The regular expression of each token; a name that stands again must match the same text."""
    seen = set[str]()
    skip = 0
    end = Token("text")
    for before, token, after in zip((Token("text", "/"), *tokens[:-1]), tokens, (*tokens[1:], end), strict=True):
        text, skip = token.text[skip:] if token.kind == "text" else token.text, 0
        if token.kind == "text":
            yield regex.escape(text)
        elif token.kind == "star":
            yield star
        elif token.kind == "stars":
            # Between slashes it stands for no folder at all too: a/**/b reaches a/b.
            skip = int(before.text.endswith("/") and after.kind == "text" and after.text.startswith("/"))
            yield "(?:.*/)?" if skip else ".*"
        else:
            yield f"(?P={text})" if text in seen else f"(?P<{text}>{token.form or name})"
            seen.add(text)
