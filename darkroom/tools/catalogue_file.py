"""Adds an entry to datasets.yaml, the catalogue, behind what stands there, of which no byte changes."""

import shutil
import textwrap
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import Node

from darkroom.base.errors import UserError
from darkroom.base.files import replacing
from darkroom.base.paths import DATASETS
from darkroom.config.yaml_files import read_yaml


def entries(path: Path = DATASETS) -> dict[str, Any]:
    """All entries, unchecked; none where the file holds comments alone. Raises UserError where it is no catalogue."""
    return {} if path.is_file() and _is_empty(path.read_bytes()) else read_yaml(path)


def append(name: str, text: str, content: dict[str, Any], path: Path = DATASETS) -> None:
    """Add the entry `name`: `text`, the lines of YAML, which must read back as `content`.

    The file is replaced at once, and only by one that holds all entries as they were. Raises UserError if it has the
    name already or ends in a way that nothing can follow, and OSError if it may not be written; then nothing changes.
    """
    before, old = entries(path), path.read_bytes()
    if name in before:
        raise UserError(f"{path} has an entry {name} already: choose another one with --name")
    target = path.resolve()  # a link stays a link
    if not target.stat().st_mode & 0o222:  # renaming another file onto it would work all the same
        raise UserError(f"{path} is write-protected: chmod u+w {path}, and run again")
    with replacing(target) as partial:
        # An empty line before the entry would change a last value that keeps its line ends.
        for between in ("\n", ""):
            partial.write_bytes(old + _following(old, between, text))
            if _holds(partial, before | {name: content}):
                shutil.copymode(target, partial)
                break
        else:
            raise UserError(
                f"no entry can follow the last one of {path} as that is written: put the entries at the top level, a "
                "key a line, without braces, and end the file with a line end"
            )


def _following(old: bytes, between: str, text: str) -> bytes:
    """What to append to a file: the entry, with the line ends of the file, and indented as its entries are."""
    top = _top(old)
    indent = top.value[0][0].start_mark.column if top is not None and top.value else 0
    lines = textwrap.indent(text, " " * indent)
    ended = not old or old.endswith((b"\n", b"\r"))
    added = ("" if ended else "\n") + (between if old.strip() else "") + lines
    return (added.replace("\n", "\r\n") if b"\r\n" in old else added).encode()


def _top(content: bytes) -> Node | None:
    """The outermost node of YAML; None where there is none."""
    node: Node | None = YAML(typ="safe", pure=True).compose(content.decode())
    return node


def _is_empty(content: bytes) -> bool:
    try:
        return _top(content) is None
    except (YAMLError, ValueError):
        return False  # `read_yaml` says what is wrong


def _holds(file: Path, wanted: dict[str, Any]) -> bool:
    try:
        # As texts, for the not-a-number of YAML differs from itself.
        return repr(read_yaml(file)) == repr(wanted)
    except UserError:
        return False
