"""Processes that train as one watch over one another: when one ends or is lost, the others end with a sentence.

Every two seconds each process writes a sign of life into their common table (`darkroom.training.meeting`) and reads
those of the others, in a thread. So a collective operation may wait long, for the slow disk or the validation of one
process; yet all notice a lost process within half a minute, even if the operation itself hears of no error.
"""

import atexit
import contextlib
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from torch.distributed import DistError

from darkroom.base.errors import UserError
from darkroom.training.meeting import Hello, Table

BEAT = 2.0  # seconds between two signs of life
SILENT = 30.0  # seconds without one, after which a process counts as lost
GRACE = 15.0  # seconds in which a process ends by itself when another was lost
COLLECTIVE_ERROR = re.compile("gloo|nccl|connection|peer|socket|timed out", re.IGNORECASE)
WELL = "well"  # what a process writes that has done its part
AGAIN = "start the same command again on every node: the training goes on after the last epoch that was saved"


class Lost(UserError):
    """Another process of this training has ended or was lost. All remaining processes raise the same sentence."""


class Peers:
    """All processes of this training, by rank; `rank` is this process's own, `store` the table that they share."""

    def __init__(self, store: Table, hellos: dict[int, Hello], rank: int) -> None:
        self.hellos, self.rank = hellos, rank
        self._others = sorted(hellos.keys() - {rank})
        self._store = store
        self._reason = ""  # why the training cannot go on
        self._end = threading.Event()
        now = time.monotonic()
        self._heard = dict.fromkeys(self._others, now)  # when a sign of life of each came last
        self.put("beat", "0")
        self.put("ended", "")
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._beat, self._watch)]
        for thread in self._threads:
            thread.start()

    def put(self, topic: str, text: str) -> None:
        """Write a text for the others."""
        self._store.set(f"{topic}/{self.rank}", text)

    def get(self, topic: str, rank: int) -> str:
        """Wait for the text that a process writes, and return it. Raises Lost if that process is lost before."""
        while not self._store.check([f"{topic}/{rank}"]):
            if self._reason:
                raise Lost(self._reason)
            time.sleep(0.05)
        return self._store.get(f"{topic}/{rank}").decode()

    def _beat(self) -> None:
        """The thread that writes signs of life and reads those of the others, by a connection of its own."""
        store = self._store.clone()
        keys = [f"{topic}/{rank}" for topic in ("beat", "ended") for rank in self._others]
        before: dict[int, bytes] = {}
        count = 0
        while not self._end.wait(BEAT if count else 0):
            count += 1
            try:
                store.set(f"beat/{self.rank}", str(count))
                found = store.multi_get(keys)
                if self._reason:
                    store.set(f"ended/{self.rank}", self._reason)
            except DistError:  # the first process, which keeps the table, is gone
                self._blame(0, "was lost")
                return
            beats = dict(zip(self._others, found, strict=False))
            ended = [text.decode() for text in found[len(beats) :]]
            for rank, how in zip(self._others, ended, strict=True):
                if how == WELL or beats[rank] != before.get(rank):
                    self._heard[rank] = time.monotonic()
                elif how and not self._reason:
                    self._reason = how
            before = beats

    def _watch(self) -> None:
        """The thread that ends this process if another is lost and an operation still waits for it after GRACE."""
        while not self._end.wait(0.5):
            self._blame_silent(SILENT, f"was lost: nothing was heard of it for {SILENT:.0f} seconds")
            if self._reason:
                if not self._end.wait(GRACE):
                    sys.stdout.flush()
                    print(f"error: {Lost(self._reason)}", file=sys.stderr, flush=True)
                    os._exit(1)
                return

    def _blame_silent(self, limit: float, what: str) -> None:
        """Name a process that has given no sign of life for `limit` seconds as the reason to end."""
        now = time.monotonic()
        silent = [rank for rank in self._others if now - self._heard[rank] > limit]
        if silent:  # if all are silent, the first is lost, for it keeps the table
            self._blame(min(silent), what)

    def _blame(self, rank: int, what: str) -> None:
        if not self._reason:
            self._reason = f"{self.hellos[rank].name} {what}; {AGAIN}"

    def leave(self, error: BaseException | None = None) -> str:
        """Tell the others how this process ends. Returns the reason if it is another process, else an empty text.

        A collective operation fails if a process is gone, but does not say which one, nor why; the table does.
        """
        # 1. After a failed operation, wait until the table or a silence names the process that is gone.
        failed = isinstance(error, RuntimeError) and bool(COLLECTIVE_ERROR.search(str(error)))
        end = time.monotonic() + 4 * BEAT
        while failed and not self._reason and time.monotonic() < end:
            time.sleep(0.1)
            self._blame_silent(3 * BEAT, "was lost")
        reason = self._reason if failed or isinstance(error, Lost) else ""
        # 2. Write how this process ends; the first one keeps the table, so it stays until the others have read it.
        with contextlib.suppress(DistError):
            self.put("ended", reason or self._last_words(error))
            end = time.monotonic() + (3 * BEAT if error is not None and self.rank == 0 else 0)
            while time.monotonic() < end and not all(self._has_ended(rank) for rank in self._others):
                time.sleep(0.1)
        # 3. End the threads.
        self._end.set()
        for thread in self._threads:
            thread.join(1)  # a thread that comes back from C++ while Python ends would abort the process
        return reason

    def _has_ended(self, rank: int) -> bool:
        return bool(self._store.get(f"ended/{rank}")) or time.monotonic() - self._heard[rank] > 3 * BEAT

    def _last_words(self, error: BaseException | None) -> str:
        name = self.hellos[self.rank].name
        if error is None:
            return WELL
        if isinstance(error, KeyboardInterrupt):
            return f"{name} was interrupted; {AGAIN}"
        if isinstance(error, UserError):
            return f"{name} ended: {error}"
        return f"{name} ended: {type(error).__name__}: {str(error).partition(chr(10))[0]}"


@dataclass
class _Process:
    peers: Peers | None = None


_here = _Process()  # a process belongs to one training, as it has one default group in torch.distributed


def peers() -> Peers | None:
    """The processes that train as one with this one; None if it trains alone."""
    return _here.peers


def watch(store: Table, hellos: dict[int, Hello], rank: int) -> None:
    """Begin to watch over one another, until `together` ends or this process does."""
    _here.peers = Peers(store, hellos, rank)
    atexit.register(_leave)


def _leave(error: BaseException | None = None) -> str:
    left, _here.peers = _here.peers, None
    return left.leave(error) if left else ""


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Run a block that ends in every process of the training when it fails in one. Raises Lost in the others."""
    try:
        yield
    except BaseException as error:
        if reason := _leave(error):
            raise Lost(reason) from None
        raise
    _leave()
