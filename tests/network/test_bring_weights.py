import hashlib

import pytest
import torch
from safetensors.torch import save_file

from darkroom.base.errors import UserError
from darkroom.config.model_facts import Pretrained
from darkroom.network import bring_weights, weight_download
from tests.network.test_architectures import settings

LITE = "timm/tf_efficientnet_lite0"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.safetensors"
    save_file({"a": torch.zeros(2)}, path)
    return path


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pretrained").mkdir()
    return tmp_path / "pretrained"


def test_without_weights_there_is_a_note_alone(folder):
    bring_weights.bring(settings(name="cnn"), folder)
    assert [one.name for one in folder.iterdir()] == ["pretrained.json"]
    assert Pretrained.read(folder / "pretrained.json").file is None


def test_a_file_is_copied_with_its_hash_and_no_licence_is_made_up(folder, file):
    found = bring_weights.bring(settings(name=LITE, weights=str(file)), folder)
    assert (folder / found.file).read_bytes() == file.read_bytes()
    assert found.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (found.source, found.license, found.mean) == ("the file mine.safetensors", "", [0.5] * 3)
    assert Pretrained.read(folder / "pretrained.json") == found


def test_default_is_fetched_and_its_licence_told(folder, file, monkeypatch):
    monkeypatch.setattr(weight_download, "fetched", lambda place: file)
    found = bring_weights.bring(settings(name=LITE, weights="DEFAULT"), folder)
    assert found.source.startswith("https://huggingface.co/timm/tf_efficientnet_lite0")
    lines = bring_weights.in_words(found, folder, (224, 224, 3), whole=False)
    assert "apache-2.0" in lines[0]
    assert "224x224 (bicubic, the middle 87.5%" in lines[1]
    assert len(lines) == 2
    *_, line = bring_weights.in_words(found, folder, (192, 192, 3), whole=True)
    assert line.endswith("`image_size: 219` in datasets.yaml, and -S model.input_size=192")


def test_small_pictures_and_an_unknown_licence_are_warned_of(folder, file):
    found = bring_weights.bring(settings(name=LITE, weights=str(file)), folder)
    *_, licence, small = bring_weights.in_words(found, folder, (64, 64, 3), whole=False)
    assert licence.startswith("warning: nothing says under which licence")
    assert "`image_size: 224` in datasets.yaml" in small


def test_a_path_counts_from_the_root_of_the_repository_where_a_copy_of_it_runs(folder, file, monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert bring_weights.bring(settings(name=LITE, weights=file.name), folder).file == "weights.safetensors"


def test_a_missing_file_is_refused(tmp_path, folder):
    for path in (tmp_path / "none.pt", tmp_path):
        with pytest.raises(UserError, match=r"no such file is there: give null, DEFAULT or the path"):
            bring_weights.bring(settings(name="resnet18", weights=str(path)), folder)


def test_a_damaged_file_is_refused_before_a_training_starts(tmp_path, folder):
    (tmp_path / "x.pt").write_bytes(b"x" * 100)
    with pytest.raises(UserError, match="damaged"):
        bring_weights.bring(settings(name="resnet18", weights=str(tmp_path / "x.pt")), folder)


def test_a_network_without_weights_of_its_library_is_refused(folder):
    with pytest.raises(UserError, match="timm has no weights for timm/test_mambaout"):
        bring_weights.bring(settings(name="timm/test_mambaout", weights="DEFAULT"), folder)
