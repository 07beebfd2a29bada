import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from darkroom.base.errors import UserError
from darkroom.classifier.trained_network import TrainedNetwork, predict
from darkroom.config.params import Model
from darkroom.network import architectures
from tests import make, models
from tests.classifier.conftest import MODEL


def test_a_missing_model_says_which_command_makes_it(tmp_path):
    with pytest.raises(UserError, match="dvc repro"):
        TrainedNetwork.load(tmp_path)


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"x" * 200])
def test_damaged_weights_are_refused(folder, damage):
    weights = folder / "model.safetensors"
    weights.write_bytes(damage(weights.read_bytes()))
    with pytest.raises(UserError, match=r"model\.safetensors is damaged"):
        TrainedNetwork.load(folder)


def test_weights_of_another_model_are_refused(folder):
    facts = json.loads((folder / "model.json").read_text())
    facts["model"]["layers"] = "5P"
    (folder / "model.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match="another model"):
        TrainedNetwork.load(folder)


def test_predict_does_not_depend_on_the_batch_size_nor_on_training_mode():
    torch.manual_seed(0)
    network = architectures.build(Model.model_validate(MODEL | {"dropout": 0.5}), (8, 10, 1), 4).train()
    mean, std = torch.full((1, 1, 1), 100.0), torch.full((1, 1, 1), 60.0)
    images = torch.from_numpy(np.stack([make.pixels(8, 10, 1, seed) for seed in range(37)]))
    one, all_at_once = (predict(network, images, mean, std, size) for size in (1, 64))
    assert one.shape == (37, 4)
    assert torch.allclose(one, all_at_once, atol=1e-5)
    assert not network.training
    assert [int(value) for name, value in network.state_dict().items() if "tracked" in name] == [0]


def test_probabilities_are_those_of_the_logits_over_the_temperature(folder):
    images = np.stack([make.pixels(8, 10, TrainedNetwork.load(folder).shape[2], seed) for seed in range(5)])
    raw = np.log(TrainedNetwork.load(folder).probabilities(images))
    (folder / "model.json").write_text(json.dumps(json.loads((folder / "model.json").read_text()) | {"temperature": 2}))
    expected = np.exp(raw / 2)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(TrainedNetwork.load(folder).probabilities(images), expected, rtol=1e-5)


@pytest.mark.parametrize("hidden", [[], [6, 5]])
def test_features_are_what_the_last_layer_sees(folder, hidden):
    facts = json.loads((folder / "model.json").read_text())
    facts["model"] = {**MODEL, "hidden": hidden}
    torch.manual_seed(1)
    network = architectures.build(Model.model_validate(facts["model"]), (8, 10, facts["channels"]), 4)
    save_file(network.state_dict(), folder / "model.safetensors")
    (folder / "model.json").write_text(json.dumps(facts))
    classifier = TrainedNetwork.load(folder)
    images = np.stack([make.pixels(8, 10, facts["channels"], seed) for seed in range(5)])
    features = classifier.features(images, batch_size=2)
    assert features.shape == (5, hidden[-1] if hidden else 4)
    last = classifier.network.get_submodule("head.classes")
    probabilities = last(torch.from_numpy(features)).softmax(1).detach().numpy()
    np.testing.assert_allclose(probabilities, classifier.probabilities(images), rtol=1e-5)


def test_a_network_that_sees_less_judges_by_the_middle(tmp_path):
    settings = MODEL | {"input_size": [6, 8]}
    facts = models.facts((8, 10, 1), 4, model=settings)
    torch.manual_seed(0)
    network = architectures.build(Model.model_validate(settings), (8, 10, 1), 4)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "model.json").write_text(json.dumps(facts))
    found = TrainedNetwork.load(tmp_path)
    assert (found.shape, found.seen) == ((8, 10, 1), (6, 8, 1))
    images = np.stack([make.pixels(8, 10, 1, seed) for seed in range(3)])
    edges = images.copy()
    edges[:, 1:7, 1:9] = 0
    inside = images - edges  # black but for the middle
    for judge in (found.probabilities, found.features):
        assert np.array_equal(judge(images), judge(inside))
        assert not np.array_equal(judge(images), judge(edges))
