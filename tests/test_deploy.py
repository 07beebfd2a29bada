"""The files of deploy/, as far as they can be looked at without a server."""

import configparser
import os
import re
import subprocess
from pathlib import Path

import pytest

from darkroom.config.yaml_files import read_yaml
from tests.repository import make_repository, run

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"


def test_the_server_runs_the_mlflow_of_its_clients():
    versions = {
        re.search(r"^mlflow(?:\[auth\])?==(\S+)", file.read_text(), re.MULTILINE)[1]
        for file in (ROOT / "requirements.in", DEPLOY / "requirements.txt")
    }
    assert len(versions) == 1


def test_no_container_listens_beyond_this_machine_unless_told_to():
    services = read_yaml(DEPLOY / "compose.yaml")["services"]
    assert {name: service.get("ports") for name, service in services.items()} == {
        "postgres": None,
        "s3": None,
        "mlflow": ["${LISTEN:-127.0.0.1}:5000:5000"],
    }


def test_the_script_says_what_it_misses():
    answer = subprocess.run(["bash", DEPLOY / "mlflow.sh"], capture_output=True, text=True, check=False)
    assert answer.returncode
    assert "the folder for the files of the server is missing" in answer.stderr


def test_a_password_may_hold_what_an_address_writes_as_percent(tmp_path):
    (tmp_path / "mlflow").write_text("#!/bin/sh\n")
    (tmp_path / "mlflow").chmod(0o755)
    address = "postgresql+psycopg2://ada:p%40ss@db/mlflow"
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "MLFLOW_BACKEND_STORE_URI": address}
    subprocess.run(["bash", DEPLOY / "mlflow.sh", tmp_path / "state"], env=environment, check=True)
    settings = configparser.ConfigParser()  # as MLflow reads it
    settings.read(tmp_path / "state" / "auth.ini")
    assert settings["mlflow"]["database_uri"] == address


def test_a_task_without_a_line_is_told_so(tmp_path):
    (tmp_path / "list.txt").write_text("-S train.lr=0.1\n")
    command = ["bash", DEPLOY / "array.sh", "nowhere", tmp_path, "rate", tmp_path / "list.txt"]
    answer = subprocess.run(command, env=os.environ | {"TASK": "2"}, capture_output=True, text=True, check=False)
    assert answer.returncode
    assert answer.stderr == f"error: {tmp_path}/list.txt has no line 2\n"
    assert not (tmp_path / "rate-2").exists()


@pytest.mark.slow
def test_experiments_of_many_clones_come_together(tmp_path):
    """Two machines' tasks, one after the other; the second is killed before its push, and started again."""
    owner = make_repository(tmp_path / "owner")
    run(owner, "dvc", "repro", "split")
    run(owner, "dvc", "remote", "add", "-d", "store", tmp_path / "store")
    run(owner, "git", "add", "-A")
    run(owner, "git", "commit", "-qm", "data")
    run(owner, "dvc", "push")
    run(tmp_path, "git", "clone", "-q", "--bare", owner, "hub.git")
    run(owner, "git", "remote", "add", "origin", tmp_path / "hub.git")
    (tmp_path / "list.txt").write_text("-S train.seed=1 train\n-S train.seed=2 train\n")
    command = ["bash", DEPLOY / "array.sh", tmp_path / "hub.git", tmp_path / "clones", "seed", tmp_path / "list.txt"]

    (tmp_path / "clones").mkdir()
    run(tmp_path, *command, TASK="1")
    # What a kill between training and push leaves: the experiment in its clone alone.
    run(tmp_path, "git", "clone", "-q", tmp_path / "hub.git", tmp_path / "clones" / "seed-2")
    wanted = ("-n", "seed-2", "-S", "train.seed=2", "train")
    run(tmp_path / "clones" / "seed-2", "dvc", "exp", "run", "--pull", "--allow-missing", *wanted)
    assert "Running stage" not in run(tmp_path, *command, TASK="2")
    assert run(tmp_path, *command, TASK="2") == "seed-2 is pushed already\n"

    run(owner, "dvc", "exp", "pull", "origin", "seed-1", "seed-2")
    for reference in run(owner, "git", "for-each-ref", "--format=%(refname)", "refs/exps/*/*/seed-*").split():
        run(owner, "git", "checkout", reference, "--", "dvc.lock", "params.yaml")
        run(owner, "dvc", "checkout", "models/model.safetensors")
        assert f"seed: {reference[-1]} " in (owner / "params.yaml").read_text()
