"""Files that appear whole or not at all: written beside their place under a `.partial` name, then renamed."""

import csv
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; when the block ends well it takes the place of `path`.

    Works for a file and for a folder. The name is this process's own, for the stage of a DVC that was killed may still
    be at work; what processes left that are gone is removed.
    Trouble of the system, as a full disk, is an OSError that names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _tidy(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        if partial.is_dir():
            remove(path)
        partial.replace(path)
    except OSError as error:
        if error.filename is None:  # writing to an open file fails without a name
            error.filename = str(path)
        raise
    except Exception as error:
        # Libraries in Rust, as safetensors, have errors of their own.
        if found := re.search(r"\(os error (\d+)\)", str(error)):
            raise OSError(int(found[1]), os.strerror(int(found[1])), str(path)) from None
        raise
    finally:
        remove(partial)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """As `replacing`, for a folder: the temporary one is there, and empty, when the block begins."""
    with replacing(path) as partial:
        partial.mkdir()
        yield partial


def _tidy(path: Path) -> None:
    """Remove what killed processes left of `path`."""
    name = re.compile(rf"\.{re.escape(path.name)}\.(?:(\d+)\.)?partial")
    for left in path.parent.iterdir():
        found = name.fullmatch(left.name)
        if found and not _is_at_work(found[1]):
            remove(left)


def _is_at_work(process: str | None) -> bool:
    """Whether this is the number of another process that lives."""
    if process is None or int(process) == os.getpid():
        return False
    try:
        os.kill(int(process), 0)
    except OSError as error:
        return isinstance(error, PermissionError)  # it lives, and is another user's
    return True


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; no error where there is neither."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with Unix line ends."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: Any) -> None:
    """Write JSON as a person would: indented, keys in the given order, one newline at the end."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_csv(path: Path, table: "pd.DataFrame") -> None:
    """Write a table without its index, in UTF-8 with Unix line ends."""
    texts = [table[name] for name in table.select_dtypes(["object", "string"])]
    # Readers take a bare carriage return for the end of a line, and the writer does not quote it.
    odd = any(text.astype("string").str.contains("\r", regex=False).any() for text in texts)
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if odd else csv.QUOTE_MINIMAL
    with replacing(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n", encoding="utf-8", quoting=quoting)


def write_parquet(path: Path, table: "pd.DataFrame") -> None:
    """Write a table without its index; the bytes depend on the content alone."""
    with replacing(path) as partial:
        table.to_parquet(partial, index=False)


def sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
