"""The output of `darkroom predict`: lines for people, CSV, or one JSON object a line."""

import codecs
import csv
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TextIO

from darkroom.base.console import replace_unencodable_letters
from darkroom.base.errors import printable

if TYPE_CHECKING:
    from darkroom.classifier.inference import Prediction

Form = Literal["text", "csv", "json"]


def writer(form: Form, top_k: int) -> "Callable[[dict[str, Prediction]], None]":
    """A function that prints one batch of predictions, by the names of their pictures, each time it is called."""
    if form == "csv":
        codecs.register_error("name", _encode_unchanged)
        replace_unencodable_letters("name")
        table = csv.writer(sys.stdout, lineterminator="\n")
        ranks = [f"{name}_{rank}" for rank in range(1, top_k + 1) for name in ("class", "probability")]
        table.writerow(["picture", *ranks, "unlike", "reasons", "inverted"])
        return lambda part: table.writerows(_row(name, found) for name, found in part.items())
    return _lines if form == "json" else _text


def _encode_unchanged(error: UnicodeError) -> tuple[str | bytes, int]:
    """An encoding error handler, by which a file name that is not UTF-8 is printed with its original bytes."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeEncodeError:
        return codecs.lookup_error("replace")(error)


def _row(name: str, found: "Prediction") -> list[object]:
    pairs = zip(found.classes, found.probabilities, strict=True)
    values = [value for label, share in pairs for value in (label, round(share, 6))]
    unlike = "" if found.unlike is None else round(found.unlike, 3)
    return [name, *values, unlike, "; ".join(found.reasons), str(found.inverted).lower()]


def _lines(part: "dict[str, Prediction]") -> None:
    for name, found in part.items():
        classes = dict(zip(found.classes, (round(value, 6) for value in found.probabilities), strict=True))
        unlike = None if found.unlike is None else round(found.unlike, 3)
        line = {
            "picture": name,
            "classes": classes,
            "unlike": unlike,
            "reasons": found.reasons,
            "inverted": found.inverted,
        }
        print(json.dumps(line, ensure_ascii=not name.isprintable() or not _is_utf8(sys.stdout)))


def _is_utf8(stream: TextIO) -> bool:
    return codecs.lookup(stream.encoding or "utf-8").name == "utf-8"


def _text(part: "dict[str, Prediction]") -> None:
    shown = {name: printable(name) for name in part}
    width = max(map(len, shown.values()), default=0)
    for name, found in part.items():
        pairs = zip(found.classes, found.probabilities, strict=True)
        best = "  ".join(f"{printable(label)} {value:.2%}" for label, value in pairs)
        print(f"{shown[name]:{width}}  {best}{'  (its negative)' if found.inverted else ''}{_doubt(found)}")


def _doubt(found: "Prediction") -> str:
    """A warning if the picture is unlike the training images; else an empty text."""
    if found.unlike is None or found.unlike <= 1:
        return ""
    why = f": {'; '.join(found.reasons)}" if found.reasons else ""
    return f"  unlike the training images ({found.unlike:.1f} times the limit){why}"
