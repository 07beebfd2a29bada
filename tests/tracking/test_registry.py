from types import SimpleNamespace

import mlflow
import numpy as np
import pytest

from darkroom.base import paths
from darkroom.config.model_facts import ModelFacts
from darkroom.pictures.decoding import Target, decode
from darkroom.tracking import registry
from tests import make, models


def test_the_example_beside_the_model_has_the_colours_of_the_image(project, monkeypatch):
    image = make.pixels(8, 8, 3)
    make.packed(image[None], [0], ["train"], ["a", "b"])
    ModelFacts.model_validate(models.facts()).write(paths.MODEL)
    logged, answer = {}, SimpleNamespace(model_uri="")
    assert callable(mlflow.pyfunc.log_model)  # it is loaded when it is first asked for, and then another object
    monkeypatch.setattr(mlflow.pyfunc, "log_model", lambda **given: logged.update(given) or answer)
    registry.log_model("digits", {"data_sha256": "ab"}, step=3)
    assert (logged["name"], logged["tags"], logged["step"]) == ("digits", {"data_sha256": "ab"}, 3)
    assert np.array_equal(decode(logged["input_example"]["image"][0], Target((8, 8, 3)))[0], image)


class Registry:
    """A registry of models, in which versions get the next number."""

    def __init__(self, known=(), versions=0):
        self.models, self.versions, self.aliases = list(known), versions, []

    def search_registered_models(self, query):
        return [name for name in self.models if query == f"name = '{name}'"]

    def create_registered_model(self, name):
        self.models.append(name)

    def create_model_version(self, name, address, run_id, tags, model_id):
        self.versions += 1
        self.made = (name, address, run_id, tags, model_id)

    def search_model_versions(self, query, max_results, order_by):
        assert (query, max_results, order_by) == ("name = 'digits'", 1, ["version_number DESC"])
        return [SimpleNamespace(version=str(self.versions))]

    def set_registered_model_alias(self, name, alias, version):
        self.aliases.append((name, alias, version))


@pytest.mark.parametrize("known", [[], ["digits"]])
def test_a_registered_model_is_made_once_and_its_newest_version_has_the_alias(project, known):
    client = Registry(known, versions=6)
    registry.register(client, "run", "models:/m-1", "digits", {"data_sha256": "ab"})
    assert client.models == ["digits"]
    assert client.made == ("digits", "models:/m-1", "run", {"data_sha256": "ab"}, "m-1")
    assert client.aliases == [("digits", "newest", 7)]


def test_of_two_trainings_that_end_together_the_slower_one_does_not_take_the_alias_back(project):
    class Together(Registry):
        """Before the first one moves the alias, the second registers its version and moves it."""

        def set_registered_model_alias(self, name, alias, version):
            if self.versions == 1:
                self.versions = 2
                self.aliases.append((name, alias, 2))
            super().set_registered_model_alias(name, alias, version)

    client = Together()
    registry.register(client, "run", "models:/m-1", "digits", {})
    assert [version for *_, version in client.aliases] == [2, 1, 2]


class Versions:
    """A registry that notes what it is told of two versions, of which one knows a figure already."""

    def __init__(self):
        self.told, self.notes = [], []

    def search_model_versions(self, query):
        known = [{}, {"test_accuracy": "0.75"}] if query == "run_id = 'run'" else []
        return [SimpleNamespace(name="digits", version=number, tags=tags) for number, tags in enumerate(known, 1)]

    def update_model_version(self, name, version, description):
        self.notes.append((name, version, description))

    def set_model_version_tag(self, name, version, key, value):
        self.told.append((name, version, key, value))


def test_a_version_says_what_the_model_reached_and_where_its_report_lies():
    client = Versions()
    registry.describe(client, "run", {"test_accuracy": 0.75, "test_ece": 0.5}, "a note")
    assert client.notes == [("digits", 1, "a note"), ("digits", 2, "a note")]
    assert client.told == [
        ("digits", 1, "test_accuracy", "0.75"),
        ("digits", 1, "report", "runs:/run/report.html"),
        ("digits", 2, "report", "runs:/run/report.html"),
    ]


@pytest.mark.parametrize(
    ("known", "model"),
    [({}, None), ({"m-2": "FAILED"}, None), ({"m-3": "FAILED", "m-2": "READY", "m-1": "READY"}, "m-2")],
)
def test_the_model_of_a_run_is_the_one_that_it_logged_last_and_wholly(known, model):
    def search(experiments, query):
        assert (experiments, query) == (["7"], "source_run_id = 'run'")
        return [SimpleNamespace(model_id=key, status=status) for key, status in known.items()]

    run = SimpleNamespace(info=SimpleNamespace(experiment_id="7", run_id="run"))
    assert registry.model_of(SimpleNamespace(search_logged_models=search), run) == model
