import dataclasses
import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file

from darkroom.base.errors import UserError
from darkroom.classifier.inference import Classifier
from darkroom.config.params import Model
from darkroom.network import architectures
from darkroom.tools import export
from darkroom.tools.commands import main
from tests import make, models
from tests.classifier.conftest import MODEL

NAMES = ["ant", "bee & co", 'c"ow', "<b>dög</b>"]


def save_model(folder, model, shape=(8, 10, 3), temperature=1.7):
    """A model with random weights as `train` leaves it."""
    facts = models.facts(
        shape,
        classes=NAMES,
        mean=[0.4, 0.5, 0.6][: shape[2]],
        std=[0.25, 0.2, 0.3][: shape[2]],
        temperature=temperature,
        model=MODEL | model,
    )
    torch.manual_seed(0)
    network = architectures.build(Model.model_validate(facts["model"]), shape, len(NAMES))
    folder.mkdir(exist_ok=True)
    save_file(network.state_dict(), folder / "model.safetensors")
    (folder / "model.json").write_text(json.dumps(facts))
    return folder


def stored(shape, count, seed=0):
    return np.stack([make.pixels(*shape, seed=seed + number) for number in range(count)])


def check_parity(folder, shape, counts):
    """Export, run the bytes with onnxruntime, and compare with the Classifier for several batch sizes."""
    classifier = Classifier.load(folder)
    content = export.onnx_bytes(classifier, export.facts_of(folder, classifier))
    engine = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    for count in counts:
        images = stored(shape, count)
        probabilities, logits = engine.run(["probabilities", "logits"], {"images": images})
        np.testing.assert_allclose(probabilities, classifier.probabilities(images), atol=1e-4)
        over_temperature = np.exp(logits / 1.7)
        np.testing.assert_allclose(
            probabilities, over_temperature / over_temperature.sum(1, keepdims=True), rtol=1e-3, atol=1e-6
        )
    return content


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = save_model(tmp_path_factory.mktemp("model"), {"layers": "4P-6", "pooling": "max", "hidden": [5]})
    return folder, check_parity(folder, (8, 10, 3), (1, 2, 5))


def test_an_mlp_gives_what_pytorch_gives(tmp_path):
    folder = save_model(tmp_path, {"name": "mlp", "hidden": [7]}, (6, 5, 1))
    check_parity(folder, (6, 5, 1), (1, 4))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "side"), [("mobilenet_v2", 32), ("resnet18", 32), ("vit_b_16", 32)])
def test_networks_of_torchvision_give_what_pytorch_gives(tmp_path, name, side):
    check_parity(save_model(tmp_path, {"name": name}, (side, side, 3)), (side, side, 3), (1, 3))


def test_the_file_says_what_it_is_and_nothing_of_the_machine(exported):
    folder, content = exported
    model = onnx.load_from_string(content)
    facts = {item.key: item.value for item in model.metadata_props}
    assert json.loads(facts["classes"]) == NAMES
    assert json.loads(facts["shape"]) == [8, 10, 3]
    assert float(facts["temperature"]) == 1.7
    assert set(facts) == {"dataset", "classes", "shape", "resize", "geometry", "temperature", "model_sha256"}
    assert [(value.name, value.type.tensor_type.elem_type) for value in model.graph.input] == [
        ("images", onnx.TensorProto.UINT8)
    ]
    for trace in (b".py", b"site-packages", b"stack", str(folder).encode()):
        assert trace not in content


@pytest.mark.parametrize("how", ["squash", "crop", "pad"])
def test_the_file_says_how_pictures_were_brought_to_size(exported, how):
    classifier = dataclasses.replace(Classifier.load(exported[0]), resize=how)
    facts = export.facts_of(exported[0], classifier)
    assert (facts["resize"], facts["geometry"].count("OpenCV")) == (how, 1)


def test_equal_models_give_equal_bytes(exported):
    folder, content = exported
    classifier = Classifier.load(folder)
    assert export.onnx_bytes(classifier, export.facts_of(folder, classifier)) == content


