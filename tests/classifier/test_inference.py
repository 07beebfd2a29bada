import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from darkroom.base.errors import UserError
from darkroom.classifier.inference import Classifier
from darkroom.classifier.trained_network import predict
from darkroom.config.params import Model
from darkroom.network import architectures
from tests import make, models

MODEL = {
    "name": "cnn",
    "weights": None,
    "layers": "4P",
    "kernel": 3,
    "batch_norm": True,
    "activation": "relu",
    "pooling": "mean",
    "hidden": [],
    "hidden_activation": "relu",
    "dropout": 0.0,
    "init": "default",
}


@pytest.fixture(params=[1, 3])
def folder(tmp_path, request):
    facts = models.facts((8, 10, request.param), ["ant", "bee", "cow", "dog"], model=MODEL, border=[])
    torch.manual_seed(0)
    network = architectures.build(Model.model_validate(MODEL), (8, 10, request.param), 4)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "model.json").write_text(json.dumps(facts))
    return tmp_path


def test_paths_bytes_and_arrays_are_the_same_picture(folder, tmp_path):
    classifier = Classifier.load(folder)
    pixels = make.pixels(8, 10, classifier.shape[2])
    file = tmp_path / "picture.png"
    file.write_bytes(make.encode(pixels))
    answers = classifier.predict([file, str(file), file.read_bytes(), pixels])
    assert all(answer == answers[0] for answer in answers)
    assert len(answers[0].classes) == 3
    assert answers[0].probabilities == sorted(answers[0].probabilities, reverse=True)


def test_a_grey_array_may_have_two_or_three_axes(folder):
    classifier = Classifier.load(folder)
    grey = make.pixels(30, 20, 1)
    assert classifier.predict(grey) == classifier.predict(grey[..., 0])


def test_probabilities_sum_to_one_and_top_k_is_at_most_all(folder):
    classifier = Classifier.load(folder)
    images = np.stack([make.pixels(8, 10, classifier.shape[2], seed) for seed in range(5)])
    assert classifier.probabilities(images, batch_size=2).sum(axis=1) == pytest.approx(np.ones(5))
    assert len(classifier.predict(images[0], top_k=99)[0].classes) == 4
    assert classifier.predict([]) == []


def test_the_temperature_of_the_model_divides_its_logits(folder):
    before = Classifier.load(folder)
    facts = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(facts | {"temperature": 0.5}))
    after = Classifier.load(folder)
    images = np.stack([make.pixels(8, 10, before.shape[2], seed) for seed in range(5)])
    squared = before.probabilities(images).astype(float) ** 2
    assert before.temperature == 1
    assert after.probabilities(images) == pytest.approx(squared / squared.sum(axis=1, keepdims=True), abs=1e-6)
    best = after.predict(images[0])[0].probabilities[0]
    assert best == pytest.approx(after.probabilities(images[:1]).max())


@pytest.mark.parametrize(
    "array", [np.zeros((8, 8), np.float32), np.zeros((8, 8, 2), np.uint8), np.zeros(8, np.uint8)], ids=str
)
def test_what_is_no_picture_is_refused_in_one_sentence(folder, array):
    with pytest.raises(UserError, match="uint8"):
        Classifier.load(folder).predict(array)


def test_bad_files_are_named(folder, tmp_path):
    classifier = Classifier.load(folder)
    with pytest.raises(UserError, match=r"nothing\.png"):
        classifier.predict(tmp_path / "nothing.png")
    with pytest.raises(UserError, match="is a folder"):
        classifier.predict(tmp_path)
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(UserError, match=r"text\.jpg cannot be used"):
        classifier.predict(tmp_path / "text.jpg")


def test_a_missing_model_says_which_command_makes_it(tmp_path):
    with pytest.raises(UserError, match="dvc repro"):
        Classifier.load(tmp_path)


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"x" * 200])
def test_damaged_weights_are_refused(folder, damage):
    weights = folder / "model.safetensors"
    weights.write_bytes(damage(weights.read_bytes()))
    with pytest.raises(UserError, match=r"model\.safetensors is damaged"):
        Classifier.load(folder)


def test_weights_of_another_model_are_refused(folder):
    facts = json.loads((folder / "model.json").read_text())
    facts["model"]["layers"] = "5P"
    (folder / "model.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match="another model"):
        Classifier.load(folder)


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
    images = np.stack([make.pixels(8, 10, Classifier.load(folder).shape[2], seed) for seed in range(5)])
    raw = np.log(Classifier.load(folder).probabilities(images))
    (folder / "model.json").write_text(json.dumps(json.loads((folder / "model.json").read_text()) | {"temperature": 2}))
    expected = np.exp(raw / 2)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(Classifier.load(folder).probabilities(images), expected, rtol=1e-5)


@pytest.mark.parametrize("hidden", [[], [6, 5]])
def test_features_are_what_the_last_layer_sees(folder, hidden):
    facts = json.loads((folder / "model.json").read_text())
    facts["model"] = {**MODEL, "hidden": hidden}
    torch.manual_seed(1)
    network = architectures.build(Model.model_validate(facts["model"]), (8, 10, facts["channels"]), 4)
    save_file(network.state_dict(), folder / "model.safetensors")
    (folder / "model.json").write_text(json.dumps(facts))
    classifier = Classifier.load(folder)
    images = np.stack([make.pixels(8, 10, facts["channels"], seed) for seed in range(5)])
    features = classifier.features(images, batch_size=2)
    assert features.shape == (5, hidden[-1] if hidden else 4)
    last = classifier.network.get_submodule("head.classes")
    probabilities = last(torch.from_numpy(features)).softmax(1).detach().numpy()
    np.testing.assert_allclose(probabilities, classifier.probabilities(images), rtol=1e-5)


def test_whether_to_invert_cannot_be_chosen_without_knowing_the_training_images(folder):
    classifier = Classifier.load(folder)
    with pytest.raises(UserError, match=r"--invert auto needs familiarity\.safetensors"):
        classifier.predict(make.pixels(8, 10, classifier.shape[2]), invert="auto")
