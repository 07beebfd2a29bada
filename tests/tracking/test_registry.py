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
    registry.log_model()
    assert np.array_equal(decode(logged["input_example"]["image"][0], Target((8, 8, 3)))[0], image)


@pytest.mark.parametrize("known", [[], ["digits"]])
def test_a_registered_model_is_made_once_and_its_newest_version_has_the_alias(project, known):
    class Client:
        models, versions, aliases = list(known), [], []

        def search_registered_models(self, query):
            return [name for name in self.models if query == f"name = '{name}'"]

        def create_registered_model(self, name):
            self.models.append(name)

        def create_model_version(self, name, address, run_id, model_id):
            self.versions.append((name, address, run_id, model_id))
            return SimpleNamespace(version=7)

        def set_registered_model_alias(self, name, alias, version):
            self.aliases.append((name, alias, version))

    client = Client()
    registry.register(client, "run", "models:/m-1", "digits")
    assert client.models == ["digits"]
    assert client.versions == [("digits", "models:/m-1", "run", "m-1")]
    assert client.aliases == [("digits", "newest", 7)]
