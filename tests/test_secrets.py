"""A Kaggle token is seen by Kaggle alone: in no file, no output and no process list, whatever happens."""

import base64
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests import make
from tests.test_pipeline import make_repository
from tests.web import file, json_answer, kaggle, serve

TOKEN = "KGAT_0123456789-recognisable"
TRACES = (TOKEN.encode(), base64.b64encode(f"me:{TOKEN}".encode()), b"signature=1")
# The interpreter runs it at its start: in the stage that fetches, Kaggle's client asks the server of the test.
REDIRECT = """
import os, sys
if "stages.fetch" in sys.orig_argv:
    from kagglesdk import kaggle_env
    kaggle_env._env_to_endpoint[kaggle_env.KaggleEnv.PROD] = os.environ["STAND_IN"]
"""
WAYS = {
    "variable": ({}, {"KAGGLE_API_TOKEN": TOKEN}),
    "file": ({"access_token": TOKEN}, {}),
    "kaggle.json": ({"kaggle.json": json.dumps({"username": "me", "key": TOKEN})}, {}),
}


def command_lines():
    """The command lines of all processes of this machine."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            found.add(path.read_bytes())
    return found


@pytest.fixture
def repository(tmp_path):
    folder = make_repository(tmp_path / "repository")
    make.edit(folder / "datasets.yaml", {"tiny.path": ..., "tiny.kaggle": "owner/set"})
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "sitecustomize.py").write_text(REDIRECT)
    return folder


def reproduce(repository, way, answer, stage=()):
    """Run `dvc repro` against a server in Kaggle's place; return its exit code and what it printed."""
    files, variables = WAYS[way]
    home = repository.parent / "home"
    (home / ".kaggle").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (home / ".kaggle" / name).write_text(content)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_", "KAGGLE_"))}
    python = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with serve(answer) as server, (repository.parent / "printed").open("w+b") as printed:
        environment = kept | variables | {"HOME": str(home), "PATH": python, "STAND_IN": server.url}
        environment["PYTHONPATH"] = str(repository.parent / "start")
        process = subprocess.Popen(
            ["dvc", "repro", "-v", *stage], cwd=repository, env=environment, stdout=printed, stderr=printed
        )
        seen = command_lines()
        while process.poll() is None:
            seen |= command_lines()
            time.sleep(0.02)
        printed.seek(0)
        output = printed.read()
    commands = b"\n".join(seen)
    assert b"stages.fetch" in commands
    assert not any(trace in commands + output for trace in TRACES)
    asked = [request.headers.get("Authorization", "") for request in server.requests]
    assert any(value.encode().endswith(TRACES[:2]) for value in asked), "the token was not used"
    return process.returncode, output.decode()


def traces(repository):
    """Files that hold the token, but for the user's own."""
    return [
        str(path)
        for path in repository.parent.rglob("*")
        if path.is_file() and path.parent.name != ".kaggle" and any(trace in path.read_bytes() for trace in TRACES)
    ]


def no(code):
    return json_answer(code, {"code": code, "message": "Kaggle says no"})


def test_the_token_is_seen_by_kaggle_alone(repository):
    archive = (repository / "set.zip").read_bytes()
    ended, printed = reproduce(repository, "file", kaggle(file(archive, cuts=[len(archive) // 2])), ["fetch"])
    assert ended == 0, printed
    assert (repository / "data/raw/set.zip").read_bytes() == archive
    assert "kaggle: owner/set" in (repository / "data/raw/source.json").read_text()
    assert (repository / "dvc.lock").is_file()
    assert traces(repository) == []


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_the_token_is_in_nothing_that_a_whole_run_leaves(repository, way):
    archive = (repository / "set.zip").read_bytes()
    for code in (401, 403, 500):
        failed, printed = reproduce(repository, way, kaggle(None, lambda _, code=code: no(code)))
        assert failed != 0
        assert f"answered {code}" in printed
    ended, printed = reproduce(repository, way, kaggle(file(archive, cuts=[len(archive) // 2])))
    assert ended == 0, printed
    assert (repository / "mlflow.db").is_file()
    assert list((repository / "mlartifacts").rglob("report.html"))
    assert traces(repository) == []
