"""Processes that train as one watch over one another: here threads, each with a connection of its own."""

import contextlib
import threading
import time

import pytest

from darkroom.base.errors import UserError
from darkroom.training import meeting, peers
from tests.training.test_meeting import free_port, hello

CLOSED = RuntimeError("[third_party/gloo/transport/tcp/pair.cc:561] Connection closed by peer [10.0.0.2]:26789.")


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    for name, seconds in {"BEAT": 0.1, "SILENT": 1.5, "GRACE": 1.5}.items():
        monkeypatch.setattr(peers, name, seconds)


@contextlib.contextmanager
def joined(count):
    """So many processes that have met."""
    port, found = free_port(), {}

    def come(rank):
        store, hellos = meeting.meet("127.0.0.1", port, rank, hello(rank, world=count))
        found[rank] = peers.Peers(store, hellos, rank)

    threads = [threading.Thread(target=come, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    try:
        yield [found[rank] for rank in range(count)]
    finally:
        for one in reversed(found.values()):
            one.leave()


def go_silent(one):
    """As if its process were killed."""
    one._end.set()
    for thread in one._threads:
        thread.join()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyboardInterrupt(), "node 1 (host h1) was interrupted; start the same command again on every node"),
        (UserError("no memory is left"), "node 1 (host h1) ended: no memory is left"),
        (ValueError("of one\nand more"), "node 1 (host h1) ended: ValueError: of one"),
    ],
    ids=["interrupted", "mistake", "fault"],
)
def test_how_one_ends_is_what_the_others_say(error, said):
    with joined(3) as (first, second, third):
        assert second.leave(error) == ""  # it says so itself
        assert third.leave(CLOSED).startswith(said)
        assert first.leave(CLOSED).startswith(said)


@pytest.mark.parametrize("lost", [0, 1])
def test_one_that_was_killed_is_named_soon_after_an_operation_has_failed(lost):
    with joined(2) as both:
        go_silent(both[lost])
        began = time.monotonic()
        assert both[1 - lost].leave(CLOSED).startswith(f"node {lost} (host h{lost}) was lost; start the same")
        assert time.monotonic() - began < peers.SILENT


def test_a_process_that_hangs_in_an_operation_with_a_lost_one_is_ended(monkeypatch, capfd):
    codes = []
    monkeypatch.setattr(peers.os, "_exit", codes.append)
    with joined(2) as (_, second):
        go_silent(second)
        end = time.monotonic() + 10
        while not codes and time.monotonic() < end:
            time.sleep(0.05)
        assert codes == [1]
        assert capfd.readouterr().err.startswith("error: node 1 (host h1) was lost: nothing was heard of it for ")


def test_nobody_waits_for_what_a_lost_process_would_have_written():
    with joined(2) as (first, second):
        go_silent(second)
        with pytest.raises(peers.Lost, match=r"node 1 .* was lost"):
            first.get("claims", 1)


def test_one_that_has_done_its_part_may_go():
    with joined(2) as (first, second):
        assert second.leave() == ""
        time.sleep(2 * peers.SILENT)
        assert first.leave() == ""


def test_slow_neighbours_are_not_lost():
    with joined(2) as both:
        time.sleep(2 * peers.SILENT)
        assert [one._reason for one in both] == ["", ""]


def test_a_fault_of_its_own_is_told_at_once_and_blamed_on_nobody():
    with joined(2) as (first, second):
        go_silent(first)
        began = time.monotonic()
        assert second.leave(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) == ""
        assert time.monotonic() - began < 1


def test_alone_nothing_is_watched_and_errors_pass():
    assert peers.peers() is None
    with pytest.raises(ValueError, match="own"), peers.together():
        raise ValueError("own")
