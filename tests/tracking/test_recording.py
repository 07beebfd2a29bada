import sqlite3
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas as pd
import pytest

from darkroom.base import files, paths
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import load
from darkroom.config.stage_tables import HISTORY
from darkroom.tracking import recording, registry, store
from darkroom.tracking.recording import Run
from tests import make, models


def test_a_run_is_named_after_the_experiment_else_the_commit(monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "warm-sun")
    assert recording._name() == "warm-sun"
    monkeypatch.delenv("DVC_EXP_NAME")
    monkeypatch.setattr(recording.git, "commit", lambda: "0123456789abcdef")
    assert recording._name() == "0123456"


def test_a_store_that_fails_is_asked_once_and_warned_of_once(monkeypatch, capsys):
    asked = []

    class Broken:
        def log_batch(self, *arguments):
            asked.append(1)
            raise OSError("no answer from http://user:secret@host")

    monkeypatch.setattr(store, "client", Broken)
    run = Run("id")
    for epoch in (1, 2, 3):
        run.epoch({"epoch": epoch, "val_loss": 0.5})
    printed = capsys.readouterr().err
    assert len(asked) == 1
    assert printed.count("warning:") == 1
    assert "secret" not in printed


def test_a_run_that_goes_on_leaves_out_what_it_knows(monkeypatch):
    asked = []

    class Client:
        def log_batch(self, run_id, metrics):
            asked.extend(metric.step for metric in metrics)

    monkeypatch.setattr(store, "client", Client)
    run = Run("id", known_epochs=2)
    for epoch in (1, 2, 3, 4):
        run.epoch({"epoch": epoch, "val_loss": 0.5})
    assert asked == [3, 4]


def test_the_figures_of_an_epoch_go_in_one_request(monkeypatch):
    asked = []

    class Client:
        def log_batch(self, run_id, metrics):
            asked.append({metric.key: (metric.value, metric.step) for metric in metrics})

    monkeypatch.setattr(store, "client", Client)
    Run("id").epoch({"epoch": 3, "train_loss": 0.5, "val_loss": 0.25, "val_kappa": 0.75, "lr": 0.1})
    assert asked == [{"train_loss": (0.5, 3), "val_loss": (0.25, 3), "val_kappa": (0.75, 3), "lr": (0.1, 3)}]


@pytest.fixture
def trained(project, monkeypatch):
    """A project with the files of a training of three epochs; gives its parameters."""
    project.set(dataset="digits")
    make.packed(np.zeros((2, 8, 8, 1), np.uint8), [0, 1], ["train", "val"], ["a", "b"])
    of_epochs = {"epoch": [1, 2, 3], "train_loss": [0.9, 0.6, 0.5], "val_loss": [0.8, 0.5, 0.4], "lr": [0.1] * 3}
    accuracies = {"train_accuracy": [0.5, 0.6, 0.7], "val_accuracy": [0.5, 0.6, 0.7]}
    HISTORY.write(pd.DataFrame(of_epochs | accuracies)[list(HISTORY.columns)])
    files.write_json(paths.MODEL, models.facts(classes=2))
    for path in (paths.WEIGHTS, paths.TRAIN, paths.EVALUATE, paths.ERRORS, paths.TRAIN_PICTURES / "curves.png"):
        files.write_text(path, path.name)
    monkeypatch.setattr(registry, "log_model", lambda: "models:/m-1")
    yield load()[0]
    store.client.cache_clear()


