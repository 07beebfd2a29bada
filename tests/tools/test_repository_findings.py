import json
import os
import subprocess
import sys

import pandas as pd
import pytest
from filelock import FileLock

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.config import own_code, params
from darkroom.config.stage_tables import INDEX
from darkroom.tools import repository_findings, verify
from darkroom.tools.finding import Finding
from tests.tools.conftest import git


def test_without_git_the_list_goes_on(home, project, monkeypatch):
    monkeypatch.setenv("PATH", str(home))
    (finding,) = repository_findings.repository()
    assert (finding.state, "not installed" in finding.text) == ("problem", True)
    assert repository_findings.locks().state == "ok"
    with pytest.raises(UserError, match="git is not installed"):
        verify.run()


def test_code_that_an_experiment_in_a_copy_would_miss(home, project, tmp_path, monkeypatch):
    assert repository_findings.code(params.load()[0]).state == "ok"
    (tmp_path / "new.py").write_text("")
    finding = repository_findings.code(params.load()[0])
    assert (finding.state, "new.py" in finding.text) == ("warning", True)
    git("add", "new.py")
    (tmp_path / "own").mkdir()
    monkeypatch.setattr(own_code, "ROOT", tmp_path)
    (tmp_path / "own" / "ignored.py").write_text("from own import other")
    (tmp_path / ".gitignore").write_text("ignored.py")
    assert repository_findings.code(params.load()[0]).state == "ok"
    nested = {"apply": {"probability": 0.5, "changes": [{"function": {"name": "own.ignored:change"}}]}}
    for changes in ({"augment": [nested]}, {"augment": [], "model__name": "own.ignored:net"}):
        project.set(**changes)
        finding = repository_findings.code(params.load()[0])
        assert (finding.state, "own/ignored.py" in finding.text) == ("problem", True)
    project.set(model__name="own.nowhere:net")
    finding = repository_findings.code(params.load()[0])
    assert (finding.state, "there is no own/nowhere.py" in finding.text) == ("problem", True)


def test_every_changed_file_that_belongs_to_a_commit_is_named(home, tmp_path):
    (*_, finding) = repository_findings.repository()
    assert finding == Finding("ok", "dvc.lock", "not there yet: `dvc repro` makes it")
    (tmp_path / "metrics").mkdir()
    for name in ("dvc.lock", "metrics/a.json", "metrics/b b.json", "scratch.txt"):
        (tmp_path / name).write_text("new")
    with (tmp_path / "params.yaml").open("a") as file:
        file.write("# changed\n")
    (*_, finding) = repository_findings.repository()
    assert (finding.state, finding.name) == ("warning", "commit")
    assert finding.text.startswith("not as committed: dvc.lock, metrics/a.json, metrics/b b.json, params.yaml; ")
    command = finding.text.partition("; ")[2].partition(", then")[0]
    assert command == "git add dvc.lock metrics params.yaml"
    git(*command.split()[1:])
    git("-c", "user.name=one", "-c", "user.email=a@b.c", "commit", "-qm", "results")
    (*_, finding) = repository_findings.repository()
    assert finding == Finding("ok", "commit", "parameters and results are as committed")


def test_the_sizes_of_what_grows_are_told(project):
    for name, count in (("data/raw/a.zip", 3_000_000), (".dvc/cache/ab/c", 2_500_000), ("mlartifacts/x", 10)):
        (project.folder / name).parent.mkdir(parents=True)
        (project.folder / name).write_bytes(bytes(count))
    (finding,) = repository_findings.kept()
    assert finding.text == "data/raw 3.0 MB, .dvc/cache 2.5 MB; what DVC links from its cache takes its room once"


def test_what_killed_processes_leave(home, tmp_path):
    assert repository_findings.locks().state == "ok"
    held = tmp_path / ".dvc" / "tmp" / "rwlock"
    held.parent.mkdir(exist_ok=True)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for process, state in ((gone.pid, "ok"), (os.getpid(), "problem")):
        held.write_text(json.dumps({"write": {"data/raw": {"pid": process, "cmd": "dvc repro"}}, "read": {}}))
        assert repository_findings.locks().state == state
    at_work = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "dvc", "repro"])
    try:
        held.write_text(json.dumps({"read": {"data/raw": [{"pid": at_work.pid, "cmd": "dvc repro"}]}}))
        assert repository_findings.locks().state == "warning"
    finally:
        at_work.kill()
        at_work.wait()
    held.write_text('{"write": {"da')
    assert "rwlock is there" in repository_findings.locks().text
    held.unlink()
    (tmp_path / ".git" / "index.lock").write_text("")
    assert "index.lock" in repository_findings.locks().text


def test_packed_data_of_the_first_version_are_told(project):
    assert list(repository_findings.kept()) == []
    paths.DATA.mkdir(parents=True)
    old = [name for name in INDEX.columns if name not in ("group", "file_sha256")]
    for columns, state in ((old, ["warning"]), (INDEX.columns, [])):
        pd.DataFrame(columns=list(columns)).to_parquet(paths.INDEX)
        found = list(repository_findings.kept())
        assert [finding.state for finding in found] == state
        if found:
            assert found[0].text == (
                "data/images was made by an earlier version (data/images/index.parquet has no group, file_sha256): "
                "dvc repro extract"
            )
    paths.INDEX.write_bytes(b"PAR1")
    assert list(repository_findings.kept()) == []  # the stages judge it


def test_what_is_kept_of_trainings_and_pictures_is_told_with_the_command_that_removes_it(project):
    for name in ("a" * 32, "b" * 32, "c" * 32):
        folder = project.folder / ".checkpoints" / name
        folder.mkdir(parents=True)
        (folder / "state").write_bytes(bytes(2_000_000))
    (project.folder / ".checkpoints" / "gpu-0.lock").touch()
    decoded = project.folder / ".decoded" / "d"
    decoded.mkdir(parents=True)
    (decoded / "images.npy").write_bytes(bytes(1_500_000))
    features = project.folder / ".features" / "e"
    features.mkdir(parents=True)
    (features / "f.safetensors").write_bytes(bytes(2_500_000))
    with FileLock(project.folder / ".checkpoints" / ("a" * 32) / "lock"):  # this one is at work
        left, kept, once = repository_findings.kept()
    assert (left.state, left.text.partition(":")[0]) == ("ok", "2 trainings cut off, 4.0 MB")
    assert left.text.endswith("rm -r .checkpoints/*/")
    assert (kept.state, kept.text.partition(",")[0]) == ("ok", "1.5 MB in .decoded")
    assert once.text.startswith("2.5 MB of at most 8.6 GB in .features")
    subprocess.run(left.text.rpartition(": ")[2], shell=True, check=True)
    assert [path.name for path in (project.folder / ".checkpoints").iterdir()] == ["gpu-0.lock"]
