"""Which runs are compared: of which commits, with which parameters."""

import subprocess

import pytest

from darkroom.tools import compared_runs, resolved_parameters, run_records
from darkroom.tools.experiments import RunRecord
from tests import make
from tests.tools.test_configurations import experiment


def git(*words):
    identity = ["-c", "user.name=one", "-c", "user.email=a@b.c"]
    return subprocess.run(["git", *identity, *words], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def history(tmp_path, monkeypatch):
    """Three commits, the first of which wrote dvc.lock and the second has an experiment; by number."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GIT_DIR", raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    git("init", "-q", "-b", "main")
    hashes = []
    for name in ("dvc.lock", "notes", "more"):
        (tmp_path / name).write_text(name)
        git("add", ".")
        git("commit", "-q", "-m", name)
        hashes.append(git("rev-parse", "HEAD"))
    below(hashes[1], "warm-sun")
    git("update-ref", "refs/exps/celery/stash", "HEAD")
    return hashes


def below(commit, name):
    git("update-ref", f"refs/exps/{commit[:2]}/{commit[2:]}/{name}", "HEAD")


def test_the_present_commit_is_compared_unless_others_are_asked_for(history):
    assert compared_runs.commits(None) == ["HEAD"]


def test_commits_with_experiments_or_a_new_lock_are_compared(history):
    assert compared_runs.commits("HEAD~2..") == [history[1]]
    assert compared_runs.commits(compared_runs.ALL) == [history[1], history[0]]


def test_experiments_of_a_deleted_branch_are_compared(history):
    git("reset", "-q", "--hard", "HEAD~2")
    below("0" * 40, "of-a-commit-that-is-not-here")
    assert compared_runs.commits(compared_runs.ALL) == [history[0], history[1]]


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("main", "must be a range"),
        ("--output=x..y", "must be a range"),
        ("nowhere..main", "names no commit that Git knows"),
        ("main..main", "names no commit"),
        ("HEAD~1..", "no commit of HEAD~1.. has experiments"),
    ],
)
def test_what_is_no_range_of_commits_is_told(history, wanted, says):
    said = make.refusal(lambda: compared_runs.commits(wanted))
    assert says in said
    assert make.is_one_line(said)


RUNS = [
    experiment("a", train__lr=0.1, train__clip=None),
    experiment("b", train__lr=0.2, augment=[{"flip": {}}]),
    experiment("c", train__lr=0.2, train__portable=True),
]


def names(*conditions):
    return "".join(run.name for run in compared_runs.where(RUNS, conditions))


def test_conditions_are_met_together():
    assert names() == "abc"
    assert names("train.lr=0.20") == "bc"
    assert names("train.lr=0.2", "train.portable=true") == "c"
    assert names("train.clip=null") == "a"
    assert names("augment=[{flip: {}}]") == "b"
    assert names("dataset=digits", "train.seed=0") == "abc"


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("train.lr", "must be KEY=VALUE"),
        ("train.lrr=1", "did you mean train.lr?"),
        ("train.lr=3", "no run has it, train.lr is 0.1, 0.2"),
        ("dataset=2026-01-01", "dataset is digits"),
        ("dataset=[", "dataset is digits"),
    ],
)
def test_conditions_that_nothing_meets_are_told(condition, says):
    said = make.refusal(lambda: names(condition))
    assert says in said
    assert make.is_one_line(said)


def test_runs_get_what_their_files_say(monkeypatch):
    several = [experiment("a"), experiment("b", "queued"), experiment("c")]
    used = {several[0].revision: {"train.lr": 0.1}, several[1].revision: {"train.lr": 0.2}}
    monkeypatch.setattr(
        run_records, "files_of", lambda revisions: {revision: {"at": revision} for revision in revisions}
    )
    monkeypatch.setattr(run_records, "read", lambda files: RunRecord(data=files["at"]))
    monkeypatch.setattr(resolved_parameters, "resolved", lambda written, files: used.get(files["at"]))
    a, b, c = compared_runs.with_records(several)
    assert (a.params, a.record) == ({"train.lr": 0.1}, RunRecord(data=a.revision))
    assert (b.params, b.record) == ({"train.lr": 0.2}, RunRecord())
    assert (c.params, c.record) == (several[2].params, RunRecord(data=c.revision, as_written=True))