def reach(monkeypatch, address):
    """Let the store lie there from now on."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    store.client.cache_clear()


def test_what_a_store_missed_while_it_was_down_comes_with_the_next_stage(trained, tmp_path, monkeypatch, capsys):
    address, facts = f"sqlite:///{tmp_path / 'mlflow.db'}", ModelFacts.read(paths.MODEL)
    reach(monkeypatch, address)
    history = pd.read_csv(paths.HISTORY).to_dict("records")
    with recording.training(trained, facts, "layers") as record, monkeypatch.context() as failing:
        record.epoch(history[0])
        failing.setattr(mlflow.MlflowClient, "log_batch", lambda *_: 1 / 0)
        record.epoch(history[1])
        record.epoch(history[2])
        record.trained("digest")
    reach(monkeypatch, "http://127.0.0.1:9")
    recording.add_results(trained, {"test_accuracy": 0.75}, [paths.EVALUATE])
    assert "MLflow at http://127.0.0.1:9 does not record this run" in capsys.readouterr().err

    reach(monkeypatch, address)
    recording.add_results(trained, {"test_mistakes": 3}, [paths.ERRORS])
    client = mlflow.MlflowClient(address)
    (found,) = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    assert found.info.status == "FINISHED"
    assert "rebuilt" not in found.data.tags
    assert found.data.tags[recording.MODEL_TAG] == files.sha256(paths.WEIGHTS)
    losses = client.get_metric_history(found.info.run_id, "val_loss")
    assert [(metric.step, metric.value) for metric in losses] == [(1, 0.8), (2, 0.5), (3, 0.4)]
    assert (found.data.metrics["test_accuracy"], found.data.metrics["test_mistakes"]) == (0.75, 3)
    assert {"evaluate.json", "errors.json", "train.json"} <= {
        item.path for item in client.list_artifacts(found.info.run_id)
    }
    assert not list((tmp_path / ".unrecorded").iterdir())
    recording.add_results(trained, {"test_mistakes": 3}, [paths.ERRORS])
    assert capsys.readouterr().err == ""
    assert len(client.search_runs([client.get_experiment_by_name("digits").experiment_id])) == 1


def test_a_training_that_goes_on_in_a_store_without_its_beginning_is_recorded_whole(trained, tmp_path, monkeypatch):
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    reach(monkeypatch, address)
    history = pd.read_csv(paths.HISTORY).to_dict("records")
    with recording.training(trained, ModelFacts.read(paths.MODEL), "layers", run_id="of another store") as record:
        record.epoch(history[2])
        record.trained("digest")
    losses = mlflow.MlflowClient(address).get_metric_history(record.run_id, "val_loss")
    assert sorted((metric.step, metric.value) for metric in losses) == [(1, 0.8), (2, 0.5), (3, 0.4)]


def test_a_record_made_by_a_stage_that_does_not_count_the_images_has_the_epochs_of_the_training(project):
    project.add(path="few.zip")
    train = load(images=30)[0].train.model_dump() | {"device": "cpu", "threads": 1, "precision": "32"}
    recorded = recording._params(load()[0], ModelFacts.model_validate(models.facts(classes=2, train=train)))
    assert (recorded["train.epochs"], recorded["train.batch_size"]) == ("75", "8")
    assert "train.max_norm" not in recorded


def test_what_another_experiment_makes_of_the_same_model_is_not_added_to_the_run_of_the_first(
    trained, project, tmp_path, monkeypatch
):
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    reach(monkeypatch, address)
    registered = []
    monkeypatch.setattr(registry, "register", lambda *given: registered.append(given))
    project.set(tracking__register_as="digits")
    for name, copies, accuracy in (("plain", 0, 0.5), ("voted", 4, 0.75), ("voted", 4, 0.75)):
        monkeypatch.setenv("DVC_EXP_NAME", name)
        project.set(evaluate__tta__copies=copies)
        recording.add_results(load()[0], {"test_accuracy": accuracy}, [paths.EVALUATE])
    client = mlflow.MlflowClient(address)
    runs = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    assert sorted(
        (run.info.run_name, run.data.params["evaluate.tta.copies"], run.data.metrics["test_accuracy"]) for run in runs
    ) == [("plain", "0", 0.5), ("voted", "4", 0.75)]


class WithoutFiles:
    """A store that takes figures and refuses files, as one whose disk is full."""

    def log_text(self, *arguments):
        raise OSError("no room")


def test_a_record_that_broke_off_does_not_look_finished(monkeypatch, capsys):
    ended = []
    monkeypatch.setattr(store, "client", WithoutFiles)
    monkeypatch.setattr(recording, "_start", lambda *arguments: ("id", 0))
    monkeypatch.setattr(mlflow, "active_run", lambda: "a run")
    monkeypatch.setattr(mlflow, "end_run", ended.append)
    with recording.training(SimpleNamespace(tracking=SimpleNamespace(enabled=True)), {}, "layers") as record:
        assert record.run_id is None
    assert ended == ["FAILED"]
    assert "no room" in capsys.readouterr().err


def test_a_rebuilt_record_that_broke_off_does_not_look_finished(trained, tmp_path, monkeypatch):
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    reach(monkeypatch, address)
    monkeypatch.setattr(recording, "_log_trained", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        recording._complete(trained, "digest")
    client = mlflow.MlflowClient(address)
    (found,) = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    assert found.info.status == "FAILED"


def test_a_long_warning_keeps_its_end_where_the_reason_stands(capsys):
    recording._warn(OSError(f"request to http://host/{'x' * 400} failed: too many 500 error responses"))
    assert capsys.readouterr().err.strip().endswith("too many 500 error responses")


def test_a_store_that_breaks_is_told_in_one_line(trained, tmp_path, monkeypatch, capfd):
    reach(monkeypatch, f"sqlite:///{tmp_path / 'mlflow.db'}")
    store.prepare()
    with sqlite3.connect(tmp_path / "mlflow.db") as broken:
        broken.execute("drop table runs")
    capfd.readouterr()
    with recording.training(trained, ModelFacts.read(paths.MODEL), "layers"):
        pass
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("warning: MLflow")
    assert "no such table: runs" in line
