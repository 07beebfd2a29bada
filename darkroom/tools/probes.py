"""The doctor's slow questions to PyTorch and servers, each in its own process, which is killed if no answer comes.

`python -m darkroom.tools.probes NAME [ARGUMENT]` prints the answer as one line of JSON: a state, and what was found.
"""

import configparser
import json
import os
import re
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from importlib.metadata import distribution
from pathlib import Path

from darkroom.base.errors import without_password
from darkroom.base.words import counted, listed
from darkroom.tracking import store

Answer = tuple[str, str]  # ok, warning or problem (pytorch: also none, for no GPU); what was found, and what to do
TIMEOUT = (3, 3)  # seconds to connect, and without receiving a byte
LONGEST = 200  # characters that are kept of another program's message


def pytorch() -> Answer:
    """PyTorch's build, and the GPUs that it sees."""
    import torch

    gpus = [
        f"{properties.name} ({properties.total_memory / 2**30:.0f} GB)"
        for properties in map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    ]
    built = f"{torch.__version__}, built for {f'CUDA {torch.version.cuda}' if torch.version.cuda else 'the CPU'}"
    return ("ok", f"{built}, sees {', '.join(gpus)}") if gpus else ("none", built)


def mlflow(address: str) -> Answer:
    """Whether the store of runs at `address` answers, and fits the installed MLflow."""
    if address.startswith(("http://", "https://")):
        return _server(address)
    if (file := store.sqlite_file(address)) is not None:
        return _sqlite(file)
    allowed = os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() in ("true", "1")
    if not allowed and (address.startswith("file:") or not re.match(r"databricks$|[\w+-]+:", address)):
        return "warning", (
            f"{address} is a folder, and MLflow keeps runs in databases alone: runs will not be recorded; set "
            "MLFLOW_TRACKING_URI to one, or unset it"
        )
    return "ok", f"{without_password(address)}, not looked into"


def _server(address: str) -> Answer:
    import requests

    ours = distribution("mlflow").version
    insecure = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
    certificates = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or not insecure
    try:
        answer = requests.get(f"{address.rstrip('/')}/version", timeout=TIMEOUT, auth=_sign_in(), verify=certificates)
    except requests.RequestException as error:
        return (
            "warning",
            f"{without_password(address)} does not answer ({type(error).__name__}): runs will not be recorded",
        )
    theirs = answer.text.strip()
    if answer.status_code in (401, 403):
        return (
            "warning",
            f"{without_password(address)} wants another MLFLOW_TRACKING_USERNAME and _PASSWORD than it was given",
        )
    if answer.status_code != 200 or not re.fullmatch(r"\d+\.\d+[\w.+-]*", theirs):
        return (
            "warning",
            f"{without_password(address)} answers {answer.status_code}, but not as MLflow: check the address",
        )
    if theirs.split(".")[:2] != ours.split(".")[:2]:
        return "warning", f"{without_password(address)} runs MLflow {theirs}, installed is {ours}: let both be the same"
    return "ok", f"{without_password(address)}, MLflow {theirs}"


def _sign_in() -> tuple[str, str] | None:
    """User and password from where MLflow's client reads them: the environment, else a file; None without a user."""
    kept = configparser.ConfigParser()
    kept.read(os.path.expanduser("~/.mlflow/credentials"))  # noqa: PTH111  Path.home() would fail without a home
    user, password = (
        os.environ.get(name) or str(kept.get("mlflow", name.lower(), fallback=""))
        for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
    )
    return (user, password) if user else None


