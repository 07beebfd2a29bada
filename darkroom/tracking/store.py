"""The store of runs: MLFLOW_TRACKING_URI, else one SQLite file at the root of the repository."""

import logging
import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock

from darkroom.base import paths
from darkroom.base.errors import without_password
from darkroom.base.files import remove
from darkroom.config.params import Params

T = TypeVar("T")

SQLITE, FILE = "sqlite:///", "mlflow.db"  # the address of a store in one file, and the name of ours
ALIVE = (10, 30)  # seconds that a server may take to be connected to, and to say that it is there
MAX_REASON = 300  # characters of an error


def uri() -> str:
    """The address of the store; a SQLite file without a whole path lies in the repository.

    A stage may run in a copy of it, which DVC deletes with all that lies there.
    """
    address = os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{FILE}"
    return f"{SQLITE}{paths.root() / address.removeprefix(SQLITE)}" if address.startswith(SQLITE) else address


def sqlite_file(address: str) -> Path | None:
    """The file of a SQLite store; None for any other store."""
    return Path(address.removeprefix(SQLITE)) if address.startswith(SQLITE) else None


def prepare() -> str:
    """Create the store if there is none, one process at a time, and return its address.

    Several processes that open a fresh SQLite store together would break it for good, and so would one that is killed.
    """
    # A server that is down must cost seconds, not the minutes of MLflow's own retries; a busy one is waited for.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    # What fails is told by `recording`, in one line; they would add pages.
    for name in ("mlflow", "alembic", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    mlflow.set_tracking_uri(uri())
    _reach(uri())
    with _store_lock():
        local = paths.root() / FILE
        if sqlite_file(uri()) == local and not local.exists():
            # In a folder of its own, for SQLite puts a journal beside the file.
            making = local.with_name(f".{FILE}.partial")
            remove(making)
            making.mkdir()
            mlflow.MlflowClient(f"{SQLITE}{making / local.name}").search_experiments(max_results=1)
            (making / local.name).replace(local)
            remove(making)
        mlflow.MlflowClient().search_experiments(max_results=1)
    return uri()


def _reach(address: str) -> None:
    """Raise an error if the address is a server's that cannot be connected to in time, or does not answer."""
    import requests

    if not address.startswith(("http://", "https://")):
        return
    try:
        requests.get(f"{address.rstrip('/')}/health", timeout=ALIVE)
    except requests.Timeout:
        raise TimeoutError(f"no answer in {ALIVE[0]} seconds to a connection, or in {ALIVE[1]} to a request") from None
    except requests.RequestException:
        pass  # MLflow will try again, and say what is wrong


def reason(error: Exception) -> str:
    """Why the store does not work, in one line of bearable length without passwords."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("(raised as a result of")]
    text = without_password(lines[0].strip() if lines else type(error).__name__)
    # What went wrong stands at the end, after an address that may be long.
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON // 2]} ... {text[-MAX_REASON // 2 :]}"


def _store_lock() -> FileLock:
    """One process at a time creates what the store lacks."""
    return FileLock(paths.root() / f"{FILE}.lock")


@cache
def client() -> Any:
    import mlflow

    return mlflow.MlflowClient(uri())


def experiment(params: Params) -> str:
    """The id of the MLflow experiment, made when it is missing."""
    prepare()
    server, name = client(), params.tracking.experiment or params.dataset

    def find() -> str | None:
        found = server.get_experiment_by_name(name)
        if found is not None and found.lifecycle_stage == "deleted":
            raise RuntimeError(
                f"its experiment {name!r} was deleted: `mlflow experiments restore --experiment-id "
                f"{found.experiment_id}` brings it back, and tracking.experiment can name another"
            )
        return found and str(found.experiment_id)

    def make() -> str:
        # Left to itself MLflow would put the files into the folder in which it runs, which may be temporary.
        beside = paths.root() / "mlartifacts" / re.sub(r"[^\w .-]|^\.+", "_", name)
        location = beside.as_uri() if sqlite_file(uri()) else None
        return str(server.create_experiment(name, artifact_location=location))

    return find_or_make(find, make)


def find_or_make(find: Callable[[], T | None], make: Callable[[], T]) -> T:
    """What the store has, else what is made now, by this machine or by another that was faster."""
    with _store_lock():
        found = find()
        if found is None:
            try:
                return make()
            except Exception:
                # The lock holds back this repository's processes, not those that share a server with it.
                found = find()
                if found is None:
                    raise
        return found
