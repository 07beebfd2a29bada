"""The warm process: a stage runs in a fork, says how it ended, and ends with the search."""

import json
import os
import sys
import time
from types import SimpleNamespace

import pytest

from darkroom.base.errors import UserError
from darkroom.tools import search_worker
from darkroom.tracking.trials import Pruned


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a stage that is this function in a fork; gives what it said, its exit status and what it printed."""

    def do(stage):
        monkeypatch.setitem(sys.modules, "stages.some", SimpleNamespace(main=stage))
        heard, answers = os.pipe()
        nothing, ours = os.pipe()
        child = os.fork()
        if child == 0:
            os.dup2(nothing, 0)
            os.close(ours)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")  # not those that pytest reads
            job = {
                "stage": "some",
                "watched": False,
                "environment": {"DVC_STAGE": "some"},
                "log": str(tmp_path / "log"),
            }
            os._exit(search_worker._run(job, answers))
        os.close(answers)
        _, status = os.waitpid(child, 0)
        os.close(ours)
        said = [json.loads(line) for line in os.fdopen(heard).read().splitlines()]
        return said, os.waitstatus_to_exitcode(status), (tmp_path / "log").read_text()

    return do


def test_a_stage_that_ends_well_prints_into_the_log(run):
    said, status, log = run(lambda: print("wrote", os.environ["DVC_STAGE"]))
    assert (said, status, log) == ([{"ended": "", "pruned": False}], 0, "wrote some\n")


def test_a_stage_that_fails_has_an_exit_status_and_a_reason(run):
    def fail():
        raise UserError("no images")

    said, status, log = run(fail)
    assert (said, status, log) == ([{"ended": "no images", "pruned": False}], 1, "error: no images\n")


def test_a_pruned_training_does_not_end_well(run):
    def prune():
        raise Pruned("pruned after epoch 2")

    assert run(prune)[:2] == ([{"ended": "pruned after epoch 2", "pruned": True}], 1)


def test_a_fault_is_told_in_a_line_and_in_full_in_the_log(run):
    said, status, log = run(lambda: [][0])
    assert (said, status) == ([{"ended": "IndexError: list index out of range", "pruned": False}], 1)
    assert log.startswith("Traceback")


def test_a_line_is_read_and_nothing_behind_it():
    read, write = os.pipe()
    os.write(write, b"go on\nstop\nhalf")
    os.close(write)
    assert [search_worker._line(read) for _ in range(3)] == [b"go on\n", b"stop\n", b""]


def test_a_fork_ends_when_the_search_is_killed():
    nothing, ours = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        os.dup2(nothing, 0)
        search_worker._listen(None)
    os.close(ours)  # as the system does when the search is killed
    end = time.monotonic() + 10
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        assert time.monotonic() < end
        time.sleep(0.01)
