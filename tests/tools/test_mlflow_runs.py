"""Runs of MLflow's store, also those of other machines, as experiments."""

from types import SimpleNamespace

import pytest

from darkroom.tools import mlflow_runs
from darkroom.tools.experiments import RunRecord
from darkroom.tracking import store
from tests import make

TAGS = {"model_sha256": "m", "data_sha256": "d", "split_sha256": "s", "mlflow.source.git.commit": "c0ffee"}
PARAMS = {"dataset": "digits", "train.lr": "0.1", "model.layers": "32-64P", "augment": "[]", "classes": "10"}
METRICS = {"best_val_accuracy": 0.9, "test_accuracy": 0.8, "val_accuracy": 0.7, "test_mistakes": 4.0}


def run(name="warm-sun", rev="0123456789", status="FINISHED", metrics=METRICS, tags=TAGS):
    info = SimpleNamespace(run_name=name, run_id=rev, status=status, start_time=1_700_000_000_000)
    return SimpleNamespace(info=info, data=SimpleNamespace(tags=tags, metrics=metrics, params=PARAMS))


def test_a_run_has_parameters_figures_and_hashes():
    found = mlflow_runs.parse(run())
    assert (found.name, found.revision, found.state) == ("warm-sun", "0123456789", "done")
    assert found.params == {"dataset": "digits", "train.lr": 0.1, "model.layers": "32-64P", "augment": []}
    assert found.figures == {"val.accuracy": 0.9, "test.accuracy": 0.8}
    assert found.record == RunRecord("", "d", "s", "c0ffee")


@pytest.mark.parametrize(
    ("changes", "state", "doubt"),
    [
        ({"status": "RUNNING", "tags": {"split_sha256": "s"}}, "running", ""),
        ({"status": "FAILED", "tags": {"split_sha256": "s"}}, "done", "MLflow has no model of it, and its status is F"),
        ({"metrics": {"val_accuracy": 0.7}}, "done", "MLflow has no figures of it"),
    ],
)
def test_what_is_not_whole_does_not_count(changes, state, doubt):
    found = mlflow_runs.parse(run(**changes))
    assert found.state == state
    assert found.counts == (state == "done" and not doubt)
    assert found.record.doubt.startswith(doubt)


class Page(list):
    token = None


@pytest.fixture
def stored(monkeypatch):
    """Reads from a store that has these pages of runs."""

    def read(*pages):
        pages = [Page(page) for page in pages]
        for place, page in enumerate(pages[:-1]):
            page.token = str(place + 1)

        class Client:
            def search_experiments(self):
                return [SimpleNamespace(experiment_id="1")]

            def search_runs(self, places, query, max_results, order_by, page_token):
                return pages[int(page_token or 0)]

        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host")
        monkeypatch.setattr(store, "prepare", lambda: None)
        monkeypatch.setattr(store, "client", Client)
        return mlflow_runs.read()

    return read


def test_all_pages_are_read_and_equal_names_told_apart(stored):
    found = stored([run("a", "1" * 9), run("b", "2" * 9)], [run("a", "3" * 9)])
    assert [item.name for item in found] == ["1111111", "b", "3333333"]


def test_a_store_without_runs_is_told(stored):
    assert "MLFLOW_TRACKING_URI" in make.refusal(lambda: stored([]))


def test_a_store_is_not_made_in_order_to_read_it(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.sqlite_address(tmp_path / "mlflow.db"))
    assert "has no runs" in make.refusal(mlflow_runs.read)
    assert not list(tmp_path.iterdir())


def test_a_store_that_does_not_answer_is_told_without_its_password(monkeypatch):
    def refuse():
        raise OSError("no answer from http://user:secret@host")

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@host")
    monkeypatch.setattr(store, "prepare", refuse)
    said = make.refusal(mlflow_runs.read)
    assert "cannot be read" in said
    assert "secret" not in said
    assert make.is_one_line(said)
