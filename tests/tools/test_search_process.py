"""The search's side of the warm process: what it says to it, and how it notices its end."""

import sys

import pytest

from darkroom.tools import search_process
from darkroom.tools.search_process import Ended, Warm

# In place of the warm process: a few lines that read jobs and answer them.
TALK = """
import json, os, sys
def say(**content):
    os.write(1, json.dumps(content).encode() + b"\\n")
for line in sys.stdin:
    job = json.loads(line)
    if job["stage"] == "lost":
        os._exit(1)
    for epoch in (1, 2):
        say(epoch={"epoch": epoch})
        if sys.stdin.readline().strip() == "stop":
            say(ended="pruned after epoch 1", pruned=True)
            break
    else:
        say(ended=job["environment"].get("error", ""), pruned=False)
    say(status=0, cpu_seconds=1.5)
"""


@pytest.fixture
def warm(tmp_path, monkeypatch):
    monkeypatch.setattr(search_process, "COMMAND", (sys.executable, "-S", "-u", "-c", TALK))
    found = Warm(tmp_path, tmp_path / "log", {})
    yield found
    found.close()


def test_a_stage_that_ends_well(warm):
    heard = []
    assert warm.run("train", {}, lambda figures: not heard.append(figures)) == Ended(cpu_seconds=1.5)
    assert heard == [{"epoch": 1}, {"epoch": 2}]


def test_a_stage_that_is_told_to_stop(warm):
    assert warm.run("train", {}, lambda figures: False) == Ended("pruned after epoch 1", pruned=True, cpu_seconds=1.5)


def test_one_process_runs_many_stages_and_a_lost_one_is_followed_by_another(warm):
    assert warm.run("train", {"error": "no memory"}).error == "no memory"
    first = warm._process.pid
    assert warm.run("train", {}).error == ""
    assert warm._process.pid == first
    assert warm.run("lost", {}) == Ended("its process was killed", killed=True)
    assert warm.run("train", {}).error == ""


def test_meanwhile_others_hear_that_the_search_lives(warm):
    beats = []
    warm.run("train", {}, meanwhile=lambda: beats.append(1))
    assert beats
