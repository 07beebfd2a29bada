"""Queue a task of DVC again that has nobody at work, or that failed: same commit, so same parameters and same name.

A task is always in the queue, or where `queue_tasks` finds it: its new message comes before the old one goes. If this
is killed in between, the next retry goes on from there.
"""

import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from darkroom.base import git
from darkroom.base.errors import UserError
from darkroom.base.files import remove
from darkroom.base.words import did_you_mean
from darkroom.tools.experiments import SHORTEST_REVISION
from darkroom.tools.queue_tasks import Task, folder_of, is_collected

LOCK = Path(".dvc/tmp/darkroom-queue.lock")
WAIT = 60  # seconds for another retry


def lock() -> FileLock:
    """The lock under which one process at a time reads the queue and queues again."""
    return FileLock(LOCK, timeout=WAIT)


def chosen(tasks: Sequence[Task], name: str) -> list[Task]:
    """The tasks to be queued again: all that have nobody at work, or the one of this name or revision.

    Raises UserError for a name that no task has, that several have, or whose task needs no retry.
    """
    if not name:
        return [task for task in tasks if task.state == "ghost"]
    named = [task for task in tasks if task.name == name]
    if not named and len(name) >= SHORTEST_REVISION:
        named = [task for task in tasks if task.revision.startswith(name)]
    if not named:
        known = [task.name for task in tasks]
        raise UserError(
            f"the queue has no task {name!r}: {did_you_mean(name, known)}" if known else "the queue has no tasks"
        )
    fitting = [task for task in named if task.state in ("ghost", "failed", "unknown")]
    if not fitting:
        said = f" ({named[0].said})" if named[0].said else ""
        raise UserError(f"{name} is {named[0].state}{said}: there is nothing to retry")
    if len({task.revision for task in fitting}) > 1:
        several = ", ".join(task.revision[:7] for task in fitting)
        raise UserError(f"several tasks are called {name}: name the revision instead: {several}")
    return fitting


def retry(queue: Any, task: Task) -> str:
    """Queue the task again, and say so. Raises UserError where that cannot be done; the task is then as it was."""
    if is_collected(queue, task.entry):
        _end(queue, task)
        return "its experiment is there already: the task has ended"
    _check_name(queue, task)
    _bring_commit(queue, task)
    _queue(queue, task)
    _end(queue, task)
    return "queued again; its training goes on from its checkpoint, if it had come to one"


def _check_name(queue: Any, task: Task) -> None:
    """Raise UserError if the repository has another experiment of this name: DVC would not collect this one."""
    from dvc.repo.experiments.refs import ExpRefInfo

    if task.entry.name and queue.scm.get_ref(str(ExpRefInfo(task.entry.baseline_rev, task.entry.name))):
        raise UserError(
            f"there is another experiment {task.name}, made since: dvc exp rename {task.name} OTHER, then retry"
        )


def _bring_commit(queue: Any, task: Task) -> None:
    """Let Git have the commit of the task: no branch leads to it, so that `git gc` may have removed it after weeks."""
    wanted = ("rev-parse", "--quiet", "--verify", f"{task.revision}^{{commit}}")
    folder = folder_of(queue, task.entry)
    if not git.output_if_any(*wanted) and folder is not None:
        git.output_if_any("fetch", "--quiet", "--no-write-fetch-head", str(folder), "refs/exps/exec/EXEC_MERGE")
    if not git.output_if_any(*wanted):
        raise UserError(
            f"Git has the commit {task.revision[:7]} of {task.name} no more, and so not its parameters: queue it anew, "
            f"then dvc queue kill {task.name}, dvc queue remove {task.name}"
        )


def _queue(queue: Any, task: Task) -> None:
    """Put commit and message back into the queue, as DVC does; neither twice."""
    from dvc.repo.experiments.queue.tasks import run_exp
    from dvc.repo.experiments.utils import get_exp_rwlock

    entry = task.entry
    # 1. The commit, on the reference from which a worker takes it.
    with get_exp_rwlock(queue.repo, writes=["workspace", queue.ref]):
        if entry.stash_rev not in queue.stash.stash_revs:
            line = queue.stash.format_message(entry.head_rev, entry.baseline_rev, entry.name, entry.branch)
            queue.scm.set_ref(queue.ref, entry.stash_rev, message=f"commit: {line}")
    # 2. The message, unless a retry that was killed has left one.
    if not any(waiting.stash_rev == entry.stash_rev for waiting in queue.iter_queued()):
        arguments, options, _ = task.message.decode() if task.message is not None else ([entry.asdict()], {}, None)
        queue.celery.signature(run_exp.s(*arguments, **options)).delay()


def _end(queue: Any, task: Task) -> None:
    """Remove what the old attempt has left: its message and result, its copy of the repository, its note of failure."""
    from dvc.repo.experiments.utils import get_exp_rwlock

    folder, revision = folder_of(queue, task.entry), task.revision
    process = queue.proc.get(revision)
    if process is not None and process.returncode is None:  # else DVC would take any process of that number for it
        process.returncode = -1  # as DVC itself notes of a process that is gone
        queue.proc[revision] = process
    if task.message is not None:
        queue.celery.purge(task.message.delivery_tag)
        with suppress(OSError):
            queue.celery.AsyncResult(task.message.headers["id"]).forget()
    with get_exp_rwlock(queue.repo, writes=[queue.failed_stash.ref]):
        if (failed := queue.failed_stash.stash_revs.get(revision)) is not None:
            queue.failed_stash.remove_revs([failed])
    if folder is not None:
        with suppress(OSError, subprocess.SubprocessError):
            remove(folder)
