import threading

import pytest
from filelock import Timeout

from darkroom.base.errors import UserError
from darkroom.tools import queue_retry, queue_tasks
from tests.tools.queues import git


@pytest.fixture
def killed(queue):
    """A queue whose only task was cut off; knows its commit and folder."""
    queue.revision = queue.put("one", train__seed=7)
    queue.folder = queue.take("one")
    return queue


def retry(queue, name=""):
    (task,) = queue_retry.chosen(queue_tasks.read(queue.dvc), name)
    return queue_retry.retry(queue.dvc, task)


def messages(queue):
    """The arguments of every queued message."""
    return [message.decode()[:2] for message, _ in queue.dvc._iter_queued()]


def is_whole(queue):
    """Whether the only task is queued once, with all that a worker needs, and nothing of the old attempt is left."""
    ((arguments, options),) = messages(queue)
    assert options == {"copy_paths": ["a"], "message": "why"}
    assert arguments[0]["name"] == "one"
    assert "seed: 7" in git("show", f"{arguments[0]['stash_rev']}:params.yaml")
    known = queue.dvc.stash.stash_revs[queue.revision]
    assert (known.name, known.baseline_rev) == ("one", git("rev-parse", "HEAD"))
    return not list(queue.dvc._iter_processed()) and not queue.folder.exists()


def test_a_task_that_was_cut_off_is_queued_again_with_its_parameters_and_its_name(killed):
    assert "queued again" in retry(killed)
    assert killed.states() == {"one": "queued"}
    assert is_whole(killed)
    assert killed.dvc.proc.get(killed.revision).returncode == -1  # else DVC takes any process of that number for it
    with pytest.raises(UserError, match="one is queued: there is nothing to retry"):
        retry(killed, "one")


@pytest.mark.parametrize("step", ["commit", "message", "end"])
def test_a_retry_that_is_killed_loses_nothing_and_queues_nothing_twice(killed, monkeypatch, step):
    class Killed(BaseException):
        pass

    def kill(*_, **__):
        raise Killed

    with monkeypatch.context() as at:
        if step == "commit":
            at.setattr(killed.dvc.celery, "signature", kill)
        elif step == "message":
            at.setattr(queue_retry, "_end", kill)
        else:
            at.setattr(killed.dvc.celery, "purge", kill)
        with pytest.raises(Killed):
            retry(killed)
    assert "ghost" in {task.state for task in queue_tasks.read(killed.dvc)}
    retry(killed)
    assert killed.states() == {"one": "queued"}
    assert is_whole(killed)


def test_a_failed_task_is_queued_again_by_name_alone(killed):
    killed.fail("one", "error\n")
    assert queue_retry.chosen(list(killed.read().values()), "") == []
    retry(killed, "one")
    assert killed.states() == {"one": "queued"}
    assert is_whole(killed)
    assert killed.dvc.failed_stash.stash_revs == {}


def test_a_task_without_a_message_gets_one(queue):
    queue.entry("half")
    retry(queue, "half")
    assert queue.states() == {"half": "queued"}
    assert messages(queue)[0][0][0]["name"] == "half"


def test_a_task_that_was_killed_after_its_last_step_only_ends(killed):
    killed.collect("one")
    assert retry(killed) == "its experiment is there already: the task has ended"
    assert killed.states() == {}
    assert not killed.folder.exists()


def test_a_task_whose_name_another_experiment_has_stays_as_it_was(killed):
    head = git("rev-parse", "HEAD")
    git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/one", head)
    with pytest.raises(UserError, match="there is another experiment one"):
        retry(killed)
    assert killed.states() == {"one": "ghost"}


def test_a_commit_that_git_has_removed_comes_from_the_copy_of_the_task_else_the_loss_is_told(killed):
    git("clone", "--quiet", "--bare", ".", "kept.git")
    git("-C", "kept.git", "fetch", "--quiet", "..", killed.revision)
    git("-C", "kept.git", "update-ref", "refs/exps/exec/EXEC_MERGE", killed.revision)
    git("reflog", "expire", "--expire=now", "--all")
    git("prune", "--expire=now")
    with pytest.raises(UserError, match="and so not its parameters: queue it anew"):
        retry(killed)
    assert killed.states() == {"one": "ghost"}
    killed.folder.rmdir()
    git("clone", "--quiet", "--mirror", "kept.git", str(killed.folder))
    retry(killed)
    assert is_whole(killed)


def test_a_name_is_looked_for_among_names_then_revisions(queue):
    with pytest.raises(UserError, match="the queue has no tasks"):
        retry(queue, "one")
    first = queue.put("twice", train__seed=1)
    queue.take("twice").rename(queue.dvc.pid_dir + "-moved")
    second = queue.put("twice", train__seed=2)
    queue.take("twice")
    tasks = queue_tasks.read(queue.dvc)
    with pytest.raises(UserError, match=f"name the revision instead: {first[:7]}, {second[:7]}"):
        queue_retry.chosen(tasks, "twice")
    (found,) = queue_retry.chosen(tasks, second[:8])
    assert found.revision == second
    with pytest.raises(UserError, match="no task 'twicer': did you mean twice"):
        queue_retry.chosen(tasks, "twicer")


def test_one_retry_at_a_time(queue, monkeypatch):
    monkeypatch.setattr(queue_retry, "WAIT", 0)
    said = []

    def other():
        try:
            queue_retry.lock().acquire()
        except Timeout:
            said.append("busy")

    with queue_retry.lock():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert said == ["busy"]
