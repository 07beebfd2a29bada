import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import mlflow
import pandas as pd
import pytest

from darkroom.tools import compare, compared_runs, experiments
from darkroom.tracking import store
from tests import make


def item(name="warm-sun", rev="0123456789abcdef", state=None, log=None, **data):
    """An experiment as `dvc exp show --json` prints it."""
    content = {
        "timestamp": "2026-01-01T00:00:00",
        "params": {
            "params.yaml": {"data": {"dataset": "digits", "train": {"lr": "auto", "milestones": [0.5], "none": {}}}},
            "datasets.yaml": {"data": {"digits": {"size": 8, "recipe": {"train.lr": 0.1}}}},
        },
        "metrics": {
            "metrics/evaluate.json": {"data": {"val": {"accuracy": 0.9}, "test": {"accuracy": 0.8}}},
            "metrics/train.json": {"data": {"epochs": 3, "stopped_early": False}},
            "metrics/baseline.json": {"data": {"test": {"accuracy": 0.1}}},
        },
    } | data
    executor = None if state is None else {"state": state, "name": None, "local": {"log": log}}
    return {"name": name, "revs": [{"rev": rev, "name": name, "data": content, "error": None}], "executor": executor}


def test_an_experiment_has_dotted_parameters_and_the_figures_of_the_evaluation():
    found = experiments.parse(item())
    assert found.params == {
        "dataset": "digits",
        "train.lr": "auto",
        "train.milestones": [0.5],
        "train.none": {},
        "datasets.yaml:digits.size": 8,
        "datasets.yaml:digits.recipe.train.lr": 0.1,
    }
    assert found.figures == {"val.accuracy": 0.9, "test.accuracy": 0.8}
    assert (found.name, found.state, found.created, found.epochs) == ("warm-sun", "done", "2026-01-01T00:00:00", 3)


def listed(monkeypatch, *commits):
    answer = SimpleNamespace(returncode=0, stdout=json.dumps(commits))
    asked = []
    monkeypatch.setattr(subprocess, "run", lambda command, **how: asked.append(command) or answer)
    monkeypatch.setattr(experiments.git, "commit", lambda: "a" * 40)
    return experiments.read(["HEAD", "b..c"]), asked[0]


def commit(rev, *names):
    several = [item(name, f"{rev[0]}{place}" * 20) for place, name in enumerate(names, start=1)]
    return {
        "rev": rev,
        "name": "main",
        "data": item()["revs"][0]["data"],
        "error": None,
        "experiments": several or None,
    }


def test_the_committed_states_follow_their_experiments(monkeypatch):
    found, asked = listed(monkeypatch, commit("a" * 40, "warm-sun"), commit("b" * 40))
    assert [(one.name, one.committed) for one in found] == [("warm-sun", False), ("HEAD", True), ("bbbbbbb", True)]
    assert found[1].revision == "a" * 40
    assert found[1].figures == {"val.accuracy": 0.9, "test.accuracy": 0.8}
    assert asked[-2:] == ["--rev=HEAD", "--rev=b..c"]


def test_a_commit_that_dvc_cannot_read_has_neither_parameters_nor_figures(monkeypatch):
    (found,), _ = listed(monkeypatch, commit("c" * 40) | {"data": None, "error": {"msg": "no dvc.yaml"}})
    assert (found.name, found.params, found.figures) == ("ccccccc", {}, {})


def test_a_name_that_several_commits_have_is_told_by_its_revision(monkeypatch):
    found, _ = listed(monkeypatch, commit("a" * 40, "warm-sun", "cold-sea"), commit("b" * 40, "warm-sun"))
    assert [one.name for one in found] == ["a1a1a1a", "cold-sea", "HEAD", "b1b1b1b", "bbbbbbb"]


def test_a_run_counts_if_it_is_done_and_not_doubted():
    found = experiments.parse(item())
    assert found.counts
    assert not replace(found, record=experiments.RunRecord("it is old")).counts
    assert not experiments.parse(item(state="queued")).counts


@pytest.mark.parametrize("state", ["failed", "queued", "running"])
def test_what_has_not_finished_has_no_figures(state):
    """DVC shows those of the commit that it started from."""
    found = experiments.parse(item(state=state, log="/some/log"))
    assert found.state == state
    assert found.figures == {}
    assert found.epochs is None
    assert found.log == Path("/some/log")


