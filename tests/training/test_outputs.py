import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from darkroom.base import paths
from darkroom.base.files import read_json
from darkroom.config.model_facts import ModelFacts
from darkroom.config.stage_files import TrainingFigures
from darkroom.config.stage_tables import HISTORY
from darkroom.training import outputs
from darkroom.training.loop import Result
from tests import models


def epoch(number, **changes):
    """The figures of an epoch, all different."""
    names = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "seconds", "cpu_seconds")
    figures = {name: number / 10 + place / 1000 for place, name in enumerate(names)}
    return {"epoch": number} | figures | changes


@pytest.fixture
def kept(project):
    """The weights of two epochs, beside the file of a lock."""
    folder = project.folder / "kept"
    folder.mkdir()
    for name in ("epoch-001.safetensors", "epoch-002.safetensors", "lock"):
        (folder / name).write_text(name)
    return folder


def write(kept, keep_epochs=False, **result):
    facts = ModelFacts.model_validate(models.facts() | {"temperature": 1.25})
    facts = facts.model_copy(update={"train": facts.train.model_copy(update={"keep_epochs": keep_epochs})})
    network = models.classifier().network
    outputs.write(facts, Result(**{"history": [epoch(1), epoch(2), epoch(3)], "best_epoch": 2} | result), network, kept)
    return facts, network


def test_the_history_has_the_columns_of_its_table_and_six_decimals(project):
    outputs.write_history([epoch(1, train_loss=0.123456789, lr=1e-5)])
    text = paths.HISTORY.read_text().splitlines()
    assert text[0] == "epoch,train_loss,train_accuracy,val_loss,val_accuracy,lr"
    assert text[1].startswith("1,0.123457,")
    assert text[1].endswith(",1e-05")


def test_without_a_monitored_score_the_files_have_no_place_for_one(kept):
    write(kept)
    outputs.write_history([epoch(1)])
    assert list(HISTORY.read()) == list(HISTORY.columns)
    assert set(read_json(paths.TRAIN)) == set(TrainingFigures.model_fields)


def test_the_history_is_replaced_whole(project):
    for last in (1, 2, 3):
        outputs.write_history([epoch(number) for number in range(1, last + 1)])
        assert HISTORY.read()["epoch"].tolist() == list(range(1, last + 1))


def test_the_figures_are_those_of_the_epoch_that_was_kept(kept):
    facts, _ = write(kept, stopped_early=True)
    found = TrainingFigures.read(paths.TRAIN)
    assert (found.epochs, found.best_epoch, found.stopped_early) == (3, 2, True)
    assert (found.train_loss, found.train_accuracy, found.val_loss, found.val_accuracy) == (0.2, 0.201, 0.202, 0.203)
    assert (found.parameters, found.temperature) == (facts.parameters, 1.25)
    assert ModelFacts.read(paths.MODEL) == facts


def test_the_weights_are_those_of_the_network(kept):
    _, network = write(kept)
    saved = load_file(paths.WEIGHTS)
    assert saved.keys() == network.state_dict().keys()
    assert all(torch.equal(saved[name], value) for name, value in network.state_dict().items())


def test_weights_in_any_memory_format_are_the_same_bytes(tmp_path):
    network = models.classifier().network
    for name, order in (("one", torch.contiguous_format), ("other", torch.channels_last)):
        outputs.save_weights(tmp_path / name, network.to(memory_format=order))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"one", "other"}


@pytest.mark.parametrize(
    ("keep", "files", "lines"),
    [(False, ["index.csv"], 0), (True, ["epoch-001.safetensors", "epoch-002.safetensors", "index.csv"], 3)],
)
def test_the_epochs_are_kept_where_they_are_asked_for_beside_their_table(kept, keep, files, lines):
    paths.EPOCHS.mkdir(parents=True)
    (paths.EPOCHS / "epoch-009.safetensors").touch()  # of an earlier training
    write(kept, keep_epochs=keep)
    assert sorted(path.name for path in paths.EPOCHS.iterdir()) == files
    table = pd.read_csv(paths.EPOCHS / "index.csv")
    assert (len(table), list(table)) == (lines, list(HISTORY.columns))
    if keep:
        assert (paths.EPOCHS / files[1]).read_bytes() == (kept / files[1]).read_bytes()
