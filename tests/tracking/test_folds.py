"""Folds in MLflow: a run with the figures, and one nested in it for each fold."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from darkroom.config.params import load
from darkroom.tracking import folds, run_facts, store
from darkroom.tracking.folds import FoldRun
from tests import make

EPOCHS = [{"epoch": 1, "val_loss": 0.5}, {"epoch": 2, "val_loss": 0.25}]
RUNS = [FoldRun({"accuracy": 0.5}, {"epochs": 2}, EPOCHS), FoldRun({"accuracy": 1.0}, {"epochs": 2}, EPOCHS)]


class Client:
    """Notes what a store is told, a dictionary for each run."""

    def __init__(self):
        self.runs = []

    def search_runs(self, experiments, wanted):
        return [run for run in self.runs if wanted == f"tags.{folds.TAG} = '{run['tags'].get(folds.TAG)}'"]

    def create_run(self, experiment, run_name, tags):
        self.runs.append({"name": run_name, "tags": dict(tags), "metrics": [], "params": {}, "files": [], "status": ""})
        return SimpleNamespace(info=SimpleNamespace(run_id=len(self.runs) - 1))

    def log_batch(self, run, metrics=(), params=()):
        self.runs[run]["metrics"] += [(metric.key, metric.value, metric.step) for metric in metrics]
        self.runs[run]["params"] |= {param.key: param.value for param in params}

    def log_artifact(self, run, file):
        self.runs[run]["files"].append(Path(file).name)

    def set_tag(self, run, key, value):
        self.runs[run]["tags"][key] = value

    def set_terminated(self, run, status):
        self.runs[run]["status"] = status


@pytest.fixture
def client(project, monkeypatch):
    """A store in a project with packed images."""
    project.set(dataset="digits")
    make.packed(np.zeros((2, 8, 8, 1), np.uint8), [0, 1], ["train", "val"], ["a", "b"])
    found = Client()
    monkeypatch.setattr(store, "experiment", lambda params: "7")
    monkeypatch.setattr(store, "client", lambda: found)
    return found


def record():
    folds.record(load()[0], "digits-2-abc", {"accuracy": 0.75}, RUNS, [Path("folds.json")])


def test_each_fold_is_nested_in_the_run_of_all(client):
    record()
    parent, *nested = client.runs
    assert (parent["name"], parent["files"], parent["metrics"]) == (
        "digits-2-abc",
        ["folds.json"],
        [("accuracy", 0.75, 0)],
    )
    assert (parent["params"]["folds"], parent["params"]["dataset"]) == ("2", "digits")
    assert run_facts.PARENT not in parent["tags"]
    assert [run["name"] for run in nested] == ["fold 1", "fold 2"]
    assert [run["tags"][run_facts.PARENT] for run in nested] == [0, 0]
    assert nested[0]["metrics"] == [("accuracy", 0.5, 0), ("val_loss", 0.5, 1), ("val_loss", 0.25, 2)]
    assert nested[1]["params"] == {"fold": "2", "epochs": "2"}
    assert {run["status"] for run in client.runs} == {"FINISHED"}


def test_what_the_store_has_is_not_recorded_again_but_a_broken_record_is(client, monkeypatch, capsys):
    with monkeypatch.context() as failing:
        failing.setattr(client, "log_artifact", lambda *_: 1 / 0)
        record()
    assert "does not record the folds" in capsys.readouterr().err
    record()
    record()
    assert len(client.runs) == 6


def test_a_store_that_fails_is_warned_of_without_its_password(client, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    monkeypatch.setattr(store, "experiment", lambda params: 1 / 0)
    record()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: MLflow at http://...@127.0.0.1:9 does not record the folds")


def test_nothing_is_recorded_where_tracking_is_off(client, project):
    project.set(tracking__enabled=False)
    record()
    assert not client.runs