def test_files_that_dvc_cannot_read_are_empty():
    broken = {"metrics/evaluate.json": {"error": {"type": "YAMLSyntaxError"}}}
    found = experiments.parse(item(state="success", metrics=broken, params={"params.yaml": {"error": {}}}))
    assert (found.figures, found.params, found.epochs) == ({}, {}, None)
    lost = item(name=None)
    lost["revs"][0]["data"] = None
    assert experiments.parse(lost).name == "0123456"


def some():
    return [experiments.parse(item(name, rev * 10)) for name, rev in (("warm-sun", "abcd"), ("cold-sea", "abef"))]


def test_experiments_are_chosen_by_name_or_revision():
    assert experiments.choose(some(), []) == some()
    assert [found.name for found in experiments.choose(some(), ["cold-sea", "cold-sea"])] == ["cold-sea"]
    assert [found.name for found in experiments.choose(some(), ["cold-sea", "abcdabcd"])] == ["warm-sun", "cold-sea"]


@pytest.mark.parametrize(("name", "hint"), [("warm-son", "did you mean warm-sun?"), ("abc", "warm-sun, cold-sea")])
def test_an_unknown_name_is_answered_by_known_ones(name, hint):
    said = make.refusal(lambda: experiments.choose(some(), [name]))
    assert repr(name) in said
    assert hint in said


def test_the_end_of_a_log_has_no_empty_and_repeated_lines(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"one\n\ntwo\r\nthree\xff\nfour\nfive\n\nsix\nsix\n")
    assert experiments.tail(log) == ["two", "three\ufffd", "four", "five", "six"]
    log.write_text("\n\n")
    assert experiments.tail(log) == ["its log is empty"]


@pytest.mark.parametrize("log", [None, Path("/no/such/log")])
def test_a_task_without_a_log_failed_before_it_began(log):
    assert "no log" in experiments.tail(log)[0]


