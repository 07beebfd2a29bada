"""Bring what a run left of itself (`darkroom.tracking.provenance`) from MLflow's store, or from a folder."""

from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from darkroom.base import paths
from darkroom.base.errors import UserError, without_password
from darkroom.base.files import read_json
from darkroom.base.words import did_you_mean, listed
from darkroom.config.yaml_files import read_yaml
from darkroom.tools import dvc_lock, mlflow_runs
from darkroom.tools.dvc_lock import LOCK, Stage
from darkroom.tools.experiments import SHORTEST_REVISION
from darkroom.tracking import provenance, store

STATE = "state.json"
WRITTEN = [path.name for path in provenance.WRITTEN]  # by people
FILES = (STATE, "changes.diff", "machine.json", "packages.txt", *WRITTEN)  # without which nothing can be made again


class RecordedRun(NamedTuple):
    """The record of one run: words for the run, the folder of the record, its facts, and the stages of its dvc.lock.

    The stages are those that had run for it, in the order of its dvc.yaml.
    """

    title: str
    folder: Path
    state: dict[str, Any]
    stages: dict[str, Stage]


def from_store(name: str, folder: Path) -> RecordedRun:
    """Fetch the record of the run with this id or name to `folder`.

    Raises UserError where the store does not answer, for no run or several of that name, and for one without a record.
    """
    run = find(name, mlflow_runs.trainings())
    run_id, artifacts = run.info.run_id, run.info.artifact_uri
    title = f"run {run.info.run_name} ({run_id})"
    try:
        recorded = store.client().list_artifacts(run_id, provenance.FOLDER)
        if recorded:
            store.client().download_artifacts(run_id, provenance.FOLDER, str(folder))
    except Exception as error:  # the kind depends on the store
        raise UserError(
            f"the files of {title} at {without_password(artifacts)} cannot be read: {store.reason(error)}"
        ) from None
    if not recorded:
        raise UserError(
            f"{title} has no record of where it comes from: an older version of Darkroom made it, or its files at "
            f"{without_password(artifacts)} are gone"
        )
    return read(title, folder / provenance.FOLDER)


def find(name: str, runs: list[Any]) -> Any:
    """The one run with this id, the beginning of an id, or name. Raises UserError for none and for several."""
    address = without_password(store.uri())
    found = [run for run in runs if name in (run.info.run_id, run.info.run_name)]
    if not found and len(name) >= SHORTEST_REVISION:
        found = [run for run in runs if run.info.run_id.startswith(name)]
    if not found:
        hint = did_you_mean(name, dict.fromkeys(run.info.run_name for run in runs), at_most=10)
        raise UserError(f"MLflow at {address} has no run {name!r}: {hint}")
    if len(found) > 1:
        each = [
            f"{run.info.run_id} of {datetime.fromtimestamp(run.info.start_time / 1000):%Y-%m-%d %H:%M}" for run in found
        ]
        raise UserError(f"{len(found)} runs have the name {name!r}, so name one by its id: {listed(each, at_most=10)}")
    return found[0]


def read(title: str, folder: Path) -> RecordedRun:
    """Read a record that lies in a folder. Raises UserError where the folder is none, or the record is not enough."""
    lacking = [name for name in FILES if not (folder / name).is_file()]
    if lacking:
        raise UserError(f"{folder} lacks {listed(lacking)}: it must be the folder {provenance.FOLDER} of a run's files")
    if not (folder / LOCK).is_file():
        raise UserError(
            f"the record of {title} has no {LOCK}: the run did not come to its last stage, so the hashes are unknown"
        )
    try:
        state: dict[str, Any] = read_json(folder / STATE)
        commit, lock, graph = state["commit"], read_yaml(folder / LOCK)["stages"], read_yaml(folder / paths.GRAPH.name)
        stages = current(lock, state.get("unlocked") or {})
        stages = {name: stages[name] for name in graph["stages"] if name in stages}
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{folder} holds no record of a run ({type(error).__name__}: {error}): fetch it again"
        ) from None
    if not commit:
        raise UserError(f"{title} was made outside of Git, so there is no commit to begin from")
    return RecordedRun(title, folder, state, stages)


def current(lock: dict[str, Stage], unlocked: dict[str, Any]) -> dict[str, Stage]:
    """The stages of a recorded dvc.lock that had run when it was recorded.

    DVC writes a stage into the lock after its end, so that the lock may hold some of an earlier run. The stage that
    recorded it has its hashes in `unlocked`; of any other one, what it read is not what is recorded of that now.
    """
    known = dict(lock)
    if unlocked:
        known[unlocked["stage"]] = {"outs": unlocked["outs"]}
    made = {path: md5 for stage in known.values() for path, md5 in dvc_lock.outputs(stage).items()}
    maker = {path: name for name, stage in known.items() for path in dvc_lock.outputs(stage)}
    read = {name: {item["path"]: item["md5"] for item in stage.get("deps", [])} for name, stage in known.items()}
    stale = {name for name, inputs in read.items() if any(made.get(path, md5) != md5 for path, md5 in inputs.items())}
    # What follows on such a stage had not run either.
    while more := {
        name for name in known if name not in stale and any(maker.get(path) in stale for path in read[name])
    }:
        stale |= more
    return {name: stage for name, stage in known.items() if name not in stale}
