import numpy as np
import pytest

from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import load
from darkroom.tracking import run_facts
from tests import make, models


@pytest.fixture(autouse=True)
def no_experiment(monkeypatch):
    for name in ("DVC_EXP_NAME", "DVC_EXP_BASELINE_REV"):
        monkeypatch.delenv(name, raising=False)


def test_a_run_is_named_after_the_experiment_else_the_commit(monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "warm-sun")
    assert run_facts.name() == "warm-sun"
    monkeypatch.delenv("DVC_EXP_NAME")
    monkeypatch.setattr(run_facts.git, "commit", lambda: "0123456789abcdef")
    assert run_facts.name() == "0123456"


def test_the_tags_lead_to_data_commit_and_experiment(project, monkeypatch):
    make.packed(np.zeros((2, 8, 8, 1), np.uint8), [0, 1], ["train", "val"], ["a", "b"])
    params = load()[0]
    monkeypatch.setattr(run_facts.git, "commit", lambda: "")
    assert set(run_facts.tags(params)) == {"dataset", "data_sha256", "split_sha256"}
    monkeypatch.setattr(run_facts.git, "commit", lambda: "c0ffee")
    monkeypatch.setenv("DVC_EXP_NAME", "warm-sun")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "abcdef")
    found = run_facts.tags(params)
    assert (found["mlflow.source.git.commit"], found["experiment_baseline"]) == ("c0ffee", "abcdef")
    assert found["experiment_ref"] == "refs/exps/ab/cdef/warm-sun"


def test_a_record_made_by_a_stage_that_does_not_count_the_images_has_the_epochs_of_the_training(project):
    project.add(path="few.zip")
    train = load(images=30)[0].train.model_dump() | {"device": "cpu", "threads": 1, "precision": "32"}
    facts = ModelFacts.model_validate(models.facts(classes=2, train=train))
    recorded = run_facts.as_text(run_facts.parameters(load()[0], facts))
    assert (recorded["train.epochs"], recorded["train.batch_size"]) == ("75", "8")
    assert "train.max_norm" not in recorded


def test_parameters_are_kept_as_texts_that_mlflow_takes():
    assert run_facts.as_text({"a": [1, None], "b": "text", "c": "x" * 7000}) == {
        "a": "[1, null]",
        "b": "text",
        "c": "x" * 6000,
    }


def test_where_a_run_is_recorded_decides_no_result():
    assert run_facts.decisive({"tracking.experiment": "mine", "train.lr": "1"}) == {"train.lr": "1"}
