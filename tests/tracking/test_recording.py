import sqlite3
from pathlib import Path
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas as pd
import pytest

from darkroom.base import files, paths
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import load
from darkroom.config.stage_tables import HISTORY
from darkroom.tracking import at_work, provenance, recording, registry, store
from darkroom.tracking.recording import Run
from tests import make, models


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


@pytest.fixture
def trained(project, monkeypatch):
    """A project with the files of a training of three epochs; gives its parameters."""
    project.set(dataset="digits")
    make.packed(np.zeros((2, 8, 8, 1), np.uint8), [0, 1], ["train", "val"], ["a", "b"])
    of_epochs = {"epoch": [1, 2, 3], "train_loss": [0.9, 0.6, 0.5], "val_loss": [0.8, 0.5, 0.4], "lr": [0.1] * 3}
    accuracies = {"train_accuracy": [0.5, 0.6, 0.7], "val_accuracy": [0.5, 0.6, 0.7]}
    HISTORY.write(pd.DataFrame(of_epochs | accuracies)[list(HISTORY.columns)])
    files.write_json(paths.MODEL, models.facts(classes=2))
    models.training_figures(best_epoch=3).write(paths.TRAIN)
    for path in (paths.WEIGHTS, paths.EVALUATE, paths.ERRORS, paths.TRAIN_PICTURES / "curves.png"):
        files.write_text(path, path.name)
    monkeypatch.setattr(registry, "log_model", lambda name, tags, step: "models:/m-1")
    yield load()[0]
    store.client.cache_clear()


def reach(monkeypatch, address):
    """Let the store lie there from now on."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    store.client.cache_clear()


def test_what_a_store_missed_while_it_was_down_comes_with_the_next_stage(
    trained, real_store, tmp_path, monkeypatch, capsys
):
    address, facts = real_store, ModelFacts.read(paths.MODEL)
    history = pd.read_csv(paths.HISTORY).to_dict("records")
    with recording.training(trained, facts, "layers") as record, monkeypatch.context() as failing:
        record.epoch(history[0])
        mark = tmp_path / ".running" / record.run_id
        assert at_work.is_held(mark)
        failing.setattr(mlflow.MlflowClient, "log_batch", lambda *_: 1 / 0)
        record.epoch(history[1])
        record.epoch(history[2])
        record.trained("digest")
    assert not mark.exists()
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


def recorded(real_store):
    """The client and the only run of the store."""
    client = mlflow.MlflowClient(real_store)
    (run,) = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    return client, run


def test_a_run_says_on_what_it_trains_and_how_to_make_it_again(trained, real_store):
    with recording.training(trained, ModelFacts.read(paths.MODEL), "layers"):
        client, run = recorded(real_store)
        assert {item.tags[0].value for item in run.inputs.dataset_inputs} == {"train", "val"}
        assert {item.path for item in client.list_artifacts(run.info.run_id, "provenance")} >= {
            f"provenance/{name}" for name in ("state.json", "changes.diff", "params.yaml", "machine.json")
        }
        assert run.data.tags["mlflow.note.content"].endswith("not evaluated yet")


def test_a_run_is_recorded_even_where_what_it_comes_from_is_not(trained, real_store, monkeypatch, capsys):
    monkeypatch.setattr(provenance, "write_state", lambda *_: 1 / 0)
    with recording.training(trained, ModelFacts.read(paths.MODEL), "layers") as record:
        record.trained("digest")
    _, run = recorded(real_store)
    assert (run.info.status, run.data.tags[recording.MODEL_TAG]) == ("FINISHED", "digest")
    (line,) = capsys.readouterr().err.splitlines()
    assert "does not record where this run comes from: division by zero" in line


def test_the_note_and_the_state_of_the_repository_are_those_of_the_end(trained, real_store, tmp_path, monkeypatch):
    figures = {"test_accuracy": 0.75, "test_accuracy_low": 0.5, "test_accuracy_high": 1.0, "test_images": 4}
    monkeypatch.setattr(provenance, "lock_is_of_this_model", lambda: True)
    files.write_text(provenance.LOCK, "the lock")
    recording.add_results(trained, figures, [paths.EVALUATE])
    client, run = recorded(real_store)
    assert "75.00% of 4 test images" in run.data.tags["mlflow.note.content"]
    kept = client.download_artifacts(run.info.run_id, "provenance/dvc.lock", str(tmp_path))
    assert Path(kept).read_text() == "the lock"


def test_a_training_that_goes_on_in_a_store_without_its_beginning_is_recorded_whole(
    trained, real_store, tmp_path, monkeypatch
):
    history = pd.read_csv(paths.HISTORY).to_dict("records")
    with recording.training(trained, ModelFacts.read(paths.MODEL), "layers", run_id="of another store") as record:
        record.epoch(history[2])
        record.trained("digest")
    losses = mlflow.MlflowClient(real_store).get_metric_history(record.run_id, "val_loss")
    assert sorted((metric.step, metric.value) for metric in losses) == [(1, 0.8), (2, 0.5), (3, 0.4)]


def test_what_another_experiment_makes_of_the_same_model_is_not_added_to_the_run_of_the_first(
    trained, real_store, project, tmp_path, monkeypatch
):
    registered = []
    monkeypatch.setattr(registry, "register", lambda *given: registered.append(given))
    project.set(tracking__register_as="digits")
    for name, copies, accuracy in (("plain", 0, 0.5), ("voted", 4, 0.75), ("voted", 4, 0.75)):
        monkeypatch.setenv("DVC_EXP_NAME", name)
        project.set(evaluate__tta__copies=copies)
        recording.add_results(load()[0], {"test_accuracy": accuracy}, [paths.EVALUATE])
    client = mlflow.MlflowClient(real_store)
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


def test_a_rebuilt_record_that_broke_off_does_not_look_finished(trained, real_store, tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "_log_trained", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        recording._complete(trained, "digest")
    client = mlflow.MlflowClient(real_store)
    (found,) = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    assert found.info.status == "FAILED"


def test_a_long_warning_keeps_its_end_where_the_reason_stands(capsys):
    recording._warn(OSError(f"request to http://host/{'x' * 400} failed: too many 500 error responses"))
    assert capsys.readouterr().err.strip().endswith("too many 500 error responses")


def test_a_store_that_breaks_is_told_in_one_line(trained, real_store, tmp_path, monkeypatch, capfd):
    store.prepare()
    with sqlite3.connect(tmp_path / "mlflow.db") as broken:
        broken.execute("drop table runs")
    capfd.readouterr()
    with recording.training(trained, ModelFacts.read(paths.MODEL), "layers"):
        pass
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("warning: MLflow")
    assert "no such table: runs" in line
