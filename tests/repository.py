"""A repository with the pipeline in a temporary folder, on a tiny set of its own."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import mlflow

from darkroom.config.yaml_files import dump, read_yaml
from tests import make

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("darkroom", "stages", "own", "dvc.yaml", "data/corrections.csv", ".gitignore", ".dvcignore")
QUICK = {"train.epochs": 2, "model.layers": "8P-8", "train.portable": True, "baseline.max_train": 50}


def surroundings(**changes):
    """The environment of a user's shell: this one without what an outer DVC or MLflow has put there."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_"))}
    return kept | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | changes


def run(repository, *command, **environment):
    """Run a command there as a user would; return what it printed."""
    answer = subprocess.run(
        command, cwd=repository, env=surroundings(**environment), capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr


def git(folder, *arguments, **options):
    """Run a Git command there, as a user with a name; give what it printed."""
    identity = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    return subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, **options).stdout


def make_repository(folder):
    """A repository with our code and a data set of two classes, told apart by brightness, with some pecularities."""
    for name in SOURCES:
        target = folder / name
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    files = {}
    for number in range(30):
        for label, level in (("dark", 60), ("light", 190)):
            pixels = make.pixels(10, 12, 3, seed=number + 100 * len(label)) // 4 + level
            files[f"set/train/{label}/{number:02}.png"] = make.encode(pixels)
    files["set/train/dark/copy.png"] = files["set/train/dark/00.png"]
    files["set/new/one.png"] = files["set/train/light/07.png"]
    (folder / "set.zip").write_bytes(make.zip_of(files))
    entry = {
        "path": str(folder / "set.zip"),
        "train": "set/train",
        "unlabeled": "set/new",
        "channels": 3,
        "image_size": [8, 9],
    }
    (folder / "datasets.yaml").write_text(dump({"tiny": entry}))
    shutil.copy(ROOT / "params.yaml", folder)
    make.edit(folder / "params.yaml", {"dataset": "tiny"} | QUICK)
    run(folder, "git", "init", "-q")
    run(folder, "git", "config", "user.email", "test@example.com")
    run(folder, "git", "config", "user.name", "test")
    run(folder, "dvc", "init", "-q")
    shutil.copy(ROOT / ".dvc" / "config", folder / ".dvc" / "config")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "start")
    return folder


def wait_for(condition, seconds):
    """Wait until `condition` holds; fail after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def outputs(repository):
    """sha256 of every output of every stage."""
    files = {}
    for stage in read_yaml(repository / "dvc.yaml")["stages"].values():
        for item in stage["outs"]:
            path = repository / (next(iter(item)) if isinstance(item, dict) else item)
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                files[file.relative_to(repository).as_posix()] = hashlib.sha256(file.read_bytes()).hexdigest()
    return files


def runs(repository):
    client = mlflow.MlflowClient(f"sqlite:///{repository / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tiny")
    return client, client.search_runs([experiment.experiment_id])
