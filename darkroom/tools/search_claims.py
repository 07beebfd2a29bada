"""Who works at what in a search: a table in the database of the search, so that each trial is run by one process.

A claim is a row whose key is taken once: the database lets one of several processes insert it. The claim of a process
that has died is followed by a next one, with the next number (`turn`). On the same machine a process counts as dead
when the system does not have it any more; on another one, when its sign of life stays the same for `GRACE` seconds of
the watcher's own clock, so that the clocks of two machines need not agree.
"""

import os
import platform
import time
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, insert, select, update
from sqlalchemy.exc import IntegrityError

BEAT = 10.0  # seconds between two signs of life
GRACE = 120.0  # seconds without one
SAME_SECONDS = 5.0  # the start of a process is known to a second or two

CLAIMS = Table(
    "darkroom_claims",
    MetaData(),
    Column("study", String(64), primary_key=True),
    Column("job", String(64), primary_key=True),
    Column("turn", Integer, primary_key=True),
    Column("machine", String(200), nullable=False),
    Column("process", Integer, nullable=False),
    Column("started", Integer, nullable=False),
    Column("beat", Integer, nullable=False),
)


def this_machine() -> str:
    """The machine, and within it the container: process numbers mean something only there."""
    space = Path("/proc/self/ns/pid")
    return f"{platform.node()}{f' {space.readlink()}' if space.is_symlink() else ''}"


class Claims:
    """The claims of one study. `engine` is that of the search's database."""

    def __init__(self, engine: Engine, study: str) -> None:
        self._engine, self._study = engine, study
        self._me = {
            "machine": this_machine(), "process": os.getpid(), "started": int(psutil.Process().create_time()),
        }  # fmt: skip
        self._seen: dict[tuple[str, int], tuple[int, float]] = {}  # the last sign of life of each claim, and when
        self._beaten = time.monotonic()
        CLAIMS.create(engine, checkfirst=True)

    def take(self, job: str) -> bool:
        """Claim a job; False where a living process has it, or another one has just been faster."""
        last = self._last(job)
        if last is not None and self._is_mine(last):
            return True
        if last is not None and not self._is_dead(job, last):
            return False
        row = {"study": self._study, "job": job, "turn": 0 if last is None else last["turn"] + 1, "beat": 0}
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(CLAIMS).values(**row, **self._me))
        except IntegrityError:
            return False
        return True

    def holds(self, job: str) -> bool:
        """Whether the last claim of a job is this process's: while it slept, others may have taken it over."""
        last = self._last(job)
        return last is not None and self._is_mine(last)

    def turns(self, job: str) -> int:
        """How many processes have claimed a job one after the other."""
        last = self._last(job)
        return 0 if last is None else last["turn"] + 1

    def beat(self) -> None:
        """Give a sign of life, if it is time for one."""
        if time.monotonic() - self._beaten < BEAT:
            return
        self._beaten = time.monotonic()
        mine = [CLAIMS.c[key] == value for key, value in self._me.items()]
        with self._engine.begin() as connection:
            connection.execute(
                update(CLAIMS).where(CLAIMS.c.study == self._study, *mine).values(beat=CLAIMS.c.beat + 1)
            )

    def _last(self, job: str) -> dict[str, Any] | None:
        wanted = select(CLAIMS).where(CLAIMS.c.study == self._study, CLAIMS.c.job == job)
        with self._engine.begin() as connection:
            found = connection.execute(wanted.order_by(CLAIMS.c.turn.desc()).limit(1)).mappings().first()
        return None if found is None else dict(found)

    def _is_mine(self, claim: dict[str, Any]) -> bool:
        return all(claim[key] == value for key, value in self._me.items())

    def _is_dead(self, job: str, claim: dict[str, Any]) -> bool:
        if claim["machine"] == self._me["machine"]:
            return not _runs(claim["process"], claim["started"])
        beat, since = self._seen.get((job, claim["turn"]), (-1, 0.0))
        if beat != claim["beat"]:
            self._seen[job, claim["turn"]] = claim["beat"], time.monotonic()
            return False
        return time.monotonic() - since > GRACE


def _runs(process: int, started: int) -> bool:
    try:
        return abs(psutil.Process(process).create_time() - started) <= SAME_SECONDS
    except psutil.Error:
        return False
