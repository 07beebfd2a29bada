"""Files that appear whole or not at all: each is written beside its place under a `.partial` name, then renamed."""

import csv
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to, a file or a folder; when the block ends well, it replaces `path`.

    The temporary name holds this process's number, for a stage can outlive a DVC that was killed and may still write.
    Temporary files of processes that have ended are removed first. Raises OSError, naming `path`, for trouble of the
    system such as a full disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
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
        # Libraries written in Rust, such as safetensors, raise their own types for errors of the system.
        if found := re.search(r"\(os error (\d+)\)", str(error)):
            raise OSError(int(found[1]), os.strerror(int(found[1])), str(path)) from None
        raise
    finally:
        remove(partial)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """As `replacing`, for a folder: the temporary folder exists and is empty when the block begins."""
    with replacing(path) as partial:
        partial.mkdir()
        yield partial


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files that killed processes left beside `path`."""
    name = re.compile(rf"\.{re.escape(path.name)}\.(?:(\d+)\.)?partial")
    for leftover in path.parent.iterdir():
        found = name.fullmatch(leftover.name)
        if found and not _is_alive(found[1]):
            remove(leftover)


def _is_alive(process: str | None) -> bool:
    """Whether another process with this number runs."""
    if process is None or int(process) == os.getpid():
        return False
    try:
        os.kill(int(process), 0)
    except OSError as error:
        return isinstance(error, PermissionError)  # it runs, under another user
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
    # Readers take a bare carriage return for the end of a line, and pandas does not quote it by itself.
    has_return = any(text.astype("string").str.contains("\r", regex=False).any() for text in texts)
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if has_return else csv.QUOTE_MINIMAL
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


def md5(path: Path) -> str:
    """The md5 of a file, in hexadecimal, by which DVC knows it."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def code_of(rooms: Iterable[str]) -> list[Path]:
    """The modules of these rooms, at any depth."""
    package = Path(__file__).parents[1]
    return [file for room in rooms for file in (package / room).rglob("*.py")]


def fingerprint(facts: Any, files: Iterable[Path]) -> str:
    """A hash of facts (JSON) and the content of files."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for file in sorted(files):
        digest.update(f"\0{file.name}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:32]
