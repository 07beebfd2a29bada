"""Read dvc.lock: what it records of each stage, and where a DVC cache keeps the recorded files."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.base.files import md5
from darkroom.base.words import listed
from darkroom.config.yaml_files import read_yaml
from darkroom.tools import differences

LOCK = Path("dvc.lock")

Stage = dict[str, Any]  # as dvc.lock holds it: cmd, deps, params, outs


def recorded_stages(root: Path, commit: str) -> dict[str, Stage]:
    """The recorded stages by name, in the order of dvc.yaml. Raises UserError if one of dvc.yaml is not recorded."""
    if not (root / LOCK).is_file():
        raise UserError(
            f"commit {commit[:7]} has no {LOCK}: `dvc repro`, then commit {LOCK} and metrics/; or change to the "
            "folder of the project"
        )
    stages: dict[str, Stage] = read_yaml(root / LOCK).get("stages") or {}
    graph = read_yaml(root / paths.GRAPH)["stages"]
    if missing := [name for name in graph if name not in stages]:
        raise UserError(f"{LOCK} of commit {commit[:7]} records nothing of {listed(missing)}: `dvc repro`, then commit")
    return {name: stages[name] for name in graph}


def differing_outputs(was: Stage, now: Stage) -> list[str]:
    """The outputs whose hashes differ."""
    before, after = outputs(was), outputs(now)
    return [path for path in {**before, **after} if before.get(path) != after.get(path)]


def differing_files(root: Path, stage: Stage) -> list[str]:
    """The outputs of a stage, each a file of the repository `root`, whose content differs from what is recorded."""
    return [path for path, digest in outputs(stage).items() if md5(root / path) != digest]


def changed_inputs(was: Stage, now: Stage) -> list[str]:
    """Sentences on what the stage reads or runs now, but not when dvc.lock was written."""
    before, after = ({item["path"]: item["md5"] for item in stage.get("deps", [])} for stage in (was, now))
    files = [path for path in {**before, **after} if before.get(path) != after.get(path)]
    told = [f"changed since {LOCK} was written: {listed(files)}"] if files else []
    old, new = was.get("params", {}), now.get("params", {})
    values = [f"{file}: {line}" for file in new for line in differences.figures(old.get(file, {}), new[file])]
    told += [f"set otherwise since {LOCK} was written: {listed(values)}"] if values else []
    if was["cmd"] != now["cmd"]:
        told.append(f"the command was {was['cmd']}, is {now['cmd']}")
    return told


def outputs(stage: Stage) -> dict[str, str]:
    """The outputs of a stage: md5 by path."""
    return {item["path"]: item["md5"] for item in stage.get("outs", [])}


def files_of(cache: Path, digest: str) -> dict[str, str] | None:
    """The files of an output: md5 by name, a single file under the empty name; None where the cache lacks the list."""
    if not digest.endswith(".dir"):
        return {"": digest} if digest else None
    listing = object_of(cache, digest)
    if not listing.is_file():
        return None
    return {item["relpath"]: item["md5"] for item in json.loads(listing.read_bytes())}


def object_of(cache: Path, digest: str) -> Path:
    """Where a DVC cache keeps the content with this md5."""
    return cache / "files" / "md5" / digest[:2] / digest[2:]


def is_within(path: str, places: Iterable[str]) -> bool:
    """Whether a path is one of `places`, or lies below one."""
    return any(path == place or path.startswith(place + "/") for place in places)
