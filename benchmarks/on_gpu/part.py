"""The parts of the measurements on a GPU: each runs in a process of its own, with a time of its own.

A GPU that met an illegal access serves its process no more, and a process that waits for a GPU may wait for ever: so
what fails or hangs takes nothing with it but its own part, and what that had told stays.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from darkroom.base import torch_setup

Row = dict[str, Any]  # figures and words by what they are; `passed` where it is a test
Start = Literal["fork", "spawn"]
LEAST_SECONDS = 3  # what is left of the time, below which no part begins


@dataclass(frozen=True, slots=True)
class Setting:
    """What a part is given."""

    device: str  # cuda, or cpu where there is none
    small: bool  # so little work that it shows only that it runs
    work: Path  # folder for what is written
    archives: Path | None  # folder of real archives
    cifar: Path | None  # archive of CIFAR-10
    start: Start = "fork"  # how further processes are started
    deadline: float = float("inf")  # of this part, by time.monotonic()

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()


@dataclass(frozen=True, slots=True)
class Part:
    """A function that yields rows, and the seconds that it may take at most."""

    group: str
    name: str
    function: Callable[..., Iterator[Row]]
    seconds: float
    arguments: tuple[Any, ...] = ()


class LeftOut(Exception):
    """Why a part, or the rest of it, cannot be run here."""


def run(part: Part, setting: Setting, log: Path) -> Row:
    """Run a part; give its rows, its seconds, and why it failed (`error`) or was left out (`left_out`), if so.

    What it prints goes to `log`.
    """
    started = time.monotonic()
    found: Row = {"group": part.group, "name": part.name, "rows": [], "error": None, "left_out": None}
    if setting.left < LEAST_SECONDS:
        return found | {"left_out": "no time was left", "seconds": 0.0}
    setting = replace(setting, deadline=min(setting.deadline, started + part.seconds))
    context: Any = multiprocessing.get_context(setting.start)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(part, setting, theirs, log))
    process.start()
    theirs.close()
    try:
        for kind, content in _messages(ours, setting):
            if kind == "row":
                found["rows"].append(content)
            elif kind == "cut":
                found["error"] = f"cut after {time.monotonic() - started:.0f} s, its time"
            elif kind == "died":
                process.join(5)
                found["error"] = f"the process died, exit code {process.exitcode}; see {log}"
            elif kind != "end":
                found[kind] = content
    finally:
        _end(process)
    return found | {"seconds": round(time.monotonic() - started, 2)}


def _messages(connection: Connection, setting: Setting) -> Iterator[tuple[str, Any]]:
    """What the process tells, its last word included: `died` where it had none, `cut` where its time is over."""
    kind = "row"
    while kind == "row":
        if not connection.poll(max(0.0, setting.left)):
            yield "cut", None
            return
        try:
            kind, content = connection.recv()
        except EOFError:
            kind, content = "died", None
        yield kind, content


def _end(process: Any) -> None:
    """End the process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()  # where it had come to no group of its own
    process.join()


def _work(part: Part, setting: Setting, connection: Connection, log: Path) -> None:
    """In the process of the part: run it, in a folder of its own, and tell."""
    os.setsid()
    with log.open("a", encoding="utf-8") as stream:
        for number in (1, 2):
            os.dup2(stream.fileno(), number)
    print(f"\n=== {part.group}: {part.name}", flush=True)
    folder = setting.work / f"{part.group}-{part.name}".replace(" ", "-").replace("/", "-")
    folder.mkdir()
    os.chdir(folder)
    if setting.start == "spawn":  # else the settings came with the fork
        torch_setup.torch_for(threads=1 if setting.small else 0, portable=False)
    try:
        for row in part.function(setting, *part.arguments):
            connection.send(("row", row))
        sys.stdout.flush()
        connection.send(("end", None))
    except LeftOut as reason:
        connection.send(("left_out", str(reason)))
    except BaseException as error:
        traceback.print_exc()
        connection.send(("error", f"{type(error).__name__}: {error}"[:2000]))
