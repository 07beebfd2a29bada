from PIL import Image

from darkroom.config.params import load
from darkroom.drawing import galleries, mistake_pictures
from tests import models
from tests.analysis.test_doubts import data, found_in

PICTURES = ["gradcam.png", "neighbours.png", "pairs.png", "suspects.png", "worst.png"]


def drawn(folder, given, classifier):
    few = load()[0].errors.model_copy(update={"worst": 2, "pairs": 1, "per_pair": 1, "explained": 2, "suspects": 2})
    layer = mistake_pictures.write(folder, few, given, found_in(given), classifier)
    return layer, sorted(path.name for path in folder.iterdir())


def test_a_picture_of_each_kind_is_written(project, tmp_path):
    (tmp_path / "made").mkdir()
    layer, names = drawn(tmp_path / "made", data(right=False), models.classifier())
    assert names == PICTURES
    assert layer.startswith("features.")
    for name in names:
        with Image.open(tmp_path / "made" / name) as picture:
            picture.verify()


def test_where_there_is_no_mistake_one_picture_says_so_and_no_other_is_drawn(project, tmp_path, monkeypatch):
    said = []
    placeholder = galleries.placeholder
    monkeypatch.setattr(galleries, "placeholder", lambda title, words: said.append(words) or placeholder(title, words))
    (tmp_path / "made").mkdir()
    _, names = drawn(tmp_path / "made", data(), models.classifier())
    assert names == ["suspects.png", "worst.png"]  # suspects are of training images too
    assert said == ["no mistakes"]


def test_a_network_without_maps_has_no_evidence_to_show(project, tmp_path):
    (tmp_path / "made").mkdir()
    layer, names = drawn(tmp_path / "made", data(right=False), models.classifier(name="mlp", hidden=[8]))
    assert layer is None
    assert names == [name for name in PICTURES if name != "gradcam.png"]
