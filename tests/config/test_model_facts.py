import json

from darkroom.config.model_facts import ModelFacts, Pretrained
from tests import models


def test_the_facts_of_a_model_come_back_and_keep_their_order(tmp_path):
    content = models.facts(augment=[{"flip": {"axis": "horizontal"}}, {"apply": {"changes": [{"turn": {}}]}}])
    facts = ModelFacts.model_validate(content)
    facts.write(tmp_path / "model.json")
    assert ModelFacts.read(tmp_path / "model.json") == facts
    written = json.loads((tmp_path / "model.json").read_text())
    assert list(written) == list(ModelFacts.model_fields)
    # Of a change its own settings alone, not those of all the others.
    assert [list(item) for item in written["augment"]] == [["flip"], ["apply"]]
    assert facts.shape == (8, 8, 1)


def test_models_of_earlier_versions_are_read():
    facts = models.facts()
    assert "resize" not in facts
    facts["model"] = {name: value for name, value in facts["model"].items() if name != "input_size"}
    del facts["border"], facts["train"]["freeze_statistics"], facts["train"]["fraction"]
    read = ModelFacts.model_validate(facts)
    assert (read.temperature, read.border, read.train.freeze_statistics) == (1, [], False)
    assert (read.train.fraction, read.resize) == (1, "squash")
    assert (read.seen, read.part) == (read.shape, None)


def test_the_hash_of_weights_that_an_earlier_version_wrote_is_kept():
    facts = models.facts()
    facts["model"] = facts["model"] | {"name": "resnet18", "weights": "DEFAULT"}
    facts.pop("pretrained", None)
    read = ModelFacts.model_validate(facts | {"weights_sha256": "ab"})
    assert read.pretrained == Pretrained(network="resnet18", weights="DEFAULT", sha256="ab")
    assert ModelFacts.model_validate(facts | {"weights_sha256": None}).pretrained is None
