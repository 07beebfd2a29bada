"""Each measurement runs in an interpreter of its own, so that no side inherits memory, threads or settings.

    python -m benchmarks.fresh MODULE FUNCTION ARGUMENTS ONE_CORE

calls one function and prints the figures that it returns, as JSON.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from darkroom.console import bar

Figures = dict[str, float]

ROOT = Path(__file__).absolute().parents[1]


def fresh(function: Callable[..., Figures], *arguments: str | int, one_core: bool = False) -> Figures:
    """Call a function of a module in a new process, on one core if asked for, and return its figures."""
    call = [function.__module__, function.__name__, json.dumps(arguments), str(int(one_core))]
    # Both outputs are caught: a progress bar on a terminal would be part of what is measured.
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fresh", *call], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{call[0]}.{call[1]} failed:\n{done.stderr}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def best(sides: Mapping[str, Callable[[], Figures]], repeats: int) -> dict[str, Figures]:
    """Run the sides in turn, so that a busy minute hits each of them; the smallest value of each figure counts."""
    found: dict[str, Figures] = {name: {} for name in sides}
    turns = [name for _ in range(repeats) for name in sides]
    shown = bar(what="measure", unit="run", items=turns)
    for name in shown:
        shown.set_description(name)
        for key, value in sides[name]().items():
            found[name][key] = min(value, found[name].get(key, value))
    return found


@contextmanager
def clock() -> Iterator[Figures]:
    """Seconds of the block, by the clock on the wall and of CPU time in all threads of this process."""
    figures: Figures = {}
    wall, cpu = time.perf_counter(), time.process_time()
    yield figures
    figures["cpu"], figures["wall"] = time.process_time() - cpu, time.perf_counter() - wall


def peak_mb() -> float:
    """The most memory that this process ever held, in megabytes.

    Not getrusage's ru_maxrss: Linux hands that on through fork and exec, so a child of a large process is told its
    parent's. The kernel keeps VmHWM for each program anew.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("/proc/self/status has no VmHWM")


def main() -> None:
    module, name, arguments, one_core = sys.argv[1:]
    if int(one_core):
        # Before the import: libraries count the cores when they load.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    function: Any = getattr(importlib.import_module(module), name)
    print(json.dumps(function(*json.loads(arguments))))


if __name__ == "__main__":
    main()