def _sqlite(file: Path) -> Answer:
    if not file.exists():
        return "ok", f"{file.name} is not there yet: the first training makes it"
    known, head = _schemas()
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=TIMEOUT[0])) as store:
            ((found,),) = store.execute("SELECT version_num FROM alembic_version").fetchall()
            ((runs,),) = store.execute("SELECT count(*) FROM runs").fetchall()
    except (sqlite3.Error, ValueError) as error:
        return "problem", f"{file.name} is not a whole store of MLflow ({error}): move it away, and a new one is made"
    if found in known - {head}:
        return "problem", (
            f"{file.name} was made by an older MLflow: copy it, then mlflow db upgrade sqlite:///{file.name}"
        )
    if found != head:
        return "problem", f"{file.name} was made by a newer MLflow than the installed one: `make setup`"
    return "ok", f"{file.name}, {counted(runs, 'run')}"


def _schemas() -> tuple[set[str], str]:
    """All versions of the database schema that the installed MLflow knows, and the one that it works with."""
    folder = Path(str(distribution("mlflow").locate_file("mlflow/store/db_migrations/versions")))
    scripts = [path.read_text(encoding="utf-8") for path in folder.glob("*.py")]
    made, replaced = (
        {name for script in scripts for name in re.findall(rf"^{key} = \"(\w+)\"", script, re.MULTILINE)}
        for key in ("revision", "down_revision")
    )
    (head,) = made - replaced
    return made, head


def remote(name: str) -> Answer:
    """Whether the DVC remote of this name can be listed."""
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            store = repo.cloud.get_remote(name)
            place = without_password(store.fs.unstrip_protocol(store.path).removeprefix("file://"))
            if store.fs.protocol == "local":
                return _folder(Path(store.path))
            try:
                store.fs.ls(store.path)
            except FileNotFoundError:
                return "ok", f"{place}, nothing in it yet"
            except NotImplementedError:  # a web server cannot list
                store.fs.exists(store.path)
            return "ok", place
    except Exception as error:  # the kind depends on the address's client
        reason = without_password((str(error).strip().splitlines() or [type(error).__name__])[0])
        return "problem", f"cannot be listed ({reason[:LONGEST]}): `dvc push` and `dvc pull` would fail"


def _folder(folder: Path) -> Answer:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK):
        return "problem", f"{folder} cannot be written to: `dvc push` would fail"
    if there == folder:
        return "ok", str(folder)
    if there == folder.parent:
        return "ok", f"{folder} is not there yet: the first `dvc push` makes it"
    return "problem", f"there is no {folder.parent}: mount it, or correct it with `dvc remote modify`"


def queue() -> Answer:
    """How many tasks DVC's queue has, and which of them need someone."""
    from darkroom.tools import queue_tasks

    with queue_tasks.opened() as found:
        tasks = queue_tasks.read(found)
    text, ghosts = queue_tasks.counts(tasks) or "no tasks", queue_tasks.names(tasks, "ghost")
    if ghosts:
        return "warning", f"{text}; nobody is at work on {ghosts}: python -m darkroom queue --retry"
    if left := queue_tasks.names(tasks, "left", "unknown"):
        return "warning", f"{text}: python -m darkroom queue says more of {left}"
    return "ok", text


def runs() -> Answer:
    """Which runs of MLflow say that they are running, and whether somebody is at work on them."""
    from darkroom.tracking import at_work

    known: dict[str, list[str]] = {}
    for run, state in at_work.unfinished():
        known.setdefault(state, []).append(str(run.info.run_name))
    words = {
        "at work": "at work: {}",
        "elsewhere": "begun by another clone or machine, so not to be judged here: {}",
        "cut off": "nobody is at work on {}: python -m darkroom queue --retry closes what does not go on",
    }
    told = [text.format(listed(known[state])) for state, text in words.items() if state in known]
    return "warning" if "cut off" in known else "ok", "; ".join(told) or "none is running"


PROBES: dict[str, Callable[..., Answer]] = {
    "pytorch": pytorch, "mlflow": mlflow, "remote": remote, "queue": queue, "runs": runs,
}  # fmt: skip

if __name__ == "__main__":
    print(json.dumps(PROBES[sys.argv[1]](*sys.argv[2:])))
