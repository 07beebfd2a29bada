import base64
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from darkroom.base import files
from darkroom.base.errors import UserError
from darkroom.config import own_code, params
from darkroom.tools import doctor, machine, probes, verify
from darkroom.tools.commands import main
from tests import make, web
from tests.conftest import ROOT


def git(*arguments):
    subprocess.run(["git", *arguments], check=True, capture_output=True)


@pytest.fixture
def home(project, tmp_path, monkeypatch):
    """The project as a repository with one commit, and a home folder of its own."""
    for name in list(os.environ):
        if name.startswith(("GIT_", "KAGGLE_", "MLFLOW_", "DVC_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    shutil.copytree(ROOT / ".dvc", ".dvc", ignore=lambda *_: {"cache", "tmp", "config.local"})
    (tmp_path / "requirements.txt").write_text("pytest==0.1 \\\n    --hash=sha256:00\nnone==1 ; python_version < '3'\n")
    (tmp_path / ".gitignore").write_text("home\nignored.py\n")
    git("init", "-q")
    git("add", "-A")
    git("-c", "user.name=one", "-c", "user.email=a@b.c", "commit", "-qm", "start")
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def found(check, *arguments):
    result = check(*arguments)
    return result if isinstance(result, doctor.Finding) else list(result)


class Answered:
    """Instead of a probe in a process: what it would have said."""

    def __init__(self, name, *arguments):
        self._name = name

    def answer(self, until):
        return {"pytorch": ("none", "2.15.0, built for the CPU")}.get(self._name, ("ok", "reached"))

    def end(self):
        pass


def test_the_whole_list_ends_with_what_is_wrong(home, project, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "Probe", Answered)
    monkeypatch.setattr(doctor, "_driver", lambda: "")
    with pytest.raises(SystemExit) as caught:
        main(["doctor"])
    out = capsys.readouterr().out
    assert caught.value.code == 1
    assert "problem  git          experiments are commits, and Git does not know who you are" in out
    assert "warning  packages     1 of 1 are not as in requirements.txt: pytest " in out
    assert "problems: git; warnings: packages" in out
    git("config", "user.name", "one")
    git("config", "user.email", "a@b.c")
    main(["doctor"])
    assert "problems: none; " in capsys.readouterr().out


def test_a_mistake_in_the_parameters_is_a_problem_like_others(home, project, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "Probe", Answered)
    project.set(train__lr=-1)
    assert not doctor.run()
    assert "problem  parameters   params.yaml: train.lr is -1" in capsys.readouterr().out


def test_packages_are_held_against_the_lock(tmp_path):
    lock = tmp_path / "requirements.txt"
    version = machine.distributions(name="numpy").__iter__().__next__().version
    lock.write_text(f"numpy=={version} \\\n    --hash=sha256:00\nNot_There==1.0\nold==1 ; python_version < '3'\n")
    assert machine.unlike_lock(lock) == (2, [machine.Package("Not_There", "1.0", None)])
    assert str(machine.Package("a", "1", "2")) == "a 2 (the lock has 1)"
    lock.write_text("not a package at all\n")
    with pytest.raises(UserError, match="make lock"):
        machine.unlike_lock(lock)


def test_a_quota_of_cores_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "QUOTA", tmp_path / "cpu.max")
    assert machine.granted_cores() == machine.cores()
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert machine.granted_cores() == machine.cores()
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert machine.granted_cores() == 0.5
    assert doctor.hardware().state == "warning"


def test_a_gpu_that_pytorch_does_not_see_is_a_problem(project, monkeypatch):
    settings, _ = params.load()
    monkeypatch.setattr(doctor, "_driver", lambda: "H100, 550.1, 80 GB")
    assert "TORCH_BACKEND" in doctor.gpu(settings, "none", "2.15.0+cpu, built for the CPU").text
    finding = doctor.gpu(settings, "none", "2.15.0, built for CUDA 13.2")
    assert (finding.state, "update the driver" in finding.text) == ("problem", True)
    monkeypatch.setattr(doctor, "_driver", lambda: "")
    assert doctor.gpu(settings, "none", "2.15.0").state == "ok"
    assert doctor.gpu(settings, "ok", "2.15.0, sees H100").text == "2.15.0, sees H100"
    project.set(train__device="cuda", train__portable=False)
    assert doctor.gpu(params.load()[0], "none", "2.15.0").state == "problem"


def test_a_token_is_found_but_never_shown(home, project, monkeypatch):
    assert found(doctor.kaggle, *params.load()).state == "ok"
    project.add(kaggle="owner/name")
    assert found(doctor.kaggle, *params.load()).state == "warning"
    token = home / ".kaggle" / "kaggle.json"
    token.parent.mkdir()
    token.write_text('{"username": "me", "key": "secret"}')
    token.chmod(0o644)
    finding = found(doctor.kaggle, *params.load())
    assert (finding.state, "chmod 600" in finding.text) == ("warning", True)
    token.chmod(0o600)
    finding = found(doctor.kaggle, *params.load())
    assert (finding.state, "secret" in finding.text) == ("ok", False)
    token.write_text("{")
    assert found(doctor.kaggle, *params.load()).state == "problem"
    token.unlink()
    monkeypatch.setenv("KAGGLE_API_TOKEN", "secret")
    assert found(doctor.kaggle, *params.load()).text == "a token in KAGGLE_API_TOKEN"


def test_a_home_that_is_not_this_users_holds_no_token(home, project, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    monkeypatch.setattr(Path, "home", lambda: pytest.fail("it may not be known"))
    assert found(doctor.kaggle, *params.load()).text == "no token, and digits needs none"


def test_without_git_the_list_goes_on(home, project, monkeypatch):
    monkeypatch.setenv("PATH", str(home))
    (finding,) = found(doctor.repository)
    assert (finding.state, "not installed" in finding.text) == ("problem", True)
    assert found(doctor.locks).state == "ok"
    with pytest.raises(UserError, match="git is not installed"):
        verify.run()


def test_code_that_an_experiment_in_a_copy_would_miss(home, project, tmp_path, monkeypatch):
    assert doctor.code(params.load()[0]).state == "ok"
    (tmp_path / "new.py").write_text("")
    finding = doctor.code(params.load()[0])
    assert (finding.state, "new.py" in finding.text) == ("warning", True)
    git("add", "new.py")
    (tmp_path / "own").mkdir()
    monkeypatch.setattr(own_code, "ROOT", tmp_path)
    (tmp_path / "own" / "ignored.py").write_text("from own import other")
    (tmp_path / ".gitignore").write_text("ignored.py")
    assert doctor.code(params.load()[0]).state == "ok"
    nested = {"apply": {"probability": 0.5, "changes": [{"function": {"name": "own.ignored:change"}}]}}
    for changes in ({"augment": [nested]}, {"augment": [], "model__name": "own.ignored:net"}):
        project.set(**changes)
        finding = doctor.code(params.load()[0])
        assert (finding.state, "own/ignored.py" in finding.text) == ("problem", True)
    project.set(model__name="own.nowhere:net")
    finding = doctor.code(params.load()[0])
    assert (finding.state, "there is no own/nowhere.py" in finding.text) == ("problem", True)


def test_disk_is_held_against_the_last_run(home, project, tmp_path):
    states = [finding.state for finding in doctor.disk(*params.load())]
    assert len(states) == 2
    shutil.copy(ROOT / "dvc.lock", tmp_path)
    assert "as the last one" in next(doctor.disk(*params.load())).text
    project.archive(b"x" * 2_000_000)
    project.add(path="archive.zip")
    assert "a run takes 4.0 MB at least, twice the archive" in next(doctor.disk(*params.load())).text


@pytest.mark.parametrize("size", [0, 14, 400, 2000, 5000])
def test_a_lock_file_cut_short_is_a_finding(home, project, tmp_path, size):
    (tmp_path / "dvc.lock").write_bytes((ROOT / "dvc.lock").read_bytes()[:size])
    first, *others = doctor.disk(*params.load())
    assert str(first) == "problem  dvc.lock     it is cut short or damaged: git checkout dvc.lock"
    assert [finding.name for finding in others] == ["disk", "temporary"]


def test_a_lock_file_that_is_not_committed(home, tmp_path):
    (*_, finding) = doctor.repository()
    assert finding == doctor.Finding("ok", "dvc.lock", "not there yet: `dvc repro` makes it")
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\n")
    (*_, finding) = doctor.repository()
    assert finding.state == "warning"


def test_what_killed_processes_leave(home, tmp_path):
    assert doctor.locks().state == "ok"
    held = tmp_path / ".dvc" / "tmp" / "rwlock"
    held.parent.mkdir(exist_ok=True)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for process, state in ((gone.pid, "ok"), (os.getpid(), "problem")):
        held.write_text(json.dumps({"write": {"data/raw": {"pid": process, "cmd": "dvc repro"}}, "read": {}}))
        assert doctor.locks().state == state
    at_work = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "dvc", "repro"])
    try:
        held.write_text(json.dumps({"read": {"data/raw": [{"pid": at_work.pid, "cmd": "dvc repro"}]}}))
        assert doctor.locks().state == "warning"
    finally:
        at_work.kill()
        at_work.wait()
    held.write_text('{"write": {"da')
    assert "rwlock is there" in doctor.locks().text
    held.unlink()
    (tmp_path / ".git" / "index.lock").write_text("")
    assert "index.lock" in doctor.locks().text


