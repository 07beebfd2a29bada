"""Find the picture files that a user names: files, folders, patterns, or `-` for standard input."""

import glob
import os
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from darkroom.base.errors import UserError
from darkroom.pictures.decoding import looks_like_image

T = TypeVar("T")
STDIN = "-"
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def find(named: Sequence[str], skipped: list[str]) -> Iterator[str]:
    """The named pictures, one at a time and in order; files that are passed over are added to `skipped`.

    A named file is taken whatever its name. A folder gives the files in it, at any depth outside hidden folders, whose
    names end like those of pictures. A pattern (`*`, `?`, `[a-z]`, `**` for folders of any depth) is resolved here, so
    that a user may quote it. A name that does not exist is returned too: the error comes when it is opened. Standard
    input is one picture, however often it is named. Raises UserError for an empty name, and for a pattern that
    matches nothing, or an address of the web.
    """
    read = False
    for name in named:
        if not name:
            raise UserError("an empty name is no picture: name a file, a folder (. is this one) or a pattern")
        if ADDRESS.match(name):
            raise UserError(
                f"{name} is an address, and pictures are read from files alone: `curl -LO '{name}'` brings it here, "
                "then name the file"
            )
        if name == STDIN and read:
            continue
        read = read or name == STDIN
        path = Path(name)
        if path.is_dir():
            yield from _below(name, skipped)
        elif name == STDIN or path.exists() or not glob.has_magic(name):
            yield name
        else:
            matches = sorted(glob.iglob(name, recursive=True))  # noqa: PTH207  Path.glob takes no absolute pattern
            if not matches:
                raise UserError(f"no file matches {name}: check the pattern, and the folder you are in")
            for match in matches:
                if Path(match).is_dir():
                    yield from _below(match, skipped)
                elif looks_like_image(Path(match).name):
                    yield match
                else:
                    skipped.append(match)


def _below(folder: str, skipped: list[str]) -> Iterator[str]:
    """The pictures in a folder and the folders below it, sorted; other files are added to `skipped`."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__MACOSX")
        for name in sorted(files):
            if looks_like_image(name):
                yield os.path.join(place, name)  # noqa: PTH118  100,000 Path objects would take a second
            else:
                skipped.append(os.path.join(place, name))  # noqa: PTH118


def content(name: str) -> str | bytes:
    """The argument of `Classifier.open`: the name itself, or for `-` the bytes on standard input."""
    return sys.stdin.buffer.read() if name == STDIN else name


def title(name: str) -> str:
    """How errors call the picture."""
    return "standard input" if name == STDIN else name


def batches(items: Iterator[T], count: int) -> Iterator[list[T]]:
    """Lists of `count` items each; the last one may be shorter."""
    while part := list(islice(items, count)):
        yield part
