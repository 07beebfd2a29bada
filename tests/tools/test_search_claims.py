"""A job is done by one process: who may take it, and when it may be taken over."""

import subprocess
import sys

import pytest
from sqlalchemy import create_engine

from darkroom.tools import search_claims
from darkroom.tools.search_claims import Claims


@pytest.fixture
def process():
    """Makes the claims of a process, on this machine or another, in one database."""
    engine = create_engine("sqlite://")

    def make(**other):
        claims = Claims(engine, "one")
        claims._me |= other
        return claims

    return make


@pytest.fixture
def dead():
    """The number of a process that has ended, and when it began."""
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    return {"process": ended.pid, "started": 1}


@pytest.fixture
def clock(monkeypatch):
    """The seconds that the claims see."""
    now = [1000.0]
    monkeypatch.setattr(search_claims.time, "monotonic", lambda: now[0])
    return now


def test_a_job_is_taken_once(process):
    ours, other = process(), process(process=1)
    assert ours.take("trial 1")
    assert ours.take("trial 1")  # it is ours
    assert not other.take("trial 1")
    assert other.take("trial 2")
    assert (ours.holds("trial 1"), ours.holds("trial 2"), ours.holds("trial 3")) == (True, False, False)


def test_a_job_of_a_dead_process_of_this_machine_is_taken_over_at_once(process, dead):
    lost, ours = process(**dead), process()
    assert lost.take("trial 1")
    assert ours.take("trial 1")
    assert not lost.holds("trial 1")


def test_a_process_with_the_same_number_that_began_later_is_another_one(process):
    earlier = process(started=1)
    earlier.take("trial 1")
    assert process().take("trial 1")


def test_a_job_of_another_machine_is_taken_over_when_its_sign_of_life_stays_away(process, clock):
    far, ours = process(machine="far"), process()
    far.take("trial 1")
    for _ in range(5):  # it lives
        assert not ours.take("trial 1")
        clock[0] += search_claims.GRACE - 1
        far.beat()
    assert not ours.take("trial 1")
    clock[0] += search_claims.GRACE - 1
    assert not ours.take("trial 1")
    clock[0] += 2
    assert ours.take("trial 1")


def test_one_of_two_takes_over(process, dead, monkeypatch):
    lost, ours, other = process(**dead), process(), process(process=1)
    lost.take("trial 1")
    seen = other._last("trial 1")  # before we are faster
    ours.take("trial 1")
    monkeypatch.setattr(other, "_last", lambda job: seen)
    assert not other.take("trial 1")


def test_signs_of_life_are_given_no_more_often_than_needed(process, clock):
    ours = process()
    ours.take("trial 1")
    ours.beat()
    assert ours._last("trial 1")["beat"] == 0
    clock[0] += search_claims.BEAT + 1
    ours.beat()
    ours.beat()
    assert ours._last("trial 1")["beat"] == 1


def test_studies_have_claims_of_their_own():
    engine = create_engine("sqlite://")
    assert Claims(engine, "one").take("trial 1")
    other = Claims(engine, "two")
    assert not other.holds("trial 1")
