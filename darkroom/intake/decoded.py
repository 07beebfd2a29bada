"""The decoded pictures of the last archive, kept so that other names or corrections of labels decode nothing again.

They lie under `.decoded` at the root of the repository, outside the outputs of the pipeline, in a folder named by a
hash of everything that decides them: the archive, the entry without its names, the settings and the code. The output
is the same file until DVC has moved it to its cache, by a copy where the file system cannot share one: then the kept
pixels take room of their own. `.decoded` may be deleted at any time.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL
import pyarrow as pa
import pyarrow.feather as feather
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from darkroom.base import paths
from darkroom.base.files import code_of, fingerprint, remove, replacing_folder
from darkroom.intake.scratch import write_head

# Every file in these counts: changed code decodes anew.
DECISIVE_ROOMS = ("base", "config", "pictures", "intake")
OPTIONAL = ("pydicom", "pillow_heif")  # readers without which pictures are rejected
COPY_BYTES = 2**24
PIXELS, TABLE, REST = "images.npy", "index.arrow", "rest.json"
RESTORED = ("rejected", "passed_over", "labels_from", "labels_are_folders", "warnings")  # what REST holds of a result


@dataclass
class Decoded:
    """What came out of an archive: the pictures in `pixels`, and a row for each in `table` (see `packing.pack`)."""

    pixels: Path
    table: pa.Table
    rejected: list[tuple[str, str]]  # path and reason
    passed_over: list[tuple[str, str, int, str]]  # folder, reason, number of files, the first of them
    labels_from: str  # for people
    labels_are_folders: bool
    warnings: list[str] = field(default_factory=list)


@contextmanager
def kept(facts: Any, decode: Callable[[Path], Decoded]) -> Iterator[Decoded]:
    """The pictures decoded with these facts (JSON), kept from before, or made now by `decode` in an empty folder."""
    versions = [cv2.__version__, PIL.__version__, *(name for name in OPTIONAL if find_spec(name))]
    folder = paths.root() / ".decoded" / fingerprint([facts, *versions], code_of(DECISIVE_ROOMS))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(folder.parent / "lock"):
        found = _read(folder)
        if found is None:
            for other in folder.parent.iterdir():
                if other.is_dir():
                    remove(other)  # one is kept: a set can be large
            with replacing_folder(folder) as partial:
                _write(decode(partial), partial)
            found = _read(folder)
            assert found is not None
        yield found


@contextmanager
def _only_one(file: Path) -> Iterator[None]:
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print("another process decodes pictures of this repository: waiting until it is done", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _write(decoded: Decoded, folder: Path) -> None:
    feather.write_feather(decoded.table, folder / TABLE, compression="uncompressed")
    rest = {name: getattr(decoded, name) for name in RESTORED}
    content = json.dumps({"files": _states(folder), **rest})
    (folder / REST).write_text(content, encoding="utf-8")


def _read(folder: Path) -> Decoded | None:
    """What is kept in a folder; None if there is nothing, or if it is no longer as it was written."""
    try:
        rest = json.loads((folder / REST).read_text(encoding="utf-8"))
        if rest.pop("files") != _states(folder):
            return None
        rest["rejected"] = [tuple(one) for one in rest["rejected"]]
        rest["passed_over"] = [tuple(one) for one in rest["passed_over"]]
        table = feather.read_table(folder / TABLE, memory_map=False)
        return Decoded(folder / PIXELS, table, **rest)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException):
        return None


def _states(folder: Path) -> dict[str, list[int]]:
    """Size and time of the files; whoever writes to the output, which may be the same file, changes the time."""
    states = {name: (folder / name).stat() for name in (PIXELS, TABLE)}
    return {name: [state.st_size, state.st_mtime_ns] for name, state in states.items()}


def share(pixels: Path, rows: NDArray[np.int64], target: Path) -> None:
    """Write these rows of an array of pictures (.npy) to `target`; all of them are linked where that can be."""
    images = np.load(pixels, mmap_mode="r")
    if len(rows) == len(images):
        try:
            os.link(pixels, target)
        except OSError:
            shutil.copyfile(pixels, target)
        return
    with target.open("wb") as copy:
        write_head(copy, (len(rows), *images.shape[1:]))
        step = max(1, COPY_BYTES // max(1, images[0].nbytes))
        for start in range(0, len(rows), step):
            copy.write(np.ascontiguousarray(images[rows[start : start + step]]).data)
