"""The stage itself: what a model is made from, and what a killed training may be taken up by."""

import pytest
from safetensors.numpy import load_file

from darkroom.base import paths
from darkroom.base.files import fingerprint
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import load
from darkroom.config.yaml_files import read_yaml
from darkroom.training import checkpoint
from stages import train
from tests import make, models
from tests.conftest import ROOT

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def here(project):
    models.to_train(project)
    return project


def run():
    train.train(*load())


def test_the_rooms_of_its_fingerprint_are_those_that_it_depends_on():
    deps = read_yaml(ROOT / paths.GRAPH)["stages"]["train"]["deps"]
    assert [f"darkroom/{room}" for room in checkpoint.DECISIVE_ROOMS] == [
        dep for dep in deps if dep.startswith("darkroom/")
    ]


def test_every_file_of_those_rooms_at_any_depth_counts(here):
    files = checkpoint.decisive_files()
    assert len(files) == len(set(files))
    rooms = [ROOT / "darkroom" / room for room in checkpoint.DECISIVE_ROOMS]
    assert {file for room in rooms for file in room.rglob("*.py")} <= set(files)
    assert not [file for file in files if {"drawing", "report", "tracking", "tools"} & set(file.parts)]
    for folder in (ROOT / "darkroom" / "training", ROOT / "own"):
        deep = folder / "deep" / "deeper.py"
        before = fingerprint([], files)
        try:
            deep.parent.mkdir()
            deep.write_text("")
            assert fingerprint([], checkpoint.decisive_files()) != before
        finally:
            deep.unlink()
            deep.parent.rmdir()


def test_it_ends_with_what_was_written(here, capsys):
    run()
    *_, written, then = capsys.readouterr().out.splitlines()
    assert written.startswith("wrote models/model.safetensors (")
    assert then.startswith("next: dvc repro evaluate")


def test_the_facts_say_what_was_used_in_place_of_auto(here):
    run()
    facts = ModelFacts.read(paths.MODEL)
    assert (facts.train.device, facts.train.precision, facts.train.threads) == ("cpu", "32", 1)
    weights = load_file(paths.WEIGHTS)
    trainable = [name for name in weights if "running" not in name and "num_batches" not in name]
    assert facts.parameters == sum(weights[name].size for name in trainable)


def test_more_parts_than_a_small_set_has_images_in_a_batch(here):
    """`auto` makes the batch smaller; a batch is then worked off in as many parts as it has images."""
    make.edit(here.params, {"train.batch_size": "auto", "train.accumulate": 32, "model.batch_norm": False})
    train.train(*load(images=45))
    facts = ModelFacts.read(paths.MODEL)
    assert facts.train.accumulate == facts.train.batch_size == 8