def test_without_data_random_pictures_are_compared_and_that_is_said(exported, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(export, "ROUND_SECONDS", 0.001)
    monkeypatch.setattr(export, "onnx_bytes", lambda classifier, facts: exported[1])
    main(["export", "--model", str(exported[0]), "--output", "deep/my.onnx"])
    printed = capsys.readouterr().out
    assert "256 random pictures" in printed
    assert "bring others there by `squash`, which is:\n  scale the picture from w x h to W x H" in printed
    assert "onnxruntime" in printed
    assert "next:" in printed
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["my.onnx"]


def test_a_file_that_answers_otherwise_is_not_written(exported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    class Other:
        def run(self, outputs, inputs):
            return [np.tile(np.float32([0.7, 0.1, 0.1, 0.1]), (len(inputs["images"]), 1))]

    monkeypatch.setattr(export, "onnx_bytes", lambda classifier, facts: exported[1])
    monkeypatch.setattr(export, "session", lambda file: Other())
    with pytest.raises(UserError, match="differs from PyTorch"):
        export.run(exported[0], tmp_path / "my.onnx")
    assert not list(tmp_path.iterdir())


def test_a_difference_that_is_no_number_is_none_that_is_small(exported):
    classifier = Classifier.load(exported[0])

    class Broken:
        def run(self, outputs, inputs):
            found = classifier.probabilities(inputs["images"])
            found[np.arange(len(found)), found.argmax(1)] = np.nan  # argmax gives the same classes
            return [found]

    with pytest.raises(UserError, match=r"\(0 other classes, probabilities by up to nan\)"):
        export.largest_difference(classifier, Broken(), stored((8, 10, 3), 3), np.arange(3))


def test_data_of_another_model_are_not_taken_for_its_test_images(exported, project):
    classifier = Classifier.load(exported[0])
    for shape, names in (((5, 5, 1), NAMES), ((8, 10, 3), ["x", "y"])):
        make.packed(stored(shape, 6), [0, 1] * 3, ["train", "test"] * 3, names)
        assert "random" in export.pictures(classifier)[2]
    make.packed(stored((8, 10, 3), 6), [0, 1] * 3, ["train", "test"] * 3, NAMES)
    _, rows, what = export.pictures(classifier)
    assert (rows.tolist(), what) == ([1, 3, 5], "test images")


def test_an_unknown_format_is_one_sentence(exported, tmp_path):
    message = make.refusal(lambda: export.run(exported[0], tmp_path / "x", "tflite"))
    assert message == "--format is 'tflite', but must be onnx"


def test_a_folder_for_a_file_is_refused_before_the_work(tmp_path):
    (tmp_path / "out").mkdir()
    message = make.refusal(lambda: export.run(tmp_path / "no model", tmp_path / "out"))
    assert message == f"--output {tmp_path}/out is a folder: name a file in it, as {tmp_path}/out/model.onnx"


def test_a_model_beyond_the_limit_of_a_file_is_refused(exported, monkeypatch):
    monkeypatch.setattr(export, "MAX_BYTES", 100)
    with pytest.raises(UserError, match="choose a smaller model"):
        export.onnx_bytes(Classifier.load(exported[0]), {})


@pytest.mark.parametrize("name", ["cnn", "mlp"])
def test_the_graph_takes_stored_images_and_sees_the_middle(tmp_path, name):
    folder = save_model(tmp_path, {"name": name, "hidden": [5], "input_size": [6, 7]})
    content = check_parity(folder, (8, 10, 3), (1, 3))
    engine = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    images = stored((8, 10, 3), 2)
    edges = images.copy()
    edges[:, 1:7, 1:8] = 0
    first, second = (engine.run(["logits"], {"images": batch})[0] for batch in (images, images - edges))
    assert np.array_equal(first, second)


def test_the_table_shows_where_onnxruntime_loses_and_what_the_file_leaves_out():
    shown = export.table({"PyTorch": [100.0, 400.0], "onnxruntime": [250.0, 300.0]})
    assert "onnxruntime beside PyTorch" in shown
    assert "2.5 times" in shown
    assert "0.75 times" in shown
    for what in export.LEFT_OUT:
        assert what in shown
