"""DVC's queue in words: who is at work on what, what would be refused, and what was cut off and can be retried."""

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from darkroom.base import git, paths
from darkroom.base.console import done
from darkroom.base.errors import UserError, without_password
from darkroom.base.words import counted, listed
from darkroom.config.params import load
from darkroom.config.yaml_files import read_yaml
from darkroom.tools import queue_retry, queue_tasks
from darkroom.tools.configurations import text_of
from darkroom.tools.experiments import dotted
from darkroom.tools.queue_tasks import Task
from darkroom.tracking import at_work, store


def show() -> None:
    """Print a line for each task, those that have ended well in one; and for each run that MLflow calls running."""
    with queue_tasks.opened() as queue:
        tasks = queue_tasks.read(queue)
    for task in tasks:
        if task.state != "done":
            print(_line(task.state, task.name, "; ".join(filter(None, [task.said, *_parameters(task)]))))
    ended = [task.name for task in tasks if task.state == "done"]
    if ended:
        print(_line("done", str(len(ended)), listed(ended)))
    runs = _unfinished()
    for run, state in runs:
        print(_line("mlflow", run.info.run_name, _of_run(state)))
    cut_off = any(task.state == "ghost" for task in tasks) or any(state == "cut off" for _, state in runs)
    then = "python -m darkroom queue --retry" if cut_off else _next({task.state for task in tasks})
    done(queue_tasks.counts(tasks) or "the queue is empty", then)


def retry(name: str) -> None:
    """Queue again what has nobody at work, or the task of this name also where it failed; close its runs in MLflow."""
    with queue_retry.lock(), queue_tasks.opened() as queue:
        refused, tasks = 0, _chosen(queue, name)
        for task in tasks:
            try:
                print(f"{task.name}: {queue_retry.retry(queue, task)}")
            except UserError as error:
                refused += 1
                print(f"error: {error}", file=sys.stderr)
        states = {task.state for task in queue_tasks.read(queue)}
    for run, state in _unfinished():
        if state == "cut off" and name in ("", run.info.run_name):
            at_work.close(run.info.run_id)
            print(f"{run.info.run_name}: MLflow calls its run killed now; a training that goes on records into it")
    done(counted(len(tasks) - refused, "task") + " taken up", _next(states))
    if refused:
        raise SystemExit(1)


def _next(states: Collection[str]) -> str:
    """What to do next with tasks of these states."""
    if "running" in states:
        return "dvc queue logs NAME --follow"
    return "dvc queue start" if "queued" in states else "dvc exp run --queue -S KEY=VALUE"


def refusal(task: Task) -> str:
    """The sentence with which the first stage would refuse the parameters of a task; empty if it would not."""
    with TemporaryDirectory() as folder:
        files = _files(Path(folder), task.revision)
        try:
            load(*files)
        except UserError as error:
            return str(error).replace(f"{folder}/", "")
    return ""


def _chosen(queue: Any, name: str) -> list[Task]:
    """The tasks to retry. Raises UserError for a named one that would be refused again."""
    tasks = queue_retry.chosen(queue_tasks.read(queue), name)
    for task in tasks if name else []:
        if reason := refusal(task):
            raise UserError(f"{task.name} would be refused again ({reason}): queue it anew with another value")
    return tasks


def _parameters(task: Task) -> Iterator[str]:
    """What the task changes, and that it would be refused."""
    if task.state != "failed" and (reason := refusal(task)):
        yield f"it will be refused ({reason}): dvc queue remove {task.name}"
    with suppress(UserError), TemporaryDirectory() as now, TemporaryDirectory() as then:
        new, old = (
            dotted(read_yaml(_files(Path(folder), revision)[0]))
            for folder, revision in ((now, task.revision), (then, task.entry.head_rev))
        )
        changed = [f"{key} {text_of(value)}" for key, value in new.items() if old.get(key, ...) != value]
        yield listed(changed, 6) or "parameters as committed"


def _files(folder: Path, revision: str) -> list[Path]:
    """The parameters and the catalogue of a commit, written to a folder; what it lacks is not written."""
    names = (paths.PARAMS, paths.DATASETS)
    for path, content in zip(names, git.contents(f"{revision}:./{path}" for path in names), strict=True):
        if content is not None:
            (folder / path).write_bytes(content)
    return [folder / path for path in names]


def _unfinished() -> Sequence[tuple[Any, at_work.State]]:
    """The runs that MLflow calls running; none, with a warning, where the store does not answer."""
    try:
        return at_work.unfinished()
    except Exception as error:  # the kind depends on the server or database
        reason = store.reason(error)
        print(f"warning: MLflow at {without_password(store.uri())} does not answer: {reason}", file=sys.stderr)
        return []


def _of_run(state: at_work.State) -> str:
    return {
        "at work": "a run at work",
        "cut off": "a run that MLflow calls running, and nobody is at work",
        "elsewhere": "a run that another clone or machine has begun: whether it is at work cannot be judged here",
    }[state]


def _line(state: str, name: str, text: str) -> str:
    return f"{state:<8}  {name:<12}  {text}"
