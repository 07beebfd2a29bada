"""Lets the processes that train as one find one another, before torch.distributed connects them.

They meet at a store of torch.distributed, a table of texts that the first process serves under MASTER_ADDR and
MASTER_PORT. Each process writes there who it is and waits for the others. So machines may start minutes apart, and the
user can interrupt the wait. Processes with different settings end with a sentence; torch.distributed would just wait.
"""

import os
import socket
import time
from datetime import timedelta
from ipaddress import ip_address

import psutil
from pydantic import BaseModel
from torch.distributed import DistError, TCPStore  # type: ignore[attr-defined]

from darkroom.base.errors import UserError

START = 1800.0  # seconds that may lie between the starts of two machines
PATIENCE = 10.0  # seconds of waiting before a line says for whom
READ_TIMEOUT = timedelta(seconds=30)  # for a text that has been written
Table = TCPStore


class Hello(BaseModel):
    """What a process says about itself: it trains with `each` processes on a node, `world` in all."""

    host: str
    process: int
    node: int
    local: int
    world: int
    each: int
    device: str

    @property
    def name(self) -> str:
        """The name of the process in messages."""
        node = f"node {self.node} (host {self.host})"
        return node if self.each == 1 else f"process {self.local} of {node}"

    @property
    def wanted(self) -> str:
        """The settings that must be equal before processes can connect."""
        return f"train.num_nodes {self.world // self.each}, train.devices {self.each} and train.device {self.device}"


def meet(address: str, port: int, rank: int, own: Hello) -> tuple[Table, dict[int, Hello]]:
    """Meet all processes. Returns the table, and the processes by rank, this one included.

    Raises UserError if two have the same rank or different settings, if one has not come within half an hour, and if
    the first has ended before all were there.
    """
    store = _table(address, port, rank)
    try:
        return store, _all(store, rank, own)
    except DistError:
        raise UserError(
            f"node 0 at {address}, port {port}, has ended before all were there: see what it said, then start the same "
            "command on every node"
        ) from None


def _all(store: Table, rank: int, own: Hello) -> dict[int, Hello]:
    """Write this process's hello and wait for those of all others; if one has other settings, all of them end."""
    text = own.model_dump_json()
    # 1. Compare settings first, for ranks follow from them: another number of devices gives ranks that none awaits.
    came_first = Hello.model_validate_json(store.compare_set("first", "", text))
    if came_first.wanted != own.wanted:
        one, other = sorted((came_first, own), key=lambda hello: (hello.node, hello.local))
        refusal = f"{other.name} has {other.wanted}, but {one.name} {one.wanted}: set the same everywhere"
        store.compare_set("refused", "", refusal)
    elif (before := store.compare_set(f"hello/{rank}", "", text).decode()) != text:
        raise UserError(
            f"host {own.host} has the number of {Hello.model_validate_json(before).name}: give each machine a "
            f"NODE_RANK of its own, from 0 to {own.world // own.each - 1}"
        )
    # 2. Wait for the others.
    found = {rank: own}
    wait = _Wait()
    while missing := sorted(set(range(own.world)) - found.keys()):
        if store.check(["refused"]):
            if rank == 0:
                time.sleep(1)  # the first process serves the table, which the others must read first
            raise UserError(store.get("refused").decode())
        for other_rank in missing:
            if store.check([f"hello/{other_rank}"]):
                found[other_rank] = Hello.model_validate_json(store.get(f"hello/{other_rank}"))
        wait.pause(f"node {missing[0] // own.each}", "start the same command there")
    return found


def _table(address: str, port: int, rank: int) -> Table:
    """The store; the first process serves it, or torchrun if that has started the processes."""
    serves = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    wait = _Wait()
    while not serves and not _answers(address, port):
        wait.pause(
            f"node 0 at {address}, port {port}",
            "start the same command there; MASTER_ADDR and MASTER_PORT must reach it",
        )
    try:
        return TCPStore(address, port, None, serves, READ_TIMEOUT, wait_for_workers=False, multi_tenant=True)
    except DistError as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"the processes cannot meet at MASTER_ADDR {address}, MASTER_PORT {port}: {reason}; give an address of "
            "node 0, and a port that no other program has there"
        ) from None


def _answers(address: str, port: int) -> bool:
    """Whether a program listens there; Python's own wait for it can be interrupted, that of TCPStore cannot."""
    try:
        socket.create_connection((address, port), 5).close()
    except OSError:
        return False
    return True


class _Wait:
    """A wait in short pauses: after some seconds it prints what it waits for, after half an hour it gives up."""

    def __init__(self) -> None:
        self._start, self._told = time.monotonic(), False

    def pause(self, what: str, remedy: str) -> None:
        """Sleep for a moment. Raises UserError after half an hour of waiting."""
        waited = time.monotonic() - self._start
        if waited > START:
            raise UserError(f"waited {START / 60:.0f} minutes for {what}: {remedy}")
        if waited > PATIENCE and not self._told:
            print(f"waiting for {what}: {remedy}", flush=True)
            self._told = True
        time.sleep(0.1)


def choose_interface(address: str, hosts: set[str]) -> None:
    """Let gloo, which connects processes on CPUs, use the network interface that leads to the first node.

    By default gloo takes the address of the host's name, which /etc/hosts often gives as 127.0.1.1: other machines
    would look for this one on themselves. Raises UserError if several hosts train and MASTER_ADDR is such an address.
    """
    if "GLOO_SOCKET_IFNAME" in os.environ:
        return
    family, kind, _, _, place = socket.getaddrinfo(address, 9, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as probe:
        probe.connect(place)  # sends nothing
        own = probe.getsockname()[0]
    if not ip_address(own.partition("%")[0]).is_loopback:
        for name, found in psutil.net_if_addrs().items():
            if own in [each.address for each in found]:
                os.environ["GLOO_SOCKET_IFNAME"] = name
    elif len(hosts) > 1:
        raise UserError(
            f"MASTER_ADDR {address} is {own} on this host, where other machines cannot reach it: give the address of "
            "node 0 in the network, or name the interface in GLOO_SOCKET_IFNAME (`ip address` lists them)"
        )
