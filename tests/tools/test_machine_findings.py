import shutil
from pathlib import Path

import pytest

from darkroom.config import params
from darkroom.tools import machine_findings
from tests.conftest import ROOT


def test_a_gpu_that_pytorch_does_not_see_is_a_problem(project, monkeypatch):
    settings, _ = params.load()
    monkeypatch.setattr(machine_findings, "_driver", lambda: "H100, 550.1, 80 GB")
    assert "TORCH_BACKEND" in machine_findings.gpu(settings, "none", "2.15.0+cpu, built for the CPU").text
    finding = machine_findings.gpu(settings, "none", "2.15.0, built for CUDA 13.2")
    assert (finding.state, "update the driver" in finding.text) == ("problem", True)
    monkeypatch.setattr(machine_findings, "_driver", lambda: "")
    assert machine_findings.gpu(settings, "none", "2.15.0").state == "ok"
    assert machine_findings.gpu(settings, "ok", "2.15.0, sees H100").text == "2.15.0, sees H100"
    project.set(train__device="cuda", train__portable=False)
    assert machine_findings.gpu(params.load()[0], "none", "2.15.0").state == "problem"


def test_a_token_is_found_but_never_shown(home, project, monkeypatch):
    assert machine_findings.kaggle(*params.load()).state == "ok"
    project.add(kaggle="owner/name")
    assert machine_findings.kaggle(*params.load()).state == "warning"
    token = home / ".kaggle" / "kaggle.json"
    token.parent.mkdir()
    token.write_text('{"username": "me", "key": "secret"}')
    token.chmod(0o644)
    finding = machine_findings.kaggle(*params.load())
    assert (finding.state, "chmod 600" in finding.text) == ("warning", True)
    token.chmod(0o600)
    finding = machine_findings.kaggle(*params.load())
    assert (finding.state, "secret" in finding.text) == ("ok", False)
    token.write_text("{")
    assert machine_findings.kaggle(*params.load()).state == "problem"
    token.unlink()
    monkeypatch.setenv("KAGGLE_API_TOKEN", "secret")
    assert machine_findings.kaggle(*params.load()).text == "a token in KAGGLE_API_TOKEN"


@pytest.mark.parametrize(("source", "state"), [("competition", "warning"), ("huggingface", "ok")])
def test_a_competition_wants_a_token_of_kaggle_too(home, project, source, state):
    project.add(**{source: "dogs" if source == "competition" else "owner/name"})
    assert machine_findings.kaggle(*params.load()).state == state


def test_a_home_that_is_not_this_users_holds_no_token(home, project, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    monkeypatch.setattr(Path, "home", lambda: pytest.fail("it may not be known"))
    assert machine_findings.kaggle(*params.load()).text == "no token, and digits needs none"


def test_a_first_run_takes_twice_its_archives(home, project):
    for name in ("a.zip", "b.zip"):
        (project.folder / name).write_bytes(bytes(1_000_000))
    project.add(path="a.zip")
    assert machine_findings._need(*params.load()) == (2_000_000, "at least, twice the archive")
    project.add(path=["a.zip", "b.zip"])
    assert machine_findings._need(*params.load())[0] == 4_000_000
    project.add(path=["a.zip", "missing.zip"])
    assert machine_findings._need(*params.load())[0] == 0


def test_disk_is_held_against_the_last_run(home, project, tmp_path):
    states = [finding.state for finding in machine_findings.disk(*params.load())]
    assert len(states) == 2
    shutil.copy(ROOT / "dvc.lock", tmp_path)
    assert "as the last one" in next(machine_findings.disk(*params.load())).text
    project.archive(b"x" * 2_000_000)
    project.add(path="archive.zip")
    assert "a run takes 4.0 MB at least, twice the archive" in next(machine_findings.disk(*params.load())).text


@pytest.mark.parametrize("size", [0, 14, 400, 2000, 5000])
def test_a_lock_file_cut_short_is_a_finding(home, project, tmp_path, size):
    (tmp_path / "dvc.lock").write_bytes((ROOT / "dvc.lock").read_bytes()[:size])
    first, *others = machine_findings.disk(*params.load())
    assert str(first) == "problem  dvc.lock     it is cut short or damaged: git checkout dvc.lock"
    assert [finding.name for finding in others] == ["disk", "temporary"]
