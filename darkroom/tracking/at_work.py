"""Which runs that MLflow calls running are at work, and which were cut off: killed, or on a machine that went down.

While a process records a run it holds the lock of a file that is named after the run, in `.running` at the root of the
repository. The system releases the lock however the process ends: the file of a killed one is there, and free. A run
without a file was begun by another clone or machine, of which nothing is known here.
"""

import fcntl
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from darkroom.base import paths
from darkroom.tracking import store

State = Literal["at work", "cut off", "elsewhere"]


def begin(run_id: str) -> FileLock | None:
    """Say that this process records the run; None where the file cannot be written or another process holds it."""
    with suppress(OSError, Timeout):
        _folder().mkdir(exist_ok=True)
        lock = FileLock(_folder() / run_id)
        lock.acquire(timeout=0)
        return lock
    return None


def end(lock: FileLock | None) -> None:
    """Say that the run has ended, which the store knows already."""
    if lock is not None:
        with suppress(OSError):
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def state_of(run_id: str) -> State:
    """What is known here of a run that the store calls running."""
    file = _folder() / run_id
    if not file.is_file():
        return "elsewhere"
    return "at work" if is_held(file) else "cut off"


def unfinished() -> list[tuple[Any, State]]:
    """All runs that the store calls running, by name, and what is known of each. Raises the client's error.

    A store that is not there yet has none, and is not made.
    """
    file = store.sqlite_file(store.uri())
    if file is not None and not file.is_file():
        return []
    store.prepare()
    client = store.client()
    places = [item.experiment_id for item in client.search_experiments()]
    # No order by time: clocks go back, and differ between machines.
    runs = client.search_runs(places, "attributes.status = 'RUNNING'", max_results=1000) if places else []
    return sorted(((run, state_of(run.info.run_id)) for run in runs), key=lambda one: str(one[0].info.run_name))


def close(run_id: str) -> None:
    """Let the store call a run that was cut off killed; a training that goes on in it makes it a running one again."""
    store.client().set_terminated(run_id, "KILLED")
    with suppress(OSError):
        (_folder() / run_id).unlink(missing_ok=True)


def is_held(file: Path) -> bool:
    """Whether a process holds this file's lock."""
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _folder() -> Path:
    return paths.root() / ".running"
