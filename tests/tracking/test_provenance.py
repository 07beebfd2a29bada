"""What is recorded of a repository is enough to have it again elsewhere."""

import hashlib
import json
from types import SimpleNamespace

import pytest

from darkroom.base import paths
from darkroom.config.model_facts import ModelFacts
from darkroom.tracking import provenance
from tests import models
from tests.repository import git

USED = {"dataset": "digits", "train.lr": 0.1}


def put(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.fixture(params=["", "project/below"], ids=["at the root", "in a folder"])
def repository(request, tmp_path, monkeypatch):
    """A project under Git, at the root of the repository or below it, as the working folder."""
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    project = tmp_path / "repository" / request.param
    put(project, {
        "params.yaml": "dataset: digits\n", "datasets.yaml": "digits: {}\n", "dvc.yaml": "stages: {}\n",
        "own/code.py": b"name = 'gr\xf6\xdfe'\n", "own/old.py": "old\n", "dvc.lock": "a: 1\n", "metrics/a.json": "1",
    })  # fmt: skip
    git(tmp_path / "repository", "init", "-q")
    git(tmp_path / "repository", "add", ".")
    git(tmp_path / "repository", "commit", "-q", "-m", "first")
    monkeypatch.chdir(project)
    return project


@pytest.fixture
def state(repository, tmp_path):
    """Writes the record; gives its facts and the folder in which it lies."""
    folder = tmp_path / "record"
    folder.mkdir()

    def write():
        provenance.write_state(folder, USED)
        return json.loads((folder / "state.json").read_text()), folder

    return write


def test_the_changes_give_the_same_files_on_a_clone(repository, state, tmp_path):
    changes = {"own/code.py": b"name = 'ma\xdf'\n", "own/new.py": "new = 1\n", "own/table.bin": bytes(range(256))}
    put(repository, changes | {"params.yaml": "dataset: mine\n", "own/with space.py": "", "metrics/a.json": "2"})
    (repository / "own/old.py").unlink()
    git(repository, "add", "own/new.py")
    found, folder = state()
    assert (found["changed"], found["left_out"]) == (6, [])
    git(tmp_path, "clone", "-q", "repository", "clone")
    clone = tmp_path / "clone" / repository.relative_to(tmp_path / "repository")
    git(clone, "checkout", "-q", found["commit"])
    git(clone, "apply", str(folder / "changes.diff"))
    for name, content in changes.items():
        assert (clone / name).read_bytes() == (content if isinstance(content, bytes) else content.encode())
    assert (clone / "params.yaml").read_text() == "dataset: mine\n"
    assert not (clone / "own/old.py").exists()
    assert (clone / "metrics/a.json").read_text() == "1"  # an output, which the pipeline makes again


def test_a_repository_without_changes_says_so(state):
    found, folder = state()
    assert (found["changed"], found["left_out"], found["masked"]) == (0, [], [])
    assert b"diff --git" not in (folder / "changes.diff").read_bytes()
    assert json.loads((folder / "params_used.json").read_text()) == USED
    assert (folder / "params.yaml").read_text() == "dataset: digits\n"
    assert "experiment" not in found


def test_what_is_too_large_is_left_out_and_named(repository, state, monkeypatch):
    put(repository, {"own/large.py": b"x" * (provenance.MAX_FILE + 1), "own/small.py": "small"})
    found, folder = state()
    assert (found["changed"], found["left_out"]) == (1, ["own/large.py"])
    assert b"large.py" not in (folder / "changes.diff").read_bytes()
    monkeypatch.setattr(provenance, "MAX_DIFF", 10)
    found, folder = state()
    assert found["left_out"] == ["own/large.py", "own/small.py"]
    assert b"diff --git" not in (folder / "changes.diff").read_bytes()


def test_files_that_decide_nothing_are_not_recorded(repository, state):
    put(repository, {"notes.txt": "mine", "secret/token": "mine", "metrics/b.json": "{}"})
    assert state()[0]["changed"] == 0


def test_passwords_stay_where_they_are(repository, state):
    put(repository, {"datasets.yaml": "mine: {url: 'https://me:secret@example.org/a.zip'}\n"})
    git(repository, "remote", "add", "origin", "https://me:secret@example.org/repository.git")
    found, folder = state()
    assert found["masked"] == ["changes.diff", "datasets.yaml"]
    assert found["repository"] == "https://...@example.org/repository.git"
    assert not [path for path in folder.iterdir() if b"secret" in path.read_bytes()]


@pytest.mark.parametrize("git_is_there", [True, False])
def test_outside_git_the_files_are_recorded_all_the_same(tmp_path, monkeypatch, git_is_there):
    if not git_is_there:
        monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    put(tmp_path / "project", {"params.yaml": "dataset: digits\n"})
    monkeypatch.chdir(tmp_path / "project")
    (tmp_path / "record").mkdir()
    provenance.write_state(tmp_path / "record", USED)
    assert json.loads((tmp_path / "record/state.json").read_text())["commit"] == ""
    assert (tmp_path / "record/params.yaml").is_file()


def test_the_experiment_is_named(state, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "warm-sun")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "abcdef")
    found, _ = state()
    assert (found["experiment"], found["experiment_baseline"]) == ("warm-sun", "abcdef")


