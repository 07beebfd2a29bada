import dataclasses
import json

import numpy as np
import pytest
import torch

from darkroom.base.errors import UserError
from darkroom.classifier import inference
from darkroom.classifier.familiarity import Familiarity, Layer
from darkroom.classifier.inference import Classifier
from darkroom.dataset.packed import load_images, load_index
from darkroom.network import layer_outputs
from darkroom.pictures import cutout
from darkroom.pictures.decoding import Target, decode
from stages import entry, extract, fetch
from tests import make, models
from tests.pictures import profiles


def test_paths_bytes_and_arrays_are_the_same_picture(folder, tmp_path):
    classifier = Classifier.load(folder)
    pixels = make.pixels(8, 10, classifier.shape[2])
    file = tmp_path / "picture.png"
    file.write_bytes(make.encode(pixels))
    answers = classifier.predict([file, str(file), file.read_bytes(), pixels])
    assert all(answer == answers[0] for answer in answers)
    assert len(answers[0].classes) == 3
    assert answers[0].probabilities == sorted(answers[0].probabilities, reverse=True)


def test_colours_of_another_profile_are_those_that_the_training_saw(folder):
    classifier = Classifier.load(folder)
    profile = profiles.rgb_profile("Adobe RGB (1998)", profiles.ADOBE, lambda values: values**2.2)
    data = make.encode(make.pixels(40, 60, 3), icc_profile=profile)
    expected, _, _ = decode(data, Target(classifier.shape))
    assert np.array_equal(classifier.read(data), expected)
    assert np.array_equal(classifier.open(data, invert=True).stored, 255 - expected)


@pytest.mark.parametrize("how", ["squash", "crop", "pad"])
@pytest.mark.parametrize("size", [(5, 90), (61, 7), (23, 24), (8, 10), (1, 1)])
def test_a_picture_is_brought_to_size_as_the_training_images_were(folder, how, size):
    facts = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(facts | {"resize": how}))
    classifier = Classifier.load(folder)
    profile = profiles.rgb_profile("Adobe RGB (1998)", profiles.ADOBE, lambda values: values**2.2)
    for data in (
        make.picture(1, *size, 3),
        make.picture(2, *size, 1),
        make.encode(make.smooth(*size), "JPEG", icc_profile=profile),
    ):
        expected, _, _ = decode(data, Target(classifier.shape, how))
        assert np.array_equal(classifier.read(data), expected)


@pytest.mark.parametrize("how", ["squash", "crop", "pad"])
def test_a_file_gets_the_pixels_that_extract_gives_it(project, how):
    files = {f"train/{'ab'[at % 2]}/{at}.png": make.picture(at, 5 + 9 * at, 40 - 5 * at, 3) for at in range(8)}
    project.add(path="x", channels=3, image_size=[12, 9], resize=how)
    project.archive(make.zip_of(files))
    for stage in (entry, fetch, extract):
        stage.main()
    images, index = load_images(), load_index("row", "path")
    classifier = dataclasses.replace(models.classifier((12, 9, 3)), resize=how)
    for row, path in zip(index["row"], index["path"], strict=True):
        assert np.array_equal(classifier.read(files[path]), images[row])


@pytest.mark.parametrize("profiled", [False, True])
def test_the_negative_of_a_padded_picture_lies_on_black_as_the_picture_does(folder, profiled):
    classifier = dataclasses.replace(Classifier.load(folder), resize="pad")
    profile = profiles.rgb_profile("Adobe RGB (1998)", profiles.ADOBE, lambda values: values**2.2)
    data = make.encode(np.full((8, 40, 3), 90, np.uint8), **({"icc_profile": profile} if profiled else {}))
    picture, inverted = classifier.open(data), classifier.open(data, invert=True)
    lit = picture.stored > 0
    assert np.array_equal(inverted.stored, np.where(lit, 255 - picture.stored, 0))
    assert np.array_equal(cutout.negative(picture.stored, picture.covered), inverted.stored)
    assert 0 < lit.mean() < 1


def unlike_all(classifier, grey=True):
    """The classifier, to which every picture is unlike grey training images of a side."""
    layer = Layer(torch.zeros(1, 4).double(), torch.eye(4).double(), 1e-9)
    judge = Familiarity({layer_outputs.LAST: layer}, (0.5, 2), grey, 0.7)
    return dataclasses.replace(classifier, familiarity=judge)


def test_whether_a_picture_is_in_colour_is_asked_of_those_unlike_grey_ones_alone(folder, monkeypatch, tmp_path):
    classifier = Classifier.load(folder)
    colour, grey = make.picture(1, 20, 20, 3), make.encode(np.repeat(make.pixels(20, 20, 1), 3, axis=2))
    asked = []
    question = inference.is_coloured
    monkeypatch.setattr(inference, "is_coloured", lambda pixels: (asked.append(pixels.shape), question(pixels))[1])
    classifier.predict([colour, grey])
    unlike_all(classifier, grey=False).predict([colour, grey])
    assert not asked
    first, second = unlike_all(classifier).predict([colour, grey])
    assert asked == [(8, 10, 3)] * 2
    assert "it is in colour, they are grey" in first.reasons
    assert "it is in colour, they are grey" not in second.reasons


def test_a_file_that_has_gone_meanwhile_counts_as_grey(folder, tmp_path):
    classifier = unlike_all(Classifier.load(folder))
    (tmp_path / "a.png").write_bytes(make.picture(1, 20, 20, 3))
    opened = classifier.open(tmp_path / "a.png")
    (tmp_path / "a.png").unlink()
    (found,) = classifier.classify([opened])
    seen = classifier.shape[2] == 3  # the pixels at hand tell
    assert ("it is in colour, they are grey" in found.reasons) == seen


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


def test_whether_to_invert_cannot_be_chosen_without_knowing_the_training_images(folder):
    classifier = Classifier.load(folder)
    with pytest.raises(UserError, match=r"--invert auto needs familiarity\.safetensors"):
        classifier.predict(make.pixels(8, 10, classifier.shape[2]), invert="auto")
