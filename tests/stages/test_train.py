"""The stage itself: what it writes while it trains, and what a killed training may be taken up by."""

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.config.params import load
from darkroom.config.stage_files import ModelFacts, Stats, TrainingFigures
from darkroom.config.stage_tables import HISTORY
from darkroom.config.yaml_files import read_yaml
from darkroom.training import checkpoint, loop, outputs, trainer
from stages import train
from tests import make, models
from tests.conftest import ROOT

pytestmark = pytest.mark.usefixtures("one_thread")

SETTINGS = {
    "train.epochs": 4, "train.batch_size": 16, "train.precision": "32", "train.threads": 1, "model.layers": "4P-6",
    "augment": [], "tracking.enabled": False,
}  # fmt: skip


@pytest.fixture
def here(project):
    project.add(path="x", image_size=8)
    images, labels = models.blobs(60)
    make.packed(images, labels.tolist(), ["train"] * 45 + ["val"] * 15, ["ant", "bee", "cow"])
    Stats(mean=[0.2], std=[0.3], border=[0.0], split="train").write(paths.STATS)
    make.edit(project.params, SETTINGS)
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
        before = checkpoint.fingerprint([], files)
        try:
            deep.parent.mkdir()
            deep.write_text("")
            assert checkpoint.fingerprint([], checkpoint.decisive_files()) != before
        finally:
            deep.unlink()
            deep.parent.rmdir()


def test_the_history_is_replaced_whole_after_each_epoch(here, monkeypatch):
    seen = []
    monkeypatch.setattr(outputs, "HISTORY", Spied(seen))
    run()
    assert seen == [1, 2, 3, 4]
    assert len(HISTORY.read()) == 4
    trained = TrainingFigures.read(paths.TRAIN)
    best = HISTORY.read().iloc[trained.best_epoch - 1]
    assert trained.val_accuracy == pytest.approx(best["val_accuracy"], abs=1e-4)


class Spied:
    """The table of the history, which notes how many epochs it is written with."""

    columns = HISTORY.columns

    def __init__(self, seen):
        self._seen = seen

    def write(self, rows):
        self._seen.append(len(rows))
        HISTORY.write(rows)

    def read(self):
        return HISTORY.read()


def interrupted(after):
    """`fit` as a user's Ctrl+C ends it, after so many epochs."""
    fit = loop.fit

    def cut(recipe, *data, on_epoch, **calls):
        def then(figures, state):
            on_epoch(figures, state)
            if figures["epoch"] == after:
                raise KeyboardInterrupt

        return fit(recipe, *data, on_epoch=then, **calls)

    return cut


def test_what_an_interrupted_training_reached_is_told_and_kept_and_it_goes_on_from_there(here, monkeypatch, capsys):
    run()
    whole = {file: file.read_bytes() for file in (paths.WEIGHTS, paths.MODEL, paths.TRAIN, paths.HISTORY)}
    for file in whole:
        file.unlink()
    monkeypatch.setattr(trainer, "SAVE_SECONDS", 0)
    with monkeypatch.context() as cutting:
        cutting.setattr(loop, "fit", interrupted(2))
        with pytest.raises(KeyboardInterrupt):
            run()
    assert "metrics/history.csv has what was done: 2 epochs" in capsys.readouterr().err
    assert len(HISTORY.read()) == 2
    assert not paths.WEIGHTS.exists()
    paths.HISTORY.unlink()  # as DVC does before it runs the stage again
    run()
    assert "going on after epoch 2" in capsys.readouterr().out
    assert {file: file.read_bytes() for file in whole} == whole


def test_a_divergence_leaves_the_epochs_up_to_it(here):
    make.edit(
        here.params, {"train.lr": 1000.0, "train.optimizer": "sgd", "train.epochs": 60, "model.batch_norm": False}
    )
    with pytest.raises(UserError, match=r"metrics/history\.csv has the epochs up to there, no model was written"):
        run()
    assert np.isnan(HISTORY.read()["train_loss"].to_numpy()[-1])
    assert not paths.WEIGHTS.exists()
    assert not list(here.folder.glob(".checkpoints/*/state"))


def test_kept_epochs_lie_beside_their_table(here):
    make.edit(here.params, {"train.keep_epochs": True})
    run()
    assert sorted(file.name for file in paths.EPOCHS.iterdir()) == [
        *(f"epoch-00{number}.safetensors" for number in range(1, 5)),
        "index.csv",
    ]
    assert len(pd.read_csv(paths.EPOCHS / "index.csv")) == 4


def test_the_facts_say_what_was_used_in_place_of_auto(here):
    run()
    facts = ModelFacts.read(paths.MODEL)
    assert (facts.train.device, facts.train.precision, facts.train.threads) == ("cpu", "32", 1)
    weights = load_file(paths.WEIGHTS)
    trainable = [name for name in weights if "running" not in name and "num_batches" not in name]
    assert facts.parameters == sum(weights[name].size for name in trainable)


def test_images_of_another_shape_are_told_before_any_training(here):
    make.edit(here.datasets, {"mine.image_size": 9})
    with pytest.raises(UserError, match=r"the images in data/images/images\.npy are \(8, 8, 1\)"):
        run()


def test_more_parts_than_a_small_set_has_images_in_a_batch(here):
    """`auto` makes the batch smaller; a batch is then worked off in as many parts as it has images."""
    make.edit(here.params, {"train.batch_size": "auto", "train.accumulate": 32, "model.batch_norm": False})
    train.train(*load(images=45))
    facts = ModelFacts.read(paths.MODEL)
    assert facts.train.accumulate == facts.train.batch_size == 8
