"""MLflow's store of runs: MLFLOW_TRACKING_URI, else one SQLite file at the root of the repository."""

import atexit
import logging
import os
import re
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from filelock import FileLock

from darkroom.base import paths
from darkroom.base.errors import without_password
from darkroom.base.files import remove
from darkroom.config.params import Params

T = TypeVar("T")

SQLITE, FILE = "sqlite:///", "mlflow.db"  # how the address of a SQLite store begins, and the name of our file
SWITCH = "DARKROOM_TRACKING"  # an environment variable: with the value off, nothing is recorded
ALIVE = (10, 30)  # seconds that a server may take to accept a connection, and to answer a health check
MAX_REASON = 300  # characters of an error that are shown


def is_wanted(params: Params) -> bool:
    """Whether runs are recorded: as params.yaml says, unless the environment says no, which changes no hash."""
    return params.tracking.enabled and os.environ.get(SWITCH) != "off"


def uri() -> str:
    """The address of the store; a relative SQLite path counts from the root of the repository.

    It does not count from the working folder: that may be a copy of the repository, which DVC deletes after the run.
    """
    address = os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{FILE}"
    if not address.startswith(SQLITE + "/") and address.startswith(SQLITE):
        return sqlite_address(paths.root()) + "/" + address.removeprefix(SQLITE)
    return address


def sqlite_address(path: Path) -> str:
    """The address of a SQLite file: `%` and `?` have a meaning in addresses, so both are quoted."""
    return SQLITE + str(path).replace("%", "%25").replace("?", "%3F")


def sqlite_file(address: str) -> Path | None:
    """The file of a SQLite store; None for any other store."""
    return Path(unquote(address.removeprefix(SQLITE).partition("?")[0])) if address.startswith(SQLITE) else None


def prepare() -> str:
    """Create the store if there is none, and return its address. Raises the client's error where it cannot be reached.

    A lock lets one process at a time create it: processes that create a SQLite store together damage it for good, and
    so does one that is killed meanwhile.
    """
    # 1. Settings. A server that is down must cost seconds, not the minutes of MLflow's own retries.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    # `recording` reports a failure in one line; these loggers would add pages.
    for name in ("mlflow", "alembic", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    mlflow.set_tracking_uri(uri())
    # 2. Is the server there?
    _check_server(uri())
    # 3. The file, made under another name and then renamed, so that a killed process leaves no half of it.
    with _store_lock():
        local = paths.root() / FILE
        if sqlite_file(uri()) == local and not local.exists():
            # It gets a folder of its own, because SQLite puts a journal beside it.
            making = local.with_name(f".{FILE}.partial")
            remove(making)
            making.mkdir()
            mlflow.MlflowClient(sqlite_address(making / local.name)).search_experiments(max_results=1)
            (making / local.name).replace(local)
            remove(making)
            _remove_misnamed(sqlite_address(making / local.name))
        mlflow.MlflowClient().search_experiments(max_results=1)
    atexit.register(_remove_misnamed, uri())  # not now: each further client makes them again
    return uri()


def _remove_misnamed(address: str) -> None:
    """Remove the empty folders that MLflow makes of a quoted address, because it takes it for a path."""
    file = sqlite_file(address)
    if file is not None and (taken := Path(address.removeprefix(SQLITE))) != file:
        with suppress(OSError):
            os.removedirs(taken.parent)


def _check_server(address: str) -> None:
    """Raise TimeoutError if the address is a server's that does not answer in time."""
    import requests

    if not address.startswith(("http://", "https://")):
        return
    try:
        requests.get(f"{address.rstrip('/')}/health", timeout=ALIVE)
    except requests.Timeout:
        raise TimeoutError(f"no answer in {ALIVE[0]} seconds to a connection, or in {ALIVE[1]} to a request") from None
    except requests.RequestException:
        pass  # MLflow's own request will say what is wrong


def reason(error: Exception) -> str:
    """Why the store does not work: one line of at most about 300 characters, without passwords."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("(raised as a result of")]
    text = without_password(lines[0].strip() if lines else type(error).__name__)
    # The cause often stands at the end, after a long address: cut out the middle.
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON // 2]} ... {text[-MAX_REASON // 2 :]}"


def _store_lock() -> FileLock:
    """The lock under which one process at a time creates what the store lacks."""
    return FileLock(paths.root() / f"{FILE}.lock")


@cache
def client() -> Any:
    """MLflow's client of the store, one for the whole process."""
    import mlflow

    return mlflow.MlflowClient(uri())


def experiment(params: Params) -> str:
    """The id of the MLflow experiment, which is created if it is missing. Raises RuntimeError for a deleted one."""
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
        # By default MLflow puts files into the working folder, which may be a temporary copy of the repository.
        beside = paths.root() / "mlartifacts" / re.sub(r"[^\w .-]|^\.+", "_", name)
        location = beside.as_uri() if sqlite_file(uri()) else None
        return str(server.create_experiment(name, artifact_location=location))

    return find_or_make(find, make)


def find_or_make(find: Callable[[], T | None], make: Callable[[], T]) -> T:
    """Return what `find` finds in the store, else what `make` creates there."""
    with _store_lock():
        found = find()
        if found is None:
            try:
                return make()
            except Exception:
                # The lock stops only processes of this repository: another machine may have created it meanwhile.
                found = find()
                if found is None:
                    raise
        return found
