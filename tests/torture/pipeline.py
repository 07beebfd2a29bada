"""A finished pipeline in a temporary repository, and what is asked of it after a trial: every byte as before."""

import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml import YAML

from darkroom.config.yaml_files import dump, read_yaml
from tests.repository import ROOT, make_repository, run, surroundings

GRAPH = read_yaml(ROOT / "dvc.yaml")["stages"]
STAGES = list(GRAPH)
OWN = {".git", ".dvc", "__pycache__", "mlartifacts"}  # folders of git, DVC, Python, MLflow


class Pipeline(NamedTuple):
    """A repository in which everything is up to date, and how it came to be so."""

    folder: Path
    contents: dict  # of all files but those of git, DVC, Python and MLflow: sha256 by path
    lasting: dict  # seconds by stage
    around: float  # seconds that DVC takes before its first stage
    lock: dict  # dvc.lock


class Ended(NamedTuple):
    code: int
    printed: str
    lasting: dict  # seconds by stage that ran


@contextmanager
def finished():
    """A finished pipeline in a temporary folder, which also takes the temporary files of its processes."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name) / "repository"
        for made in (folder, Path(name) / "tmp"):
            made.mkdir()
        make_repository(folder)
        began = time.monotonic()
        first = repro(folder)
        around = time.monotonic() - began - sum(first.lasting.values())
        assert first.code == 0, first.printed
        run(folder, "git", "add", "-A")
        run(folder, "git", "commit", "-qm", "run")
        lock = read_yaml(folder / "dvc.lock")
        yield Pipeline(folder, contents(folder), first.lasting, around, lock)


def start(folder, *command, **environment):
    """Start a command there, in a process group of its own; its output is a pipe."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=surroundings(TMPDIR=str(folder.parent / "tmp"), **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill(process):
    """Kill a process with all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def repro(folder, *arguments, **environment):
    """Run `dvc repro` to its end."""
    process = start(folder, "dvc", "repro", *arguments, **environment)
    begun, lines = {}, []
    try:
        for line in process.stdout:
            lines.append(line)
            if stage := begins(line):
                begun[stage] = time.monotonic()
        code = process.wait()
    finally:
        kill(process)
    moments = [*begun.values(), time.monotonic()]
    lasting = {stage: moments[place + 1] - moments[place] for place, stage in enumerate(begun)}
    return Ended(code, "".join(lines), lasting)


def begins(line):
    """The stage that DVC says it runs now, if it does."""
    found = re.match(r"Running stage '(\w+)'", line)
    return found and found[1]


def contents(folder):
    """sha256 by path of every file, but of those that git, DVC, Python and MLflow keep for themselves."""
    return {name: digest(path) for name, path in _files(folder)}


def _files(folder):
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not OWN & set(name.parts) and not name.name.startswith("mlflow.db"):
            yield name.as_posix(), path


def digest(path):
    content = path.read_bytes()
    if path.name == "dvc.lock":  # DVC appends what it learns: the order of the stages may differ
        content = json.dumps(YAML(typ="safe").load(content), sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def forget(pipeline, stage):
    """Let DVC know nothing of a stage that has run before, so that it has to run again."""
    path = pipeline.folder / "dvc.lock"
    lock = read_yaml(path)
    lock["stages"].pop(stage, None)
    path.write_text(dump(lock))
    shutil.rmtree(pipeline.folder / ".dvc/cache/runs", ignore_errors=True)


def differences(pipeline):
    """What is not as in the undisturbed run."""
    now = contents(pipeline.folder)
    for name in sorted(now.keys() | pipeline.contents.keys()):
        if name not in now:
            yield f"{name} is missing"
        elif name not in pipeline.contents:
            yield f"{name} is left over"
        elif now[name] != pipeline.contents[name]:
            yield f"{name} differs"


def half_written(pipeline):
    """Files under the name of an output that are not that output, after a run that was cut off."""
    for name, path in _files(pipeline.folder):
        hidden = any(part.startswith(".") for part in name.split("/"))
        if name != "dvc.lock" and not hidden and digest(path) != pipeline.contents.get(name):
            yield f"{name} is not whole"


def outs(stage):
    """The paths of the outputs of a stage."""
    return [next(iter(out)) if isinstance(out, dict) else out for out in GRAPH[stage]["outs"]]


def unrecorded(folder, store, artifacts):
    """What an MLflow store (SQLite) and its folder lack of the run that made the model in this repository."""
    epochs = len((folder / "metrics/history.csv").read_text().splitlines()) - 1
    found = []
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as content:
        runs = "select run_uuid, status from runs join tags using (run_uuid) where key = 'model_sha256' and value = ?"
        for run_id, status in content.execute(runs, (digest(folder / "models/model.safetensors"),)).fetchall():
            counts = "select key, count(distinct step) from metrics where run_uuid = ? group by key"
            held = dict(content.execute(counts, (run_id,)).fetchall())
            model = any(artifacts.rglob("MLmodel"))
            found.append(f"{status}, {held.get('val_loss', 0)} epochs, model: {model}")
            if status == "FINISHED" and held.get("val_loss") == epochs and "test_accuracy" in held and model:
                return
    yield f"MLflow has no complete run of the model, but {found or 'none'}"
