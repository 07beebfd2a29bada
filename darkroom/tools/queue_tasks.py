"""The tasks of DVC's queue, and which of those that DVC calls running have nobody at work.

DVC keeps a task as a commit in Git, with its parameters, and as a message to workers. The worker that takes the message
notes a result at the end. Where worker and training are killed there is never a result, and DVC calls the task running
for ever. So the processes of this machine are asked: a process of DVC names the commit, and stages run in the task's
own copy of the repository. DVC has no public functions for single tasks: what is private here is that of DVC 3.67.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from darkroom.base.errors import UserError
from darkroom.base.words import counted, listed
from darkroom.tools.experiments import tail

State = Literal["queued", "running", "left", "ghost", "unknown", "failed", "done"]
# File systems that other machines may use at the same time, by how psutil's names begin.
SHARED = ("nfs", "cifs", "smb", "9p", "afs", "beegfs", "ceph", "fuse.", "gluster", "gpfs", "lustre", "ocfs2")


@dataclass(frozen=True)
class Task:
    """One task of the queue.

    `state` is what is true rather than what DVC calls it: a task is `left` whose training goes on without a worker, so
    that DVC will not collect it, and a `ghost` where nobody is at work. `unknown` is what cannot be judged here. `said`
    explains the state. `entry` and `message` are DVC's; `message` is None for a task whose queueing was broken off.
    """

    name: str
    state: State
    said: str
    entry: Any
    message: Any = None

    @property
    def revision(self) -> str:
        """The commit that holds its parameters."""
        return str(self.entry.stash_rev)


@dataclass(frozen=True)
class Process:
    """A process of this machine; `folder` is empty where it may not be known."""

    pid: int
    command: tuple[str, ...]
    folder: str
    parents: tuple[int, ...]


@contextmanager
def opened() -> Iterator[Any]:
    """DVC's queue of the repository of the working folder. Raises UserError where there is none."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            yield repo.experiments.celery_queue
    except DvcException as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"DVC has no queue here ({reason}): run this at the root of a Git repository after `dvc init`"
        ) from None


def read(queue: Any) -> list[Task]:
    """All tasks of the queue: those at work or to be judged, queued ones, and those that have ended."""
    # 1. A worker may take a message meanwhile: it is then in both lists, but never in none.
    waiting, taken = list(queue._iter_queued()), list(queue._iter_processed())
    known = {message.headers["id"] for message, _ in taken}
    # 2. The processes come before the results: who works now and ends meanwhile leaves a result.
    processes = list(_processes())
    begun = [_begun(queue, message, entry, processes) for message, entry in taken]
    queued = [
        Task(_name(entry), "queued", "", entry, message)
        for message, entry in waiting
        if message.headers["id"] not in known
    ]
    # 3. Where `dvc exp run --queue` was killed, a commit may have no message yet.
    revisions = {entry.stash_rev for _, entry in [*waiting, *taken]}
    half = [_half_queued(queue, *item) for item in queue.stash.stash_revs.items() if item[0] not in revisions]
    return [*(task for task in begun if task.state not in ("failed", "done")), *half, *queued,
            *(task for task in begun if task.state in ("failed", "done"))]  # fmt: skip


def counts(tasks: Sequence[Task]) -> str:
    """The number of tasks of each state."""
    words = {"left": "left by its worker", "unknown": "not to be judged", "ghost": "with nobody at work"}
    states = dict.fromkeys(task.state for task in tasks)
    return ", ".join(f"{sum(task.state == state for task in tasks)} {words.get(state, state)}" for state in states)


def names(tasks: Sequence[Task], *states: State) -> str:
    """The names of the tasks of these states, at most four."""
    return listed([task.name for task in tasks if task.state in states])


def folder_of(queue: Any, entry: Any) -> Path | None:
    """The copy of the repository in which a task runs; None where it is not there, or lies elsewhere than DVC's do."""
    info = _info(queue, entry)
    folder = Path(info.root_dir) if info is not None else None
    return folder if folder is not None and folder.is_dir() and folder.parent == Path(queue.pid_dir).parent else None


def is_collected(queue: Any, entry: Any) -> bool:
    """Whether the experiment that the task made is in the repository already."""
    info = _info(queue, entry)
    return info is not None and bool(info.result_hash and info.result_ref and queue.scm.get_ref(info.result_ref))


