"""The folder of a search: which commit it is at, and what an experiment of it holds."""

import json
import subprocess

import pytest

from darkroom.base import paths
from darkroom.config.yaml_files import dump
from darkroom.tools import search_folder
from darkroom.tools.search_folder import Folder
from tests import make

GRAPH = {
    "stages": {
        "pretrained": {"cmd": "no", "params": ["model"], "outs": ["data/pretrained"]},
        "train": {
            "cmd": "no", "params": ["train"], "deps": ["data/pretrained"],
            "outs": ["models", {"metrics/train.json": {"cache": False}}],
        },
        "evaluate": {"cmd": "no", "deps": ["models"], "outs": [{"metrics/evaluate.json": {"cache": False}}]},
    }
}  # fmt: skip


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def commit(home, project):
    """The commit of a project with three stages, whose last figures are those of another training."""
    paths.GRAPH.write_text(dump(GRAPH))
    paths.PARAMS.write_text(dump({"model": {"name": "cnn"}, "train": {"lr": 0.1, "epochs": 3}}))
    paths.EVALUATE.parent.mkdir()
    paths.EVALUATE.write_text("{}\n")
    (project.folder / ".dvcignore").touch()
    git("add", "-A")
    git("-c", "user.name=one", "-c", "user.email=a@b.c", "commit", "-qm", "pipeline")
    git("config", "user.name", "one")
    git("config", "user.email", "a@b.c")
    return git("rev-parse", "HEAD")


@pytest.mark.parametrize("path", ["own/mine.py", "datasets.yaml", "dvc.yaml"])
def test_code_that_is_not_committed_is_refused(commit, project, path):
    (project.folder / path).parent.mkdir(exist_ok=True)
    (project.folder / path).write_text("x: 1\n")
    assert make.refusal(search_folder.check_committed).startswith(f"{path} is not committed: the trials of a search")


def test_parameters_may_differ(commit, project):
    project.set(train__lr=0.2)
    assert search_folder.check_committed() == commit


def test_two_processes_have_two_folders(project):
    first, one = search_folder._free()
    second, other = search_folder._free()
    assert (one.name, other.name) == ("work-0", "work-1")
    first.release()
    assert search_folder._free()[1] == one
    second.release()


@pytest.mark.slow
def test_dvc_decides_what_runs_and_a_trial_is_saved_without_figures_of_others(commit, project):
    folder, ran = Folder(commit, paths.PARAMS.read_text()), []

    def run_stage(name):
        ran.append(name)
        (folder.root / "data").mkdir(exist_ok=True)
        (folder.root / "models").mkdir(exist_ok=True)
        file = {"pretrained": "data/pretrained", "train": "models/m", "evaluate": "metrics/evaluate.json"}[name]
        (folder.root / file).write_text((folder.root / "params.yaml").read_text() if name == "train" else "{}")
        if name == "train":
            (folder.root / paths.TRAIN).write_text(json.dumps({"val_accuracy": 0.5}))

    folder.prepare()
    folder.make_data(run_stage)
    assert ran == ["pretrained"]
    for name, lr in [("a-000", 0.2), ("a-001", 0.3)]:
        folder.begin({"train.lr": lr})
        folder.reproduce("train", run_stage)
        folder.save(name)
    assert ran == ["pretrained", "train", "train"]
    revision = folder.revision("a-000")
    assert git("rev-parse", f"{revision}^") == commit
    assert "lr: 0.2" in git("show", f"{revision}:params.yaml")
    files = git("ls-tree", "-r", "--name-only", revision).splitlines()
    assert "metrics/train.json" in files
    assert "metrics/evaluate.json" not in files
    # One of the best again: what its trial has trained is not trained again.
    folder.begin({"train.lr": 0.2}, of="a-000")
    folder.reproduce("evaluate", run_stage)
    folder.save("a-000-seed-1")
    assert ran == ["pretrained", "train", "train", "evaluate"]
    assert "metrics/evaluate.json" in git("ls-tree", "-r", "--name-only", folder.revision("a-000-seed-1"))
    assert git("status", "--porcelain") == ""
    folder.release()


@pytest.mark.slow
def test_a_stage_that_fails_is_told_as_what_it_raised(commit):
    folder = Folder(commit, paths.PARAMS.read_text())
    folder.prepare()

    def fail(name):
        raise ValueError(name)

    with pytest.raises(ValueError, match="pretrained"):
        folder.make_data(fail)
    folder.release()
