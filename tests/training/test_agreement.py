"""Processes that train as one compare what they would train by."""

import json
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.config.model_facts import ModelFacts
from darkroom.training import agreement
from tests import make, models
from tests.training.test_peers import joined


@pytest.fixture
def facts(project):
    images, labels = models.blobs(60)
    make.packed(images, labels.tolist(), ["train"] * 45 + ["val"] * 15, ["ant", "bee", "cow"])
    return ModelFacts.model_validate(models.facts())


FILES = (paths.INDEX, paths.CLASSES, paths.SPLIT)


def trained_with(facts, **settings):
    return facts.model_copy(update={"train": facts.train.model_copy(update=settings)})


def against(facts, before):
    return agreement.differences(before, agreement.claims(facts, FILES))


def test_what_is_equal_differs_in_nothing(facts):
    assert against(facts, agreement.claims(facts, FILES)) == ""


@pytest.mark.parametrize("name", ["lr", "batch_size", "epochs", "seed", "precision", "devices"])
def test_a_setting_is_named_with_both_values(facts, name):
    before = agreement.claims(facts, FILES)
    was, now = getattr(facts.train, name), {"precision": "bf16-mixed"}.get(name, 7)
    said = against(trained_with(facts, **{name: now}), before)
    assert said == f"train.{name} ({json.dumps(now)} instead of {json.dumps(was)})"


def test_threads_and_the_place_of_the_images_may_differ(facts):
    assert against(trained_with(facts, threads=5, memory_share=0.1), agreement.claims(facts, FILES)) == ""


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_file_that_differs_is_named(facts, file):
    before = agreement.claims(facts, FILES)
    file.write_bytes(file.read_bytes() + b" ")
    assert against(facts, before) == file.as_posix()


def test_a_file_of_one_process_alone_is_named(facts):
    before = agreement.claims(facts, FILES[1:])
    assert against(facts, before) == f"{paths.INDEX} (only there)"
    assert agreement.differences(agreement.claims(facts, FILES), before) == f"{paths.INDEX} (not there)"


@pytest.mark.parametrize("at", [0, 31, 59])
def test_other_pixels_and_another_number_of_images_are_seen(facts, at):
    before = agreement.claims(facts, FILES)
    images = np.load(paths.IMAGES)
    images[at, 3, 3] ^= 1
    np.save(paths.IMAGES, images)
    assert against(facts, before) == paths.IMAGES.as_posix()
    np.save(paths.IMAGES, images[1:])
    assert against(facts, before) == paths.IMAGES.as_posix()


@pytest.mark.parametrize("at", [0, -1], ids=["first", "last"])
def test_a_file_larger_than_its_pieces_is_compared_to_its_ends(tmp_path, at):
    file = tmp_path / "large"
    content = bytearray(2 * agreement.PIECES * agreement.PIECE_BYTES)
    file.write_bytes(content)
    before = agreement._sample(file)
    content[at] = 1
    file.write_bytes(content)
    assert agreement._sample(file) != before


def test_another_version_of_a_package_is_named(facts, monkeypatch):
    before = agreement.claims(facts, FILES)
    version = agreement.metadata.version
    monkeypatch.setattr(agreement.metadata, "version", lambda name: "0.1" if name == "numpy" else version(name))
    assert against(facts, before) == f"numpy (0.1 instead of {before['numpy']})"


def test_many_differences_are_counted(facts):
    before = agreement.claims(facts, FILES)
    assert against(facts, before | dict.fromkeys("abcdefg", "x")).endswith(", 2 more")


def test_the_code_is_compared_wherever_it_lies(facts):
    here = Path(agreement.__file__)
    assert "darkroom/training/agreement.py" in agreement.claims(facts, [here])


def test_a_process_alone_compares_nothing(facts):
    agreement.require(facts, [Path("is/not/there")])


def test_all_processes_refuse_in_the_same_sentence(facts):
    said = {}

    def compare(peers, claims):
        try:
            agreement._compare(peers, claims)
        except UserError as error:
            said[peers.rank] = str(error)

    for claims in ([{"train.lr": "0.1"}] * 3, [{"train.lr": "0.1"}, {"train.lr": "0.2"}, {"train.lr": "0.2"}]):
        with joined(3) as peers:
            threads = [Thread(target=compare, args=pair) for pair in zip(peers, claims, strict=True)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)
            if claims[0] == claims[1]:
                assert said == {}
    assert set(said) == {0, 1, 2}
    assert set(said.values()) == {
        "node 1 (host h1), node 2 (host h2) differs from node 0 (host h0) in train.lr (0.2 instead of 0.1): bring the "
        "same commit, parameters, data and packages there (`git status`, `dvc pull`, `make setup`)"
    }
