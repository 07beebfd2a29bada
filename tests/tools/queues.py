"""A queue of DVC without workers: what `dvc exp run --queue` and a worker that is killed would leave."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from darkroom.tools import queue_tasks
from tests import make

GIT = ["git", "-c", "user.name=one", "-c", "user.email=a@b.c"]


def git(*arguments):
    return subprocess.run([*GIT, *arguments], check=True, capture_output=True, text=True).stdout.strip()


class Queue:
    """The queue of the repository in the working folder, as DVC has it."""

    def __init__(self, dvc):
        self.dvc = dvc

    def put(self, name, **changes):
        """Queue an experiment that changes parameters; give its commit."""
        from dvc.repo.experiments.queue.tasks import run_exp

        entry = self.entry(name, **changes)
        self.dvc.celery.signature(run_exp.s(entry.asdict(), copy_paths=["a"], message="why")).delay()
        return entry.stash_rev

    def entry(self, name, **changes):
        """Only the commit of an experiment: DVC was killed before it sent the message."""
        from dvc.repo.experiments.queue.base import QueueEntry

        head = git("rev-parse", "HEAD")
        make.edit(Path("params.yaml"), {key.replace("__", "."): value for key, value in changes.items()})
        git("add", "params.yaml")
        revision = git("commit-tree", git("write-tree"), "-p", head, "-m", name)
        git("reset", "--quiet", "--hard")
        line = self.dvc.stash.format_message(head, head, name, None)
        self.dvc.scm.set_ref(self.dvc.ref, revision, message=f"commit: {line}")
        root = self.dvc.repo.root_dir
        return QueueEntry(root, self.dvc.scm.root_dir, self.dvc.ref, revision, head, None, name, head)

    def take(self, name):
        """What a worker does before it starts a stage; give the folder in which that would run."""
        from dvc.repo.experiments.executor.base import ExecutorInfo, TaskStatus

        message, entry = next(item for item in self.dvc._iter_queued() if item[1].name == name)
        file = Path(self.dvc.celery._queued_msg_path_cache[message.delivery_tag])
        file.replace(file.parents[1] / "processed" / file.name)
        self.dvc.get_stash_entry(self.dvc.repo.experiments, entry)
        folder = Path(self.dvc.pid_dir).parent / f"tmp{name}"
        folder.mkdir(parents=True)
        info = ExecutorInfo(
            "", entry.baseline_rev, "dvc-task", str(folder), ".dvc", name, ".", status=TaskStatus.RUNNING
        )
        info.dump_json(self.dvc.get_infofile_path(entry.stash_rev))
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        log = Path(self.dvc.pid_dir) / entry.stash_rev / f"{entry.stash_rev}.out"
        log.write_text("Running stage 'train':\nepoch 3/9\n")
        note = {"pid": gone.pid, "stdin": None, "stdout": str(log), "stderr": None, "returncode": None}
        log.with_suffix(".json").write_text(json.dumps(note))
        return folder

    def fail(self, name, says):
        """What a worker does when a stage has failed."""
        message, entry = next(item for item in self.dvc._iter_processed() if item[1].name == name)
        log = Path(self.dvc.pid_dir) / entry.stash_rev / f"{entry.stash_rev}.out"
        log.write_text(log.read_text() + says)
        self.dvc.stash_failed(entry)
        shutil.rmtree(Path(self.dvc.pid_dir).parent / f"tmp{name}")
        self.dvc.celery.backend.mark_as_done(message.headers["id"], None)

    def finish(self, name):
        """What a worker does when all stages have ended: the experiment is there."""
        message, entry = next(item for item in self.dvc._iter_processed() if item[1].name == name)
        self.collect(name)
        self.dvc.celery.backend.mark_as_done(message.headers["id"], None)
        shutil.rmtree(Path(self.dvc.pid_dir).parent / f"tmp{name}")
        return entry

    def collect(self, name):
        """The first part of `finish`."""
        _, entry = next(item for item in self.dvc._iter_processed() if item[1].name == name)
        reference = f"refs/exps/{entry.baseline_rev[:2]}/{entry.baseline_rev[2:]}/{name}"
        info = queue_tasks._info(self.dvc, entry)
        info.result_hash, info.result_ref = "ab", reference
        info.dump_json(self.dvc.get_infofile_path(entry.stash_rev))
        git("update-ref", reference, entry.stash_rev)

    def read(self):
        return {task.name: task for task in queue_tasks.read(self.dvc)}

    def states(self):
        return {name: task.state for name, task in self.read().items()}
