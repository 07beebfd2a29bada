"""How processes find one another."""

import os
import socket
import threading

import pytest

from darkroom.base.errors import UserError
from darkroom.training import meeting


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def hello(rank, world=2, **changes):
    given = {"host": f"h{rank}", "process": rank, "node": rank, "local": 0, "world": world, "each": 1, "device": "cpu"}
    return meeting.Hello(**given | changes)


def meet(*hellos, ranks=None):
    """What each says who comes: the names of all, or why it goes."""
    port, said, tables = free_port(), {}, []  # the first keeps its table until the others have read it

    def come(number, own):
        rank = ranks[number] if ranks else number
        try:
            table, found = meeting.meet("127.0.0.1", port, rank, own)
            tables.append(table)
            said[number] = [one.name for _, one in sorted(found.items())]
        except UserError as error:
            said[number] = str(error)

    threads = [threading.Thread(target=come, args=pair) for pair in enumerate(hellos)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return [said[number] for number in range(len(hellos))]


def test_processes_meet():
    assert meet(hello(0), hello(1)) == [["node 0 (host h0)", "node 1 (host h1)"]] * 2


def test_several_on_a_node_have_names():
    pair = {"host": "h", "node": 0, "each": 2}
    names = ["process 0 of node 0 (host h)", "process 1 of node 0 (host h)"]
    assert meet(hello(0, **pair), hello(1, local=1, **pair)) == [names] * 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"world": 3}, "train.num_nodes 3, train.devices 1 and train.device cpu"),
        ({"world": 4, "each": 2}, "train.num_nodes 2, train.devices 2 and train.device cpu"),
        ({"device": "cuda"}, "train.num_nodes 2, train.devices 1 and train.device cuda"),
    ],
    ids=["nodes", "devices", "device"],
)
def test_those_that_do_not_fit_together_say_so_at_once(changes, said):
    first, second = meet(hello(0), hello(1, **changes))
    assert first == second
    assert f"(host h1) has {said}, but" in first
    assert first.endswith(
        "but node 0 (host h0) train.num_nodes 2, train.devices 1 and train.device cpu: set the same everywhere"
    )


def test_processes_whose_numbers_nobody_awaits_are_refused_by_all():
    pair = {"node": 1, "host": "h1", "world": 4, "each": 2}
    said = meet(hello(0), hello(2, **pair), hello(3, local=1, **pair), ranks=[0, 2, 3])
    assert len(set(said)) == 1
    assert "of node 1 (host h1) has train.num_nodes 2, train.devices 2" in said[0]


def test_two_of_one_number_are_told_apart(monkeypatch):
    monkeypatch.setattr(meeting, "START", 1)
    said = meet(hello(0, world=3), hello(1, world=3), hello(1, world=3, host="h2", process=7), ranks=[0, 1, 1])
    assert sum("has the number of node 1" in text for text in said) == 1
    assert any("give each machine a NODE_RANK of its own, from 0 to 2" in text for text in said)


def test_a_first_process_that_goes_while_others_are_waited_for_is_told(monkeypatch):
    closed = meeting.DistError("Connection was likely closed")
    monkeypatch.setattr(meeting, "_all", lambda *_: (_ for _ in ()).throw(closed))
    with pytest.raises(UserError, match=r"node 0 at 127\.0\.0\.1, port [0-9]+, has ended before all were there"):
        meeting.meet("127.0.0.1", free_port(), 0, hello(0))


@pytest.mark.parametrize("rank", [0, 1])
def test_waiting_is_told_and_ends(rank, monkeypatch, capfd):
    monkeypatch.setattr(meeting, "PATIENCE", 0.1)
    monkeypatch.setattr(meeting, "START", 0.5)
    port = free_port()
    missing = ["node 1", f"node 0 at 127.0.0.1, port {port}"][rank]
    with pytest.raises(UserError, match=f"waited 0 minutes for {missing}: start the same command there"):
        meeting.meet("127.0.0.1", port, rank, hello(rank))
    assert capfd.readouterr().out.startswith(f"waiting for {missing}: start the same command there")


def test_a_port_of_another_program_is_refused():
    with socket.create_server(("0.0.0.0", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            UserError, match=f"cannot meet at MASTER_ADDR 127.0.0.1, MASTER_PORT {port}: .* that no other"
        ):
            meeting.meet("127.0.0.1", port, 0, hello(0))


def test_an_address_that_leads_other_hosts_to_themselves_is_refused(monkeypatch):
    monkeypatch.delenv("GLOO_SOCKET_IFNAME", raising=False)
    meeting.choose_interface("127.0.0.1", {"h"})
    assert "GLOO_SOCKET_IFNAME" not in os.environ
    with pytest.raises(UserError, match=r"MASTER_ADDR 127\.0\.0\.1 is 127\.0\.0\.1 on this host, where other machines"):
        meeting.choose_interface("127.0.0.1", {"h", "g"})
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "eth7")
    meeting.choose_interface("127.0.0.1", {"h", "g"})
    assert os.environ["GLOO_SOCKET_IFNAME"] == "eth7"
