"""The processes that train as one watch over one another: when one ends or is lost, the others end with a sentence.

Each writes a sign of life into their common table (`darkroom.training.meeting`) every two seconds, beside its work, and
reads those of the others. So an operation over all processes may wait as long as it must, for a slow disk, a validation
or a server of one of them; and yet a lost one is noticed within half a minute, also where its network is gone and the
operation hears nothing.
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
TALK = re.compile("gloo|nccl|connection|peer|socket|timed out", re.IGNORECASE)  # errors of operations over processes
WELL = "well"  # of a process that has done its part
AGAIN = "start the same command again on every node: the training goes on after the last epoch that was saved"


class Lost(UserError):
    """Another process of this training has ended or was lost. All that are left say the same sentence."""


class Peers:
    """All processes of this training, by their number; `rank` is this one's, `store` the table that they share."""

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
        """What a process has written, as soon as it has. Raises Lost where it cannot any more."""
        while not self._store.check([f"{topic}/{rank}"]):
            if self._reason:
                raise Lost(self._reason)
            time.sleep(0.05)
        return self._store.get(f"{topic}/{rank}").decode()

    def _beat(self) -> None:
        """A thread with a connection of its own: it writes signs of life and reads those of the others."""
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
        """A thread that ends this process where another was lost, and an operation that waits for it does not end."""
        while not self._end.wait(0.5):
            self._judge(SILENT, f"was lost: nothing was heard of it for {SILENT:.0f} seconds")
            if self._reason:
                if not self._end.wait(GRACE):
                    sys.stdout.flush()
                    print(f"error: {Lost(self._reason)}", file=sys.stderr, flush=True)
                    os._exit(1)
                return

    def _judge(self, limit: float, what: str) -> None:
        """Blame who has given no sign of life for so many seconds."""
        now = time.monotonic()
        silent = [rank for rank in self._others if now - self._heard[rank] > limit]
        if silent:  # where nobody is heard, the first is: it keeps the table
            self._blame(min(silent), what)

    def _blame(self, rank: int, what: str) -> None:
        if not self._reason:
            self._reason = f"{self.hellos[rank].name} {what}; {AGAIN}"

    def leave(self, error: BaseException | None = None) -> str:
        """Tell the others how this process ends; gives why it does, where another process is the reason.

        An operation over all processes fails where another is gone, but does not say which, nor why: signs of life do.
        """
        failed = isinstance(error, RuntimeError) and bool(TALK.search(str(error)))
        end = time.monotonic() + 4 * BEAT
        while failed and not self._reason and time.monotonic() < end:
            time.sleep(0.1)
            self._judge(3 * BEAT, "was lost")
        reason = self._reason if failed or isinstance(error, Lost) else ""
        with contextlib.suppress(DistError):
            self.put("ended", reason or self._last_words(error))
            # The first keeps the table: it stays until the others have read that.
            end = time.monotonic() + (3 * BEAT if error is not None and self.rank == 0 else 0)
            while time.monotonic() < end and not all(self._has_ended(rank) for rank in self._others):
                time.sleep(0.1)
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
    """Those with which this process trains as one; None where it trains alone."""
    return _here.peers


def watch(store: Table, hellos: dict[int, Hello], rank: int) -> None:
    """Begin to watch over one another: until `together` ends, or this process."""
    _here.peers = Peers(store, hellos, rank)
    atexit.register(_leave)


def _leave(error: BaseException | None = None) -> str:
    left, _here.peers = _here.peers, None
    return left.leave(error) if left else ""


@contextlib.contextmanager
def together() -> Iterator[None]:
    """What is done in it ends in every process of the training when it fails in one. Raises Lost in those others."""
    try:
        yield
    except BaseException as error:
        if reason := _leave(error):
            raise Lost(reason) from None
        raise
    _leave()
