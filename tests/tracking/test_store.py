import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import mlflow
import pytest
import sqlalchemy
from mlflow import MlflowException
from mlflow.utils.file_utils import local_file_uri_to_path

from darkroom.config.params import load
from darkroom.tracking import store
from tests.conftest import ROOT
from tests.web import Answer, serve


def test_the_store_lies_in_the_repository_unless_told_otherwise(monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert store.uri() == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://example.com")
    assert store.uri() == "http://example.com"


def test_the_environment_can_leave_a_run_out_of_the_record(monkeypatch):
    params = SimpleNamespace(tracking=SimpleNamespace(enabled=True))
    monkeypatch.delenv(store.SWITCH, raising=False)
    assert store.is_wanted(params)
    monkeypatch.setenv(store.SWITCH, "off")
    assert not store.is_wanted(params)
    monkeypatch.setenv(store.SWITCH, "on")
    assert not store.is_wanted(SimpleNamespace(tracking=SimpleNamespace(enabled=False)))


def test_a_store_without_a_whole_path_outlives_the_copy_in_which_a_stage_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    assert store.uri() == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////elsewhere/runs.db")
    assert store.uri() == "sqlite:////elsewhere/runs.db"


@pytest.mark.parametrize("folder", ["plain", "a b", "my %20 ?folder", "100%", "größe & co"])
def test_a_store_in_a_folder_of_any_name_has_an_address_that_leads_there(tmp_path, monkeypatch, folder):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / folder))
    assert sqlalchemy.make_url(store.uri()).database == str(tmp_path / folder / "mlflow.db")
    assert store.sqlite_file(store.uri()) == tmp_path / folder / "mlflow.db"
    assert store.sqlite_file(f"{store.uri()}?timeout=30") == tmp_path / folder / "mlflow.db"
    assert store.sqlite_file("http://127.0.0.1:5000") is None


def test_the_folders_that_mlflow_makes_of_a_quoted_address_are_removed(tmp_path):
    real, made = tmp_path / "a ?b" / "c", tmp_path / "a %3Fb" / "c"
    real.mkdir(parents=True)
    made.mkdir(parents=True)
    store._remove_misnamed(store.sqlite_address(real / "mlflow.db"))
    assert list(tmp_path.iterdir()) == [tmp_path / "a ?b"]
    store._remove_misnamed(store.sqlite_address(tmp_path / "plain" / "mlflow.db"))
    store._remove_misnamed("http://127.0.0.1:5000")
    assert real.is_dir()


def test_a_folder_of_that_name_with_something_in_it_stays(tmp_path):
    kept = tmp_path / "a %3Fb" / "mine.txt"
    kept.parent.mkdir()
    kept.touch()
    store._remove_misnamed(store.sqlite_address(tmp_path / "a ?b" / "mlflow.db"))
    assert kept.exists()


@pytest.mark.slow
def test_processes_that_open_a_fresh_store_together_leave_it_whole(tmp_path):
    code = "from darkroom.tracking import store; store.prepare()"
    environment = {"DVC_ROOT": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    together = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(3)]
    assert [process.wait() for process in together] == [0, 0, 0]
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    assert client.search_experiments()


def test_a_kill_while_the_store_is_made_leaves_no_half_store(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    seen = []

    def make(client, max_results):
        seen.append((tmp_path / "mlflow.db").exists())
        sqlite3.connect(store.sqlite_file(client.tracking_uri)).execute("create table half (made int)")
        raise KeyboardInterrupt

    monkeypatch.setattr(mlflow.MlflowClient, "search_experiments", make)
    with pytest.raises(KeyboardInterrupt):
        store.prepare()
    assert seen == [False]
    assert not (tmp_path / "mlflow.db").exists()


def test_what_another_machine_makes_on_the_server_in_the_same_moment_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    there = []

    def make():
        there.append("theirs")
        raise MlflowException("RESOURCE_ALREADY_EXISTS")

    assert store.find_or_make(lambda: there[0] if there else None, make) == "theirs"


def test_what_the_server_refuses_to_make_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))

    def make():
        raise MlflowException("PERMISSION_DENIED")

    with pytest.raises(MlflowException, match="PERMISSION_DENIED"):
        store.find_or_make(lambda: None, make)


def test_a_server_that_hangs_is_not_waited_for_again_and_again(monkeypatch):
    monkeypatch.setattr(store, "ALIVE", (5, 0.1))
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TimeoutError, match="no answer"):
        store._check_server(f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_what_a_server_answers_and_a_refused_connection_are_left_to_mlflow(closed_port, tmp_path):
    store._check_server(f"http://127.0.0.1:{closed_port}")
    store._check_server(f"sqlite:///{tmp_path}/mlflow.db")
    with serve([Answer(500)]) as server:
        store._check_server(server.url)
    assert [request.path for request in server.requests] == ["/health"]


@pytest.mark.parametrize("name", ["digits", "../x", "..", "a/b", "größe 1 %", "a b"])
@pytest.mark.parametrize("file", ["mlflow.db", "elsewhere/runs.db"])
def test_the_files_of_each_experiment_lie_in_a_folder_of_their_own_in_the_repository(tmp_path, monkeypatch, name, file):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / file}")
    (tmp_path / "elsewhere").mkdir()
    made = []
    server = SimpleNamespace(
        get_experiment_by_name=lambda name: None,
        create_experiment=lambda name, artifact_location: made.append(artifact_location),
    )
    monkeypatch.setattr(store, "prepare", lambda: None)
    monkeypatch.setattr(store, "client", lambda: server)
    params = load(ROOT / "params.yaml", ROOT / "datasets.yaml")[0]
    store.experiment(params.model_copy(update={"tracking": params.tracking.model_copy(update={"experiment": name})}))
    folder = Path(local_file_uri_to_path(made[0]))
    assert Path(os.path.normpath(folder)).parent == tmp_path / "mlartifacts"


def test_an_experiment_that_was_deleted_is_named_with_what_to_do(tmp_path, monkeypatch):
    kept = SimpleNamespace(lifecycle_stage="deleted", experiment_id="7")
    monkeypatch.setattr(store, "prepare", lambda: None)
    monkeypatch.setattr(store, "client", lambda: SimpleNamespace(get_experiment_by_name=lambda name: kept))
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with pytest.raises(RuntimeError, match="'digits' was deleted: `mlflow experiments restore --experiment-id 7`"):
        store.experiment(load(ROOT / "params.yaml", ROOT / "datasets.yaml")[0])