def lock(digest):
    return f"stages:\n  train:\n    outs:\n    - path: {paths.WEIGHTS.as_posix()}\n      md5: {digest}\n"


def test_the_lock_is_recorded_once_it_holds_this_model(repository, state):
    put(repository, {paths.WEIGHTS: b"weights", "dvc.lock": lock("that of an earlier model")})
    assert not provenance.lock_is_of_this_model()
    assert not (state()[1] / "dvc.lock").exists()
    put(repository, {"dvc.lock": lock(hashlib.md5(b"weights").hexdigest())})
    assert (state()[1] / "dvc.lock").read_bytes() == (repository / "dvc.lock").read_bytes()


def test_the_files_of_the_stage_that_dvc_runs_now_are_hashed_beside_the_lock(repository, state, monkeypatch):
    graph = "stages: {report: {outs: [page.html, {card.md: {cache: false}}, folder, later.txt]}}"
    put(repository, {paths.WEIGHTS: b"weights", "dvc.lock": lock(hashlib.md5(b"weights").hexdigest())})
    put(repository, {"dvc.yaml": graph, "page.html": b"page", "card.md": b"card", "folder/a": ""})
    assert state()[0]["unlocked"] == {}
    monkeypatch.setenv("DVC_STAGE", "report")
    written = [
        {"path": "page.html", "md5": hashlib.md5(b"page").hexdigest()},
        {"path": "card.md", "md5": hashlib.md5(b"card").hexdigest()},
    ]
    assert state()[0]["unlocked"] == {"stage": "report", "outs": written}


def test_a_lock_that_knows_no_training_is_not_of_this_model(repository):
    put(repository, {paths.WEIGHTS: b"weights", "dvc.lock": "schema: '2.0'\n"})
    assert not provenance.lock_is_of_this_model()


def test_the_machine_is_described_with_its_packages(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance.processor, "name", lambda: "a processor")
    provenance.write_machine(tmp_path, ModelFacts.model_validate(models.facts()))
    found = json.loads((tmp_path / "machine.json").read_text())
    assert (found["processor"], found["device"]) == ("a processor", "cpu")
    assert "gpu" not in found
    assert "\nnumpy==" in (tmp_path / "packages.txt").read_text()


def test_a_gpu_is_named(tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"the one at {device}")
    facts = ModelFacts.model_validate(models.facts())
    on_gpu = SimpleNamespace(train=facts.train.model_copy(update={"device": "cuda:1"}))
    provenance.write_machine(tmp_path, on_gpu)
    assert json.loads((tmp_path / "machine.json").read_text())["gpu"] == "the one at cuda:1"
