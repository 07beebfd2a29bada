"""Each measurement runs in an interpreter of its own, so that no side inherits memory, threads or settings.

    python -m benchmarks.fresh MODULE FUNCTION ARGUMENTS ONE_CORE

calls one function and prints the figures that it returns, as JSON.
"""

import importlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from darkroom.base.console import bar

Figures = dict[str, float]

ROOT = Path(__file__).absolute().parents[1]


def fresh(
    function: Callable[..., Figures], *arguments: str | int, one_core: bool = False, packages: Path | None = None
) -> Figures:
    """Call a function of a module in a new process, on one core if asked for, and return its figures.

    `packages` is a folder of further packages, which this process alone can import.
    """
    call = [function.__module__, function.__name__, json.dumps(arguments), str(int(one_core))]
    environment = os.environ | ({"PYTHONPATH": str(packages)} if packages else {})
    # Both outputs are caught: a progress bar on a terminal would be part of what is measured.
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fresh", *call],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{call[0]}.{call[1]} failed:\n{done.stderr}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def best(sides: Mapping[str, Callable[[], Figures]], repeats: int, together: int = 1) -> dict[str, Figures]:
    """Run the sides in turn, so that a busy minute hits each of them; the smallest value of each figure counts.

    More than one `together` disturb one another, and show only that they run.
    """
    found: dict[str, Figures] = {name: {} for name in sides}
    turns = [name for _ in range(repeats) for name in sides]
    with ThreadPoolExecutor(together) as pool:
        runs = pool.map(lambda name: sides[name](), turns)
        for name, figures in zip(turns, bar(what="measure", unit="run", items=runs, total=len(turns)), strict=True):
            for key, value in figures.items():
                found[name][key] = min(value, found[name].get(key, value))
    return found


@contextmanager
def clock() -> Iterator[Figures]:
    """Seconds of the block, by the clock on the wall and of CPU time in all threads of this process.

    CPU time of other processes that this one started, as a DataLoader's workers, counts if they end in the block.
    """
    figures: Figures = {}
    wall, cpu = time.perf_counter(), _cpu_seconds()
    yield figures
    figures["cpu"], figures["wall"] = _cpu_seconds() - cpu, time.perf_counter() - wall


def _cpu_seconds() -> float:
    return time.process_time() + children_cpu()


def children_cpu() -> float:
    """Seconds of CPU time of the processes that this one started and that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def peak_mb() -> float:
    """The most memory that this process ever held, in megabytes.

    Not getrusage's ru_maxrss: Linux hands that on through fork and exec, so a child of a large process is told its
    parent's. The kernel keeps VmHWM for each program anew.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("/proc/self/status has no VmHWM")


def abilities() -> Figures:
    """What torch can do here: half precision in the CPU's own instructions (bf16), a GPU (cuda)."""
    import torch

    half = hasattr(torch.cpu, "_is_avx512_bf16_supported") and torch.cpu._is_avx512_bf16_supported()
    return {"bf16": float(half), "cuda": float(torch.cuda.is_available())}


def main() -> None:
    module, name, arguments, one_core = sys.argv[1:]
    if int(one_core):
        # Before the import: libraries count the cores when they load.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    function: Any = getattr(importlib.import_module(module), name)
    print(json.dumps(function(*json.loads(arguments))))


if __name__ == "__main__":
    main()
