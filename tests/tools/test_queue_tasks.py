import hashlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from darkroom.base.errors import UserError
from darkroom.tools import queue_tasks
from darkroom.tools.queue_tasks import Process
from tests.repository import wait_for


def test_outside_of_dvc_one_sentence_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="DVC has no queue here"), queue_tasks.opened():
        pass


def test_a_task_is_queued_then_cut_off_or_failed_or_done(queue):
    for name in ("waits", "killed", "wrong", "good"):
        queue.put(name)
    assert set(queue.states().values()) == {"queued"}
    for name in ("killed", "wrong", "good"):
        queue.take(name)
    queue.fail("wrong", "error: params.yaml: train.lr is -3\n")
    queue.finish("good")
    found = queue.read()
    assert {name: task.state for name, task in found.items()} == {
        "killed": "ghost",
        "waits": "queued",
        "wrong": "failed",
        "good": "done",
    }
    assert found["wrong"].said == "error: params.yaml: train.lr is -3"
    assert queue_tasks.counts(list(found.values())) == "1 with nobody at work, 1 queued, 1 failed, 1 done"
    assert queue_tasks.names(list(found.values()), "ghost", "failed") == "killed, wrong"
    assert queue_tasks.is_collected(queue.dvc, found["good"].entry)
    assert not queue_tasks.is_collected(queue.dvc, found["killed"].entry)


def test_a_commit_whose_message_was_never_sent_is_found(queue):
    entry = queue.entry("half")
    found = queue.read()["half"]
    assert (found.state, found.entry, found.message) == ("ghost", entry, None)
    assert "its queueing was broken off" in found.said


def working(queue, monkeypatch, *processes):
    monkeypatch.setattr(queue_tasks, "_processes", lambda: iter(processes))
    return queue.read()["one"]


@pytest.fixture
def taken(queue):
    queue.put("one")
    queue.folder = queue.take("one")
    queue.node = hashlib.sha256(queue.dvc.wdir.encode()).hexdigest()[:6]
    return queue


def processes_of(queue):
    """A worker of this queue, the process of DVC under it, and a stage under that."""
    revision = next(entry.stash_rev for _, entry in queue.dvc._iter_processed())
    worker = Process(7, ("python", "dvc", "exp", "queue-worker", f"dvc-exp-{queue.node}-1@localhost"), "/", ())
    run = Process(8, ("python", "dvc", "exp", "exec-run", "--infofile", f"/run/{revision}.run"), "/", (7, 1))
    return worker, run, Process(9, ("python", "-m", "stages.train"), str(queue.folder), (8, 7, 1))


def test_who_is_at_work_is_told_from_the_processes_of_this_machine(taken, monkeypatch):
    worker, run, stage = processes_of(taken)
    found = working(taken, monkeypatch, worker, run, stage)
    assert (found.state, found.said) == ("running", "by processes 8 9")
    # The worker was killed, and then DVC's own process too: what goes on is told, and is no ghost.
    for left in ((run, stage), (stage,)):
        orphans = [Process(one.pid, one.command, one.folder, (1,)) for one in left]
        found = working(taken, monkeypatch, *orphans)
        assert (found.state, f"kill {' '.join(str(one.pid) for one in left)}" in found.said) == ("left", True)
    # A shell that stands in the folder works on nothing, and neither does the worker of another queue.
    other = Process(7, ("dvc", "exp", "queue-worker", "dvc-exp-000000-1@localhost"), "/", ())
    shell = Process(5, ("bash",), str(taken.folder), (1,))
    assert working(taken, monkeypatch, other, shell).state == "ghost"


@pytest.mark.parametrize("answer", ["has it", "has another", "none"])
def test_a_worker_that_prepares_a_task_is_asked(taken, monkeypatch, answer):
    worker, *_ = processes_of(taken)
    (number,) = [message.headers["id"] for message, _ in taken.dvc._iter_processed()]
    answers = {"has it": {"w": [{"id": number}]}, "has another": {"w": [{"id": "x"}]}, "none": {}}[answer]
    monkeypatch.setattr(taken.dvc, "worker_status", lambda: answers, raising=False)
    found = working(taken, monkeypatch, worker)
    assert found.state == {"has it": "running", "has another": "ghost", "none": "unknown"}[answer]


def test_in_a_folder_that_other_machines_may_use_nothing_is_guessed(taken, monkeypatch):
    monkeypatch.setattr(queue_tasks, "_shared", lambda folder: "nfs4")
    found = working(taken, monkeypatch)
    assert (found.state, "which other machines may use" in found.said) == ("unknown", True)


@pytest.mark.parametrize(("kind", "shared"), [("nfs4", "nfs4"), ("ext4", ""), ("fuse.sshfs", "fuse.sshfs")])
def test_the_innermost_file_system_decides(kind, shared, monkeypatch):
    places = [SimpleNamespace(mountpoint="/", fstype="ext4"), SimpleNamespace(mountpoint="/home/one", fstype=kind)]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: places)
    assert queue_tasks._shared(Path("/home/one/project/.dvc")) == shared
    assert queue_tasks._shared(Path("/home/other")) == ""


def test_processes_are_known_by_their_command_and_their_folder(tmp_path):
    folder = tmp_path / ".dvc" / "tmp" / "exps" / "tmpone"
    folder.mkdir(parents=True)
    sleeping = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "exec-run", "ab"], cwd=folder)
    try:
        wait_for(lambda: any(one.pid == sleeping.pid for one in queue_tasks._processes()), 10)
        (found,) = [one for one in queue_tasks._processes() if one.pid == sleeping.pid]
    finally:
        sleeping.kill()
        sleeping.wait()
    assert (found.folder, found.command[-1], found.parents[0]) == (str(folder), "ab", os.getpid())
    assert queue_tasks._at_work([found], "ab", None) == [found]