def test_remotes_are_asked_one_by_one(home, monkeypatch):
    monkeypatch.setattr(doctor, "Probe", lambda *arguments: arguments)
    probed = {}
    (finding,) = doctor._remotes(probed)
    assert "dvc remote add" in finding.text
    with (home.parent / ".dvc" / "config").open("a") as config:
        config.write("['remote \"one\"']\n    url = /one\n['remote \"two\"']\n    url = s3://two\n")
    (finding,) = doctor._remotes(probed)
    assert (finding.state, "dvc remote default one" in finding.text) == ("warning", True)
    assert probed == {"remote one": ("remote", "one"), "remote two": ("remote", "two")}


def test_a_remote_of_a_folder(home, tmp_path):
    config = tmp_path / ".dvc" / "config"
    config.write_text(f"['remote \"near\"']\n    url = {tmp_path}/near\n['remote \"far\"']\n    url = {tmp_path}/a/b\n")
    assert probes.remote("near") == ("ok", f"{tmp_path}/near is not there yet: the first `dvc push` makes it")
    state, text = probes.remote("far")
    assert (state, f"there is no {tmp_path}/a" in text) == ("problem", True)
    (tmp_path / "near").mkdir()
    assert probes.remote("near") == ("ok", f"{tmp_path}/near")
    state, text = probes.remote("none")
    assert (state, "cannot be listed" in text) == ("problem", True)


