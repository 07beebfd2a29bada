"""The checkpoint from which a killed training resumes; it is removed when the training has ended.

It lies under `.checkpoints/<fingerprint>` at the root of the repository, outside the outputs of the pipeline. The
fingerprint is a hash of everything that decides the result, so that no other training resumes from it.
"""

import contextlib
import hashlib
import io
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from darkroom.base import paths
from darkroom.base.files import code_of, read_json, remove, replacing, write_json
from darkroom.config import own_code

PARTS = "parts.json"
KEPT = 8  # checkpoints of other trainings that were killed and never resumed
# Every file in these counts: a killed training never resumes with changed code.
DECISIVE_ROOMS = ("base", "config", "dataset", "augment", "network", "training")


def decisive_files() -> list[Path]:
    """The files of data and code that, besides the parameters, decide the result of a training."""
    return [paths.INDEX, paths.CLASSES, paths.SPLIT, paths.STATS, *code_of(DECISIVE_ROOMS), *own_code.files()]


class Checkpoint:
    """The saved state of the training with this fingerprint.

    While another process runs the same training, this one gets a folder of its own, from which none resumes later.
    """

    def __init__(self, fingerprint: str) -> None:
        self.folder = paths.root() / ".checkpoints" / fingerprint
        self._fingerprint = fingerprint
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.folder / "lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            self.folder = Path(tempfile.mkdtemp(prefix=f"{fingerprint}-", dir=self.folder.parent))
            self._lock = FileLock(self.folder / "lock")
            self._lock.acquire()
        self._state = self.folder / "state"
        self._mark_newest()
        with contextlib.suppress(OSError):  # another process may remove them at the same time
            remove_old(self.folder, KEPT)

    def load(self) -> dict[str, Any] | None:
        """The state that was saved last; None if there is none or, with a warning, if it is damaged or another's."""
        if not self._state.is_file():
            return None
        whole = self._state.read_bytes()
        digest, content = whole[:32], whole[32:]
        reason = "is damaged"
        if hashlib.sha256(content).digest() == digest:
            try:
                found: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
                if found["fingerprint"] == self._fingerprint:
                    return found
                reason = "is of another training"
            except Exception:  # torch may raise anything for a file that is not its own
                reason = "cannot be read"
        print(f"warning: the checkpoint {self._state} {reason}: training starts from the beginning", file=sys.stderr)
        return None

    def save(self, state: dict[str, Any]) -> None:
        """Replace the saved state by `state`, which holds dicts, lists, numbers, strings and tensors."""
        content = io.BytesIO()
        torch.save(state | {"fingerprint": self._fingerprint}, content)
        with replacing(self._state) as partial:
            partial.write_bytes(hashlib.sha256(content.getbuffer()).digest() + content.getbuffer())
        self._mark_newest()

    def _mark_newest(self) -> None:
        """Date the lock after those of all other trainings, also where the clock has gone back meanwhile."""
        with contextlib.suppress(OSError):  # another process may remove them at the same time
            others = [_age(folder) for folder in self.folder.parent.glob("*/") if folder != self.folder]
            moment = max(time.time_ns(), *(other + 1 for other in others), 0)
            os.utime(self.folder / "lock", ns=(moment, moment))

    def note_parts(self, asked: str, parts: int) -> None:
        """Note the number of parts that `train.accumulate: auto` became, for `parts_of` with the same `asked`."""
        write_json(self.folder / PARTS, {"asked": asked, "parts": parts})

    def clear(self) -> None:
        """Remove the checkpoint: the training has ended and its outputs are written."""
        self._lock.release()
        remove(self.folder)


def parts_of(asked: str) -> int | None:
    """The parts of a batch in which a killed training goes on; None if there is none.

    `asked` is a hash of what decides the result but for the number of parts, which depends on the free memory.
    """
    for file in sorted((paths.root() / ".checkpoints").glob(f"*/{PARTS}")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # damaged, or removed at the same time
            found = read_json(file)
            if isinstance(found, dict) and found.get("asked") == asked and (file.parent / "state").is_file():
                return int(found["parts"])
    return None


def remove_old(ours: Path, kept: int) -> None:
    """Remove the folders beside `ours` but for the `kept` newest ones; those whose lock is held are at work."""
    others = [folder for folder in ours.parent.iterdir() if folder.is_dir() and folder != ours]
    for folder in sorted(others, key=_age)[:-kept]:
        try:
            with FileLock(folder / "lock", timeout=0):
                remove(folder)
        except Timeout:
            continue


def _age(folder: Path) -> int:
    """The moment when a training last said that it is the newest, in nanoseconds; see `Checkpoint`."""
    lock = folder / "lock"  # missing where a process was killed just after it had made the folder
    return (lock if lock.exists() else folder).stat().st_mtime_ns
