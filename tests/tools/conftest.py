"""A repository to look into."""

import os
import shutil
import subprocess

import pytest

from darkroom.tools import queue_tasks
from tests.conftest import ROOT
from tests.tools import queues


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


@pytest.fixture
def queue(home, monkeypatch):
    """DVC's queue of that repository, without workers."""
    monkeypatch.setattr(queue_tasks, "_shared", lambda folder: "")  # the folder of temporary files may be anywhere
    git("config", "user.name", "one")
    git("config", "user.email", "a@b.c")
    with queue_tasks.opened() as dvc:
        yield queues.Queue(dvc)
