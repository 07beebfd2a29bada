from types import SimpleNamespace

import pytest
from mlflow.entities import Metric, RunData
from PIL import Image

from darkroom.tracking import data_inputs, results
from tests.report.test_sections import ERRORS, FIGURES, INSIDE
from tests.test_graph import STAGES, outputs

WHEN = 1_700_000_000_000  # when what the store knows was recorded, in milliseconds


def test_the_figures_of_both_splits_have_names_of_their_own():
    found = results.figures(FIGURES, ERRORS, INSIDE)
    assert found["test_accuracy"] == FIGURES.test.accuracy
    assert found["best_val_accuracy"] == FIGURES.val.accuracy
    assert "val_accuracy" not in found  # which the training records by epoch
    assert None not in found.values()


def test_figures_that_are_undefined_are_left_out():
    for value in (0.9, None):
        test = FIGURES.test.model_copy(update={"roc_auc": value})
        found = results.figures(FIGURES.model_copy(update={"test": test}), ERRORS, INSIDE)
        assert found.get("test_roc_auc") == value
        assert ("test_roc_auc" in found) == (value is not None)


def test_what_was_found_later_is_counted():
    found = results.figures(FIGURES, ERRORS, INSIDE)
    assert found["test_mistakes"] == ERRORS.mistakes
    assert found["suspects"] == ERRORS.suspects.images
    assert found["val_dead_channels"] == sum(layer.dead for layer in INSIDE.dead_channels.values())
    assert "val_idle_channels" not in found  # no activation is smooth


def test_every_result_of_the_stages_after_the_training_goes_into_the_record():
    known = {path.as_posix() for path in results.FILES}
    made = {
        path for stage in ("curves", "evaluate", "errors", "inside", "predict", "report") for path in outputs(stage)
    }
    assert known <= made
    # Of these the record holds the pictures and tables; they themselves are large, or part of the model.
    assert made - known == {
        "data/predictions.parquet",
        "metrics/confusion_matrix.csv",
        "models/familiarity.safetensors",
    }
    assert "evaluate" in STAGES


class Client:
    """A store with one run, which has logged a model and knows some figures."""

    def __init__(self, run_knows, model_knows=None):
        data = RunData([Metric(name, value, WHEN, 0) for name, value in run_knows.items()])
        info = SimpleNamespace(run_id="run", experiment_id="7")
        self.run, self.model_knows = SimpleNamespace(data=data, inputs=None, info=info), model_knows
        self.told, self.images, self.moments = [], [], []

    def get_run(self, run_id):
        return self.run

    def search_logged_models(self, experiments, query):
        return [] if self.model_knows is None else [SimpleNamespace(model_id="m-1", status="READY")]

    def get_logged_model(self, model_id):
        return SimpleNamespace(metrics=[SimpleNamespace(key=key, value=it) for key, it in self.model_knows.items()])

    def log_batch(self, run_id, metrics):
        self.told += [(metric.key, metric.value, metric.model_id, metric.dataset_name) for metric in metrics]
        self.moments += [metric.timestamp for metric in metrics]

    def log_image(self, run_id, image, key, step):
        self.images.append((key, image.size))

    def set_tag(self, run_id, key, value):
        self.run.data.tags[key] = value


def test_a_figure_replaces_an_earlier_one_also_where_the_clock_has_gone_back(monkeypatch):
    monkeypatch.setattr(results.time, "time", lambda: WHEN / 1000 - 3600)
    client = Client({"test_ece": 0.5, "suspects": 3})
    results.log_figures(client, "run", {"test_ece": 0.25, "suspects": 3})
    monkeypatch.setattr(results, "of_this_run", lambda: {"split": {"seconds": 0.5}})
    results.log_costs(client, client.run)
    assert [item[:2] for item in client.told] == [("test_ece", 0.25), ("system/split_seconds", 0.5)]
    assert min(client.moments) > WHEN  # of two figures under one name MLflow shows the later one


@pytest.mark.parametrize(
    ("client", "told"),
    [
        (Client({}), [("test_ece", 0.5, None), ("suspects", 3.0, None)]),
        (Client({"test_ece": 0.5}), [("suspects", 3.0, None)]),
        (Client({"test_ece": 0.5}, {}), [("test_ece", 0.5, "m-1"), ("suspects", 3.0, "m-1")]),  # an earlier version's
        (Client({}, {"test_ece": 0.25, "suspects": 3}), [("test_ece", 0.5, "m-1")]),
    ],
)
def test_a_figure_is_recorded_once_with_the_run_and_its_model(client, told):
    results.log_figures(client, "run", {"test_ece": 0.5, "suspects": 3})
    assert [item[:3] for item in client.told] == told


def test_a_figure_says_what_split_it_is_about(monkeypatch):
    splits = {name: SimpleNamespace(name=f"of {name}", digest="d") for name in ("train", "val", "test")}
    monkeypatch.setattr(data_inputs, "by_split", lambda run: splits)
    client = Client({}, {})
    results.log_figures(client, "run", {"test_ece": 0.5, "best_val_ece": 0.5, "suspects": 3, "val_dead_channels": 1})
    assert [item[3] for item in client.told] == ["of test", "of val", None, None]


def test_the_cost_of_each_stage_is_a_system_metric_of_the_run(monkeypatch):
    monkeypatch.setattr(results, "of_this_run", lambda: {"extract": {"seconds": 1.5}, "split": {"seconds": 0.5}})
    client = Client({}, {})
    results.log_costs(client, client.run)
    assert client.told == [
        ("system/extract_seconds", 1.5, None, None),
        ("system/split_seconds", 0.5, None, None),
    ]


def test_pictures_are_shown_once_and_again_when_they_change(tmp_path, monkeypatch):
    shown = {"a batch": tmp_path / "batch.png", "missing": tmp_path / "missing.png"}
    monkeypatch.setattr(results, "PICTURES", shown)
    client = Client({})
    results.log_pictures(client, client.run)
    assert client.run.data.tags == {}
    for size in ((4, 3), (4, 3), (5, 3)):
        Image.new("RGBA", size).save(shown["a batch"])
        results.log_pictures(client, client.run)
    assert client.images == [("a batch", (4, 3)), ("a batch", (5, 3))]


def test_the_pictures_that_are_shown_are_recorded_as_files_too():
    assert all(path.parent in results.FILES for path in results.PICTURES.values())
