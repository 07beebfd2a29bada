import base64
import sqlite3
from types import SimpleNamespace

import pytest

from darkroom.base import files
from darkroom.tools import probes
from darkroom.tracking import at_work
from darkroom.tracking.store import sqlite_address
from tests import web


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


@pytest.mark.parametrize("folder", ["plain", "my %20 ?folder"])
def test_a_store_in_one_file(tmp_path, folder):
    known, head = probes._schemas()
    file = tmp_path / folder / "mlflow.db"
    file.parent.mkdir()

    def answer():
        return probes.mlflow(sqlite_address(file))

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


def test_the_queue_names_what_has_nobody_at_work(queue):
    assert probes.queue() == ("ok", "no tasks")
    queue.put("one")
    assert probes.queue() == ("ok", "1 queued")
    queue.take("one")
    state, text = probes.queue()
    assert (state, "nobody is at work on one: python -m darkroom queue --retry" in text) == ("warning", True)


@pytest.mark.parametrize(
    ("found", "answer"),
    [
        ({}, ("ok", "none is running")),
        (
            {"a": "at work", "b": "elsewhere"},
            ("ok", "at work: a; begun by another clone or machine, so not to be judged here: b"),
        ),
        (
            {"a": "cut off"},
            ("warning", "nobody is at work on a: python -m darkroom queue --retry closes what does not go on"),
        ),
    ],
)
def test_the_runs_that_say_running_are_judged_where_they_can_be(found, answer, monkeypatch):
    runs = [(SimpleNamespace(info=SimpleNamespace(run_name=name)), state) for name, state in found.items()]
    monkeypatch.setattr(at_work, "unfinished", lambda: runs)
    assert probes.runs() == answer