def workers(queue: Any, processes: Sequence[Process]) -> set[int]:
    """The numbers of the processes that are workers of this queue."""
    node = f"dvc-exp-{hashlib.sha256(queue.wdir.encode()).hexdigest()[:6]}-"  # as DVC names them
    return {
        one.pid
        for one in processes
        if "queue-worker" in one.command and any(part.startswith(node) for part in one.command)
    }


def _begun(queue: Any, message: Any, entry: Any, processes: Sequence[Process]) -> Task:
    """What is true of a task that a worker has taken."""

    def task(state: State, said: str = "") -> Task:
        return Task(_name(entry), state, said, entry, message)

    # 1. It has ended.
    if queue.celery.AsyncResult(message.headers["id"]).ready():
        info, process = _info(queue, entry), queue.proc.get(entry.stash_rev)
        if info is not None and info.result_hash:
            return task("done")
        return task("failed", tail(Path(process.stdout) if process is not None else None, 1)[-1])
    # 2. Someone is at work on it, under a worker or not.
    at_work, known = _at_work(processes, entry.stash_rev, folder_of(queue, entry)), workers(queue, processes)
    numbers = " ".join(str(one.pid) for one in at_work)
    if any(known.intersection(one.parents) for one in at_work):
        return task("running", f"by {'process' if len(at_work) == 1 else 'processes'} {numbers}")
    if at_work:
        return task(
            "left",
            f"its worker was killed, and DVC will not collect what goes on without it: wait for the end, or `kill "
            f"{numbers}`; then --retry takes it up",
        )
    # 3. A worker may prepare it, or collect what it has made.
    if known:
        answers = queue.worker_status()
        if message.headers["id"] in {one["id"] for tasks in answers.values() for one in tasks}:
            return task("running", "its worker prepares or collects it")
        if len(answers) < len(known):
            return task("unknown", f"{counted(len(known), 'worker')} run and do not all answer: ask again")
    # 4. Nobody of this machine.
    if kind := _shared(Path(queue.wdir)):
        return task(
            "unknown",
            f"no process of this machine works on it, but the folder lies on {kind}, which other machines may use: if "
            f"none does, python -m darkroom queue --retry {_name(entry)}",
        )
    return task("ghost", "DVC says Running, and nobody is at work")


def _half_queued(queue: Any, revision: str, known: Any) -> Task:
    from dvc.repo.experiments.queue.base import QueueEntry

    entry = QueueEntry(
        queue.repo.root_dir, queue.scm.root_dir, queue.ref, revision, known.baseline_rev, known.branch, known.name,
        known.head_rev,
    )  # fmt: skip
    return Task(_name(entry), "ghost", "its queueing was broken off: no worker will ever take it", entry)


def _name(entry: Any) -> str:
    return str(entry.name or entry.stash_rev[:7])


def _info(queue: Any, entry: Any) -> Any:
    """What DVC noted of the process of a task; None where it is missing or damaged."""
    from dvc.repo.experiments.executor.base import ExecutorInfo

    with suppress(Exception):  # DVC raises its own kinds for each
        return ExecutorInfo.load_json(queue.get_infofile_path(entry.stash_rev))
    return None


def _processes() -> Iterator[Process]:
    for process in psutil.process_iter(["cmdline", "cwd"]):
        found = process.info
        with suppress(psutil.Error):
            # Only what DVC has started matters below; its parents are looked up for that alone.
            command = tuple(found["cmdline"] or ())
            is_task = "exec-run" in command or bool(found["cwd"] and "/.dvc/tmp/exps/" in found["cwd"])
            if is_task or "queue-worker" in command:
                parents = tuple(one.pid for one in process.parents()) if is_task else ()
                yield Process(process.pid, command, found["cwd"] or "", parents)


def _at_work(processes: Sequence[Process], revision: str, folder: Path | None) -> list[Process]:
    """The processes that work on a task: DVC's own, and stages that may have outlived it."""
    return [
        one
        for one in processes
        if ("exec-run" in one.command and any(revision in part for part in one.command))
        or (folder is not None and "-m" in one.command and Path(one.folder) == folder)
    ]


def _shared(folder: Path) -> str:
    """The kind of file system where the folder lies, if other machines may use it too; else empty."""
    places = [part for part in psutil.disk_partitions(all=True) if folder.is_relative_to(part.mountpoint)]
    kind = max(places, key=lambda part: len(part.mountpoint)).fstype if places else ""
    return kind if kind.startswith(SHARED) else ""
