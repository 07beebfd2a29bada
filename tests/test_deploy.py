"""The files of deploy/, as far as they can be looked at without a server."""

import configparser
import os
import re
import subprocess
from pathlib import Path

from darkroom.config.yaml_files import read_yaml

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