def test_a_probe_that_does_not_answer_is_given_up(monkeypatch):
    monkeypatch.setattr(doctor, "LIMIT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        probe = doctor.Probe("mlflow", f"http://127.0.0.1:{silent.getsockname()[1]}")
        state, text = probe.answer(time.monotonic() - 1)
    assert (state, "no answer within 0.2 s: run this again when the machine is less busy" in text) == (
        "warning",
        True,
    ), text
    state, text = doctor.Probe("no such probe").answer(time.monotonic() + 60)
    assert (state, "KeyError" in text) == ("problem", True)


@pytest.mark.parametrize(
    ("answer", "state", "word"),
    [
        (web.Answer(200, probes.distribution("mlflow").version.encode()), "ok", "MLflow 3"),
        (web.Answer(200, b"1.30.0"), "warning", "runs MLflow 1.30.0, installed is 3"),
        (web.Answer(200, b"<html>"), "warning", "not as MLflow"),
        (web.Answer(401), "warning", "MLFLOW_TRACKING_USERNAME"),
        (web.Answer(500), "warning", "answers 500"),
    ],
)
def test_a_server_of_mlflow(answer, state, word):
    with web.serve([answer]) as server:
        found, text = probes.mlflow(server.url)
    assert (found, word in text) == (state, True), text


def test_a_server_is_asked_with_the_password_that_training_will_use(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    files.write_text(
        tmp_path / ".mlflow" / "credentials",
        "[mlflow]\nmlflow_tracking_username = ada\nmlflow_tracking_password = kept\n",
    )
    with web.serve([web.Answer(200), web.Answer(200)]) as server:
        probes.mlflow(server.url)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "given")
        probes.mlflow(server.url)
    sent = [request.headers["Authorization"].removeprefix("Basic ") for request in server.requests]
    assert [base64.b64decode(text) for text in sent] == [b"ada:kept", b"ada:given"]


def test_a_server_that_is_down(closed_port):
    state, text = probes.mlflow(f"http://me:secret@127.0.0.1:{closed_port}")
    assert (state, "does not answer" in text, "secret" in text) == ("warning", True, False)


@pytest.mark.parametrize(
    ("address", "state"),
    [
        ("./mlruns", "warning"),
        ("/srv/runs", "warning"),
        ("file:///srv/runs", "warning"),
        ("postgresql+psycopg2://ada:secret@db/mlflow", "ok"),
        ("databricks", "ok"),
        ("databricks://team", "ok"),
    ],
)
def test_a_folder_is_no_store_any_more(address, state):
    found, text = probes.mlflow(address)
    assert (found, "secret" in text) == (state, False)


def test_a_store_in_one_file(tmp_path):
    known, head = probes._schemas()
    file = tmp_path / "mlflow.db"

    def answer():
        return probes.mlflow(f"sqlite:///{file}")

    assert answer() == ("ok", "mlflow.db is not there yet: the first training makes it")
    store = sqlite3.connect(file)
    store.execute("CREATE TABLE alembic_version (version_num TEXT)")
    store.execute("CREATE TABLE runs (id TEXT)")
    for version, state, word in ((head, "ok", "0 runs"), (min(known - {head}), "problem", "mlflow db upgrade"),
                                 ("fromthefuture", "problem", "newer")):  # fmt: skip
        store.execute("DELETE FROM alembic_version")
        store.execute("INSERT INTO alembic_version VALUES (?)", (version,))
        store.commit()
        found, text = answer()
        assert (found, word in text) == (state, True), text
    store.execute("UPDATE alembic_version SET version_num = ?", (head,))
    store.execute("INSERT INTO runs VALUES ('one')")
    store.commit()
    assert answer() == ("ok", "mlflow.db, 1 run")
    store.close()
    file.write_bytes(b"no database" * 100)
    assert answer()[0] == "problem"


@pytest.mark.slow
def test_the_schema_is_that_of_the_installed_mlflow(tmp_path):
    import mlflow

    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    mlflow.MlflowClient(address).search_experiments()
    assert probes.mlflow(address) == ("ok", "mlflow.db, 0 runs")


def test_pytorch_tells_its_build():
    state, text = probes.pytorch()
    assert state in ("ok", "none")
    assert "built for" in text


def test_a_finding_is_one_line():
    assert make.is_one_line(str(doctor.Finding("ok", "x", "y")))
