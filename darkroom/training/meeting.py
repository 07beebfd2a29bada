"""How the processes that train as one find one another, before torch.distributed connects them.

They meet at a store of torch.distributed, a table of texts that the first process serves under MASTER_ADDR and
MASTER_PORT: each writes there who it is and waits for the others. So machines may start minutes apart, the wait can be
interrupted, and those that do not fit together end with a sentence, where torch.distributed would wait in silence.
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

START = 1800.0  # seconds that machines may start apart
PATIENCE = 10.0  # seconds of waiting before it is told for whom
ANSWER = timedelta(seconds=30)  # for what has been written
Table = TCPStore


class Hello(BaseModel):
    """What a process says of itself: `each` processes on a node, `world` in all are to train as one."""

    host: str
    process: int
    node: int
    local: int
    world: int
    each: int
    device: str

    @property
    def name(self) -> str:
        """How sentences call the process."""
        node = f"node {self.node} (host {self.host})"
        return node if self.each == 1 else f"process {self.local} of {node}"

    @property
    def wanted(self) -> str:
        """What must be equal before processes can connect at all."""
        return f"train.num_nodes {self.world // self.each}, train.devices {self.each} and train.device {self.device}"


def meet(address: str, port: int, rank: int, own: Hello) -> tuple[Table, dict[int, Hello]]:
    """The table, and all processes by their number (rank), this one included.

    Raises UserError where two have the same number, where they do not want the same, and where one has not come
    within half an hour, or the first is gone by then.
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
    """Say who this is, and wait for all others; one that does not fit is refused by all."""
    text = own.model_dump_json()
    # Numbers follow from the settings, so these come first: another number of devices gives numbers that nobody awaits.
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
    found = {rank: own}
    wait = _Wait()
    while missing := sorted(set(range(own.world)) - found.keys()):
        if store.check(["refused"]):
            if rank == 0:
                time.sleep(1)  # which keeps the table until the others have read it, too
            raise UserError(store.get("refused").decode())
        for other_rank in missing:
            if store.check([f"hello/{other_rank}"]):
                found[other_rank] = Hello.model_validate_json(store.get(f"hello/{other_rank}"))
        wait.or_tell(f"node {missing[0] // own.each}", "start the same command there")
    return found


def _table(address: str, port: int, rank: int) -> Table:
    """The store, served by the first process, or by torchrun where that has started them."""
    serves = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    wait = _Wait()
    while not serves and not _answers(address, port):
        wait.or_tell(
            f"node 0 at {address}, port {port}",
            "start the same command there; MASTER_ADDR and MASTER_PORT must reach it",
        )
    try:
        return TCPStore(address, port, None, serves, ANSWER, wait_for_workers=False, multi_tenant=True)
    except DistError as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"the processes cannot meet at MASTER_ADDR {address}, MASTER_PORT {port}: {reason}; give an address of "
            "node 0, and a port that no other program has there"
        ) from None


def _answers(address: str, port: int) -> bool:
    """Whether somebody listens there. Asked by Python, whose waits can be interrupted."""
    try:
        socket.create_connection((address, port), 5).close()
    except OSError:
        return False
    return True


class _Wait:
    """A wait that soon says for what, and ends in the end."""

    def __init__(self) -> None:
        self._start, self._told = time.monotonic(), False

    def or_tell(self, what: str, remedy: str) -> None:
        """Wait a moment. Raises UserError after half an hour."""
        waited = time.monotonic() - self._start
        if waited > START:
            raise UserError(f"waited {START / 60:.0f} minutes for {what}: {remedy}")
        if waited > PATIENCE and not self._told:
            print(f"waiting for {what}: {remedy}", flush=True)
            self._told = True
        time.sleep(0.1)


def choose_interface(address: str, hosts: set[str]) -> None:
    """Let gloo, which connects processes on CPUs, use the network that leads to the first node.

    By itself it takes the one of the host's own name, which many systems have in /etc/hosts as 127.0.1.1: other
    machines would look for it on themselves. Raises UserError where the address leads several hosts nowhere else.
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
