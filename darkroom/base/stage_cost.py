"""What the stages of one run of DVC have cost: seconds, CPU seconds, memory. It goes into the record of a run alone."""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from darkroom.base.files import read_json, write_json
from darkroom.base.uncommitted import MARK

FOLDER = Path(".dvc/tmp/darkroom-cost")  # Git and DVC's hashes pass over it
SAME_SECONDS = 5  # the start of a process is known to a second or two

Cost = dict[str, float]


def note() -> None:
    """Write what this process has cost so far, if DVC runs it as a stage. It raises nothing: no stage fails by it."""
    if stage := os.environ.get("DVC_STAGE"):
        with suppress(Exception):
            write_json(FOLDER / f"{stage}.json", {"begun": _begun()} | _now())


def of_this_run() -> dict[str, Cost]:
    """The cost by stage, in the present run of DVC: of those that have ended, and of this one so far.

    A stage that DVC skipped is missing, for its cost is that of another run, perhaps on another machine.
    """
    if "DVC_STAGE" not in os.environ:
        return {}
    note()
    process, start = _begun()
    found = {}
    for path in sorted(FOLDER.glob("*.json")):
        cost = read_json(path)
        (its_process, its_start) = cost.pop("begun")
        if its_process == process and abs(its_start - start) <= SAME_SECONDS:
            found[path.stem] = cost
    return found


def _begun() -> tuple[float, float]:
    """The process of DVC that runs this stage, and when it started, as the first stage has marked it."""
    process, start = map(float, MARK.read_text(encoding="utf-8").split())
    return process, start


def _now() -> Cost:
    """What this process and those that it waited for have cost."""
    import resource  # here, for every command imports this module

    import psutil

    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return {
        "seconds": round(time.time() - psutil.Process().create_time(), 2),
        "cpu_seconds": round(sum(used.ru_utime + used.ru_stime for used in (own, others)), 2),
        "memory_megabytes": round(max(own.ru_maxrss, others.ru_maxrss) * unit / 1e6, 1),
    }
