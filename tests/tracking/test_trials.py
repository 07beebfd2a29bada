"""The trials of a search in MLflow, and the end of one that is pruned."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from darkroom.config.params import load
from darkroom.tracking import recording, run_facts, store, trials
from tests import make


class Client:
    """Notes what a store is told."""

    def __init__(self):
        self.runs, self.told = [], []

    def search_runs(self, experiments, wanted, max_results=None):
        self.told.append(wanted)
        return [SimpleNamespace(info=SimpleNamespace(run_id=run)) for run in self.runs]

    def create_run(self, experiment, run_name, tags):
        self.runs.append(f"{run_name}'s")
        return SimpleNamespace(info=SimpleNamespace(run_id=self.runs[-1]))

    def __getattr__(self, name):
        return lambda *words, **named: self.told.append((name, *words, *named.values()))


@pytest.fixture
def client(project, monkeypatch):
    found = Client()
    monkeypatch.setattr(store, "experiment", lambda params: "7")
    monkeypatch.setattr(store, "client", lambda: found)
    return found


@pytest.fixture
def record(monkeypatch):
    """What the record of a training is told."""
    told = []
    run = SimpleNamespace(
        run_id="r",
        epoch=lambda figures, steps: told.append(figures),
        tried=told.append,
        trained=lambda *words: told.append(words),
    )

    @contextmanager
    def training(params, facts, layers, run_id):
        told.append(("run", run_id))
        yield run

    monkeypatch.setattr(recording, "training", training)
    return told


def facts(epochs=5):
    return SimpleNamespace(train=SimpleNamespace(epochs=epochs))


def test_a_trial_is_recorded_as_a_training_and_never_registered(client, record):
    with trials.training(load()[0], lambda figures: True, facts(), "", "r") as watched:
        watched.epoch({"epoch": 1.0})
        watched.trained("abc", "model")
        assert watched.run_id == "r"
    assert record == [("run", "r"), {"epoch": 1.0}, "abc"]


def test_one_of_the_best_keeps_its_model(client, record):
    with trials.training(load()[0], None, facts(), "", "r") as watched:
        watched.epoch({"epoch": 1.0})
        watched.trained("abc", "model")
    assert record[-1] == ("abc", None)


def test_a_pruned_trial_has_its_last_epoch_and_says_so(client, record):
    def train():
        with trials.training(load()[0], lambda figures: figures["epoch"] < 2, facts(), "", "r") as watched:
            watched.epoch({"epoch": 1.0})
            watched.epoch({"epoch": 2.0})

    assert make.refusal(train) == "pruned after epoch 2: its val curve is below the median"
    assert record[-1] == {"epoch": 2.0}
    assert client.told[-1] == ("set_terminated", "r", "KILLED")


def test_a_trial_at_its_last_epoch_is_not_pruned_but_reported(client, record):
    asked = []
    with trials.training(load()[0], lambda figures: bool(asked.append(figures)), facts(2), "", "r") as watched:
        watched.epoch({"epoch": 2.0})
    assert asked == [{"epoch": 2.0}]


def test_what_a_killed_trial_left_without_a_checkpoint_is_removed(client, record, monkeypatch):
    monkeypatch.setenv(run_facts.SEARCH_RUN, "all")
    monkeypatch.setenv("DVC_EXP_NAME", "digits-003")
    client.runs = ["left"]
    with trials.training(load()[0], lambda figures: True, facts(), "", None):
        pass
    assert client.told == [
        f"tags.`{run_facts.PARENT}` = 'all' AND attributes.run_name = 'digits-003'", ("delete_run", "left"),
    ]  # fmt: skip


@pytest.mark.parametrize(("found", "continued", "told"), [(["r"], "r", []), (["left"], None, [("delete_run", "left")])])
def test_a_checkpoint_of_another_search_does_not_bring_its_run(client, record, monkeypatch, found, continued, told):
    monkeypatch.setenv(run_facts.SEARCH_RUN, "all")
    client.runs = found
    with trials.training(load()[0], lambda figures: True, facts(), "", "r"):
        pass
    assert (record, client.told[1:]) == ([("run", continued)], told)


def test_a_search_has_one_run_which_a_second_process_finds(client):
    params, _ = load()
    assert trials.begin(params, "digits", "id", {"metric": "val.accuracy"}) == "digits's"
    assert trials.begin(params, "digits", "id", {}) == "digits's"
    assert client.told[-1] == ("update_run", "digits's", "RUNNING")


def test_the_end_of_a_search_is_recorded(client, tmp_path):
    trials.end("r", {"best_value": 0.5}, [tmp_path])
    assert client.told[0] == ("log_metric", "r", "best_value", 0.5)
    assert client.told[1:] == [("log_artifact", "r", str(tmp_path)), ("set_terminated", "r", "FINISHED")]
    trials.end(None, {"best_value": 0.5}, [])  # nothing is recorded


def test_a_store_that_does_not_answer_costs_no_search(client, monkeypatch, capsys, project):
    monkeypatch.setattr(store, "experiment", lambda params: 1 / 0)
    assert trials.begin(load()[0], "digits", "id", {}) is None
    assert "does not record the search: division by zero" in capsys.readouterr().err
    project.set(tracking__enabled=False)
    assert trials.begin(load()[0], "digits", "id", {}) is None