def test_without_a_store_no_time_is_known_and_none_is_made(monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert experiments.training_seconds(["warm-sun"]) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_does_not_answer_costs_the_times_alone(monkeypatch, closed_port, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://user:secret@127.0.0.1:{closed_port}")

    def refuse():
        raise OSError("no answer from http://user:secret@host")

    monkeypatch.setattr(store, "prepare", refuse)
    assert experiments.training_seconds(["warm-sun"]) == {}
    printed = capsys.readouterr().err
    assert printed.startswith("warning:")
    assert "secret" not in printed
    assert make.is_one_line(printed)


def test_the_time_is_the_sum_over_the_epochs_of_the_latest_run(monkeypatch):
    class Client:
        def __init__(self, store):
            pass

        def search_experiments(self):
            return [SimpleNamespace(experiment_id="1")]

        def search_runs(self, places, query, order_by, max_results):
            assert order_by == ["attributes.start_time DESC"]
            return [SimpleNamespace(info=SimpleNamespace(run_id="r"))] if '"warm-sun"' in query else []

        def get_metric_history(self, run, key):
            return [SimpleNamespace(value=value) for value in (1.5, 1.0, 1.25)]

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setattr(store, "prepare", lambda: None)
    monkeypatch.setattr(mlflow, "MlflowClient", Client)
    assert experiments.training_seconds(["warm-sun", "cold-sea"]) == {"warm-sun": 3.75}


# With DVC

STAGE = """
import json
from ruamel.yaml import YAML

params = YAML(typ="safe").load(open("params.yaml"))["train"]
print("learning")
if params["lr"] > 1:
    raise SystemExit("error: training diverged")
accuracy = round(0.9 + params["lr"] / 10 + params["seed"] / 100 + params["seed"] * params["lr"] / 50, 4)
json.dump({"val": {"accuracy": accuracy}, "test": {"accuracy": accuracy - 0.1}}, open("metrics/evaluate.json", "w"))
json.dump({"epochs": 3}, open("metrics/train.json", "w"))
"""


def call(*command):
    """Run a command as a user would, away from what this process was started with."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_", "GIT_"))}
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout


def dvc(*arguments):
    return call(sys.executable, "-m", "dvc", *arguments)


@pytest.fixture
def outside(monkeypatch, tmp_path):
    """A folder that belongs to no repository."""
    for name in ("MLFLOW_TRACKING_URI", "GIT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def repository(outside):
    """A repository with a pipeline of one stage that is done at once."""
    graph = {
        "stages": {
            "train": {
                "cmd": f"{sys.executable} stage.py",
                "deps": ["stage.py"],
                "params": ["dataset", "train", {"datasets.yaml": ["${dataset}"]}],
                "outs": [{f"metrics/{name}.json": {"cache": False}} for name in ("evaluate", "train")],
            }
        },
        "metrics": ["metrics/evaluate.json", "metrics/train.json"],
    }
    files = {
        "stage.py": STAGE,
        "dvc.yaml": json.dumps(graph),
        "params.yaml": "dataset: toy\nsplit: {seed: 42}\ntrain:\n  seed: 0\n  lr: 0.1\n",
        "datasets.yaml": "toy: {size: 8}\nother: {size: 9}\n",
        "metrics/.gitkeep": "",
        ".gitignore": "/mlflow.db*\n/metrics/compare.*\n",
    }
    for name, content in files.items():
        (outside / name).parent.mkdir(exist_ok=True)
        (outside / name).write_text(content)
    call("git", "init", "--quiet")
    call("git", "config", "user.name", "tests")
    call("git", "config", "user.email", "tests@example.com")
    dvc("init", "--quiet")
    dvc("config", "core.analytics", "false")
    call("git", "add", "--all")
    call("git", "commit", "--quiet", "--message", "start")
    return outside


def test_outside_of_a_repository_one_sentence_says_so(outside):
    said = make.refusal(lambda: compare.show([], "val.accuracy"))
    assert "not inside of a DVC repository" in said
    assert make.is_one_line(said)


@pytest.mark.slow
def test_without_git_one_sentence_says_so(outside):
    dvc("init", "--quiet", "--no-scm")
    said = make.refusal(lambda: compare.show([], "val.accuracy"))
    assert "Git" in said
    assert make.is_one_line(said)


def test_where_git_is_not_installed_one_sentence_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git is not installed" in make.refusal(experiments.read)


@pytest.mark.slow
def test_a_fresh_repository_has_no_experiments(repository):
    (found,) = experiments.read()
    assert (found.name, found.committed, found.figures) == ("HEAD", True, {})
    assert found.params["train.lr"] == 0.1
    assert "no experiments on this commit" in make.refusal(lambda: compare.show([], "val.accuracy"))


@pytest.mark.slow
def test_a_queue_becomes_a_table(repository, capsys):
    dvc("exp", "run", "--quiet", "--queue", "-S", "train.seed=0,1", "-S", "train.lr=0.1,0.2")
    dvc("exp", "run", "--quiet", "--queue", "--name", "too-hot", "-S", "train.lr=9")
    assert {found.state for found in experiments.read() if not found.committed} == {"queued"}
    assert "5 queued" in make.refusal(lambda: compare.show([], "val.accuracy"))
    dvc("exp", "run", "--quiet", "--run-all")

    found = {one.name: one for one in experiments.read() if not one.committed}
    assert sorted(one.state for one in found.values()) == ["done"] * 4 + ["failed"]
    assert found["too-hot"].params["datasets.yaml:toy.size"] == 8
    name = next(name for name, one in found.items() if one.params["train.lr"] == 0.2)
    store.prepare()
    client = mlflow.MlflowClient(store.uri())
    run = client.create_run(client.create_experiment("toy"), run_name=name).info.run_id
    for epoch in (1, 2):
        client.log_metric(run, "seconds", 2.5, step=epoch)

    capsys.readouterr()
    compare.show([], "test.accuracy")
    printed = capsys.readouterr().out
    assert "failed: too-hot (train.lr=9; seed 0)" in printed
    assert "    error: training diverged\n" in printed
    assert "left out: HEAD: its dvc.lock records no stage that wrote metrics/evaluate.json\n" in printed
    table = pd.read_csv(compare.TABLE)
    assert table["configuration"].tolist() == ["train.lr=0.2", "train.lr=0.1"]
    assert table["seeds"].tolist() == ["0 1", "0 1"]
    # 0.92 and 0.934 against 0.91 and 0.922.
    assert table["val_mean"].tolist() == [0.927, 0.916]
    assert table["test_mean"].tolist() == [0.827, 0.816]
    assert table["seconds"].tolist()[0] == 5
    assert table["epochs"].tolist() == [3, 3]
    assert call("git", "status", "--short") == ""

    compare.show(["too-hot", *(one.name for one in found.values() if one.params["train.seed"] == 0)], "val.accuracy")
    assert pd.read_csv(compare.TABLE)["n"].tolist() == [1, 1]

    call("git", "commit", "--quiet", "--allow-empty", "--message", "later")
    assert "no experiments on this commit" in make.refusal(lambda: compare.show([], "val.accuracy"))
    compare.show([], "val.accuracy", compared_runs.ALL)
    assert pd.read_csv(compare.TABLE)["n"].tolist() == [2, 2]
