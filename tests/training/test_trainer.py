"""One training from parameters to files: what is told and kept after each epoch, at the end, and when it is cut off."""

import contextlib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.base.files import sha256, write_parquet
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import load
from darkroom.config.stage_files import TrainingFigures
from darkroom.config.stage_tables import HISTORY
from darkroom.dataset.packed import load_split
from darkroom.training import loop, memory_plan, outputs, trainer
from darkroom.training.loop import Result
from darkroom.training.recipe import Recipe
from darkroom.training.step_figures import StepTrace
from tests import make, models

pytestmark = pytest.mark.usefixtures("one_thread")

FIGURES = {
    "epoch": 3, "train_loss": 1.23456, "train_accuracy": 0.5, "val_loss": 0.98765, "val_accuracy": 0.61239, "lr": 0.1,
    "seconds": 1.26, "cpu_seconds": 2.0,
}  # fmt: skip


class Record:
    """Notes what it is told."""

    run_id = "run 7"

    def __init__(self):
        self.opened, self.epochs, self.steps, self.ended = [], [], [], []

    @contextlib.contextmanager
    def open(self, facts, layers, run_id):
        self.opened.append((facts, layers, run_id))
        yield self

    def epoch(self, figures, steps):
        self.epochs.append(figures["epoch"])
        self.steps.extend(steps)

    def trained(self, digest, register_as):
        self.ended.append((digest, register_as))


@pytest.fixture
def here(project):
    models.to_train(project)
    return project


@pytest.fixture
def record():
    return Record()


def run(record):
    return trainer.train(*load(), record.open)


def interrupted(after):
    """`fit` as a user's Ctrl+C ends it, after so many epochs."""
    fit = loop.fit

    def cut(recipe, *data, on_epoch, **calls):
        def then(figures, state):
            on_epoch(figures, state)
            if figures["epoch"] == after:
                raise KeyboardInterrupt

        if not after:
            raise KeyboardInterrupt
        return fit(recipe, *data, on_epoch=then, **calls)

    return cut


def cut_off(monkeypatch, record, after):
    with monkeypatch.context() as cutting:
        cutting.setattr(loop, "fit", interrupted(after))
        with pytest.raises(KeyboardInterrupt):
            run(record)


# A whole training.


def test_the_record_is_told_of_facts_epochs_and_the_model(here, record):
    make.edit(here.params, {"tracking.register_as": "mine"})
    trained = run(record)
    ((facts, layers, run_id),) = record.opened
    assert (facts.dataset, facts.classes, run_id) == ("mine", ["ant", "bee", "cow"], None)
    assert paths.LAYERS.read_text() == layers + "\n"
    assert record.epochs == [1, 2, 3, 4]
    assert record.ended == [(sha256(paths.WEIGHTS), "mine")]
    assert trained.facts == ModelFacts.read(paths.MODEL)
    assert trained.facts.temperature != 1
    assert not list(here.folder.glob(".checkpoints/*"))


def test_the_record_is_told_of_steps_where_they_are_asked_for(here, record):
    make.edit(here.params, {"tracking.steps": 1})
    run(record)
    each = len(record.steps) // 4
    assert [one["step"] for one in record.steps] == list(range(1, 4 * each + 1))
    # Equal batches: the mean over the steps of an epoch is that of the epoch.
    last = sum(one["step_train_loss"] for one in record.steps[-each:]) / each
    assert last == pytest.approx(HISTORY.read()["train_loss"].iloc[-1], rel=0.05)
    assert record.steps[-1]["step_lr"] == pytest.approx(HISTORY.read()["lr"].iloc[-1], rel=0.01)


def test_the_history_is_replaced_whole_after_each_epoch(here, record, monkeypatch):
    seen = []
    write = outputs.write_history
    monkeypatch.setattr(outputs, "write_history", lambda history: write(history) or seen.append(len(HISTORY.read())))
    run(record)
    assert seen == [1, 2, 3, 4]
    trained = TrainingFigures.read(paths.TRAIN)
    best = HISTORY.read().iloc[trained.best_epoch - 1]
    assert trained.val_accuracy == pytest.approx(best["val_accuracy"], abs=1e-4)


def test_a_line_is_shown_for_each_epoch(here, record, capsys):
    result = run(record).result
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]
    assert lines == [trainer.line_of(figures, 4) for figures in result.history]


def test_kept_epochs_are_those_of_this_training(here, record):
    make.edit(here.params, {"train.keep_epochs": True, "train.epochs": 2})
    run(record)
    names = ["epoch-001.safetensors", "epoch-002.safetensors", "index.csv"]
    assert sorted(file.name for file in paths.EPOCHS.iterdir()) == names
    first, second = ((paths.EPOCHS / name).read_bytes() for name in names[:2])
    assert first != second
    best = TrainingFigures.read(paths.TRAIN).best_epoch
    assert paths.WEIGHTS.read_bytes() == (first, second)[best - 1]


def test_a_monitored_score_is_in_history_figures_and_record(here, record):
    make.edit(here.params, {"train.monitor": "val_balanced_accuracy"})
    result = run(record).result
    history, found = HISTORY.read(), TrainingFigures.read(paths.TRAIN)
    best = history.iloc[found.best_epoch - 1]
    assert list(history) == [*HISTORY.columns, "val_balanced_accuracy"]
    assert found.model_dump()["val_balanced_accuracy"] == pytest.approx(best["val_balanced_accuracy"], abs=1e-4)
    assert best["val_balanced_accuracy"] == history["val_balanced_accuracy"].max()
    assert all("val_balanced_accuracy" in figures for figures in result.history)


def test_a_score_that_val_leaves_undefined_is_told_before_any_training(here, record, monkeypatch):
    make.edit(here.params, {"train.monitor": "val_auc"})
    monkeypatch.setattr(trainer, "labels_of", lambda index, rows: np.zeros(len(rows), np.int64))
    said = make.refusal(lambda: run(record))
    assert said.startswith("train.monitor is val_auc, which is undefined where all images are of one class")
    assert make.is_one_line(said)
    assert record.opened == []


def test_images_of_another_shape_are_told_before_any_training(here, record):
    make.edit(here.datasets, {"mine.image_size": 9})
    with pytest.raises(UserError, match=r"the images in data/images/images\.npy are \(8, 8, 1\).*asks for \(9, 9, 1\)"):
        run(record)
    assert record.opened == []


# A training that is cut off.


def test_what_an_interrupted_training_reached_is_told_and_kept_and_it_goes_on_from_there(
    here, record, monkeypatch, capsys
):
    run(record)
    whole = {file: file.read_bytes() for file in (paths.WEIGHTS, paths.MODEL, paths.TRAIN, paths.HISTORY)}
    for file in whole:
        file.unlink()
    monkeypatch.setattr(trainer, "SAVE_SECONDS", 0)
    cut_off(monkeypatch, Record(), after=2)
    assert "metrics/history.csv has what was done: 2 epochs\n" in capsys.readouterr().err
    assert len(HISTORY.read()) == 2
    assert not paths.WEIGHTS.exists()
    paths.HISTORY.unlink()  # as DVC does before it runs the stage again
    again = Record()
    run(again)
    assert "an earlier run of this training was cut off: going on after epoch 2\n" in capsys.readouterr().out
    assert {file: file.read_bytes() for file in whole} == whole
    assert again.opened[0][2] == Record.run_id
    assert again.epochs == [3, 4]


def test_a_resumed_training_keeps_its_parts_whatever_memory_is_free(here, record, monkeypatch, capsys):
    here.set(train__accumulate="auto", train__portable=False)
    monkeypatch.setattr(trainer, "SAVE_SECONDS", 0)
    monkeypatch.setattr(memory_plan, "free_memory", lambda device: 10**5)
    cut_off(monkeypatch, Record(), after=2)
    monkeypatch.setattr(memory_plan, "free_memory", lambda device: 10**11)
    capsys.readouterr()
    run(record)
    assert "a batch of 16 is worked off in 8 parts" in capsys.readouterr().out
    assert ModelFacts.read(paths.MODEL).train.accumulate == 8
    assert record.epochs == [3, 4]
    run(record)
    assert ModelFacts.read(paths.MODEL).train.accumulate == 1  # a new training


@pytest.mark.parametrize(("after", "says"), [(0, ""), (1, "metrics/history.csv has what was done: 1 epoch\n")])
def test_an_interruption_tells_of_epochs_where_there_are_any(here, record, monkeypatch, capsys, after, says):
    cut_off(monkeypatch, record, after)
    told = [line for line in capsys.readouterr().err.splitlines(keepends=True) if "history" in line]
    assert "".join(told).endswith(says)
    assert bool(told) == bool(says)
    assert record.ended == []


def test_a_divergence_leaves_the_epochs_up_to_it(here, record):
    make.edit(
        here.params, {"train.lr": 1000.0, "train.optimizer": "sgd", "train.epochs": 60, "model.batch_norm": False}
    )
    with pytest.raises(
        UserError, match=r"metrics/history\.csv has the epochs up to there, no model was written"
    ) as told:
        run(record)
    history = HISTORY.read()
    assert f"no longer a number after epoch {len(history)}." in str(told.value)
    assert "metrics/history.csv has the epochs up to there" in str(told.value)
    assert np.isnan(history["train_loss"].to_numpy()[-1])
    assert not paths.WEIGHTS.exists()
    assert not list(here.folder.glob(".checkpoints/*/state"))
    assert record.ended == []


# After an epoch.


@pytest.fixture
def after_epoch(project, record, monkeypatch):
    """The call after each of four epochs, and `saved`: the epochs after which the state was kept."""
    saved = []
    settings = SimpleNamespace(epochs=4, keep_epochs=False)
    recipe = SimpleNamespace(settings=settings, network=models.classifier().network)
    checkpoint = SimpleNamespace(folder=project.folder / "checkpoint", save=saved.append)
    shown = SimpleNamespace(write=lambda line: None)
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(trainer, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    after = trainer.AfterEpoch([], recipe, checkpoint, record, StepTrace(None, done=0), shown, saved=0.0)

    def call(epoch, at):
        now.seconds = at
        after(FIGURES | {"epoch": epoch}, lambda: {"epoch": epoch})

    return SimpleNamespace(call=call, saved=saved, settings=settings, folder=checkpoint.folder)


def test_the_state_is_saved_now_and_then_and_at_the_end_with_the_name_of_the_run(after_epoch):
    every = trainer.SAVE_SECONDS
    for epoch, at in enumerate((every - 0.1, every, every + 0.1, every + 0.2), start=1):
        after_epoch.call(epoch, at)
    assert after_epoch.saved == [{"epoch": 2, "run_id": "run 7"}, {"epoch": 4, "run_id": "run 7"}]


@pytest.mark.parametrize(("keep", "names"), [(False, []), (True, ["epoch-001.safetensors", "epoch-002.safetensors"])])
def test_the_weights_of_an_epoch_wait_in_the_checkpoint_by_its_number(after_epoch, keep, names):
    after_epoch.settings.keep_epochs = keep
    for epoch in (1, 2):
        after_epoch.call(epoch, 0)
    assert sorted(path.name for path in after_epoch.folder.rglob("*") if path.is_file()) == names


def test_a_quick_look_trains_on_a_share_of_the_training_images_alone(here, record, monkeypatch):
    table = pd.read_parquet(paths.INDEX)
    write_parquet(paths.INDEX, make.tied(table, [str(row // 2) for row in table["row"]]))
    here.set(train__fraction=0.5)
    seen, data = {}, Recipe.data

    def noted(recipe, images, rows, labels):
        seen.update(rows)
        return data(recipe, images, rows, labels)

    monkeypatch.setattr(Recipe, "data", noted)
    trained = run(record)
    whole = load_split("train")
    assert set(seen["train"]) < set(whole)
    assert len(seen["train"]) == trained.images == pytest.approx(len(whole) / 2, abs=3)
    assert seen["val"].tolist() == load_split("val").tolist()
    assert ModelFacts.read(paths.MODEL).train.fraction == 0.5


# In words.


@pytest.mark.parametrize(("epochs", "begins"), [(9, "epoch 3/9  "), (10, "epoch  3/10  "), (100, "epoch   3/100  ")])
def test_the_line_of_an_epoch(epochs, begins):
    assert trainer.line_of(FIGURES, epochs) == (
        f"{begins}train loss 1.2346, accuracy 50.00%  val loss 0.9877, accuracy 61.24%  1.3 s"
    )


def test_a_monitored_score_stands_beside_the_accuracy():
    figures = FIGURES | {"val_macro_f1": 0.43215}
    assert trainer.line_of(figures, 9).endswith("val loss 0.9877, accuracy 61.24%, macro F1 0.4321  1.3 s")
    facts = ModelFacts.model_validate(models.facts())
    assert (
        "epochs: 1, 61.24%, macro F1 0.4321 on val)"
        in trainer.Trained(facts, Result([figures], best_epoch=1), 9).in_words()
    )


def test_what_was_written_in_one_line():
    history = [FIGURES | {"val_accuracy": accuracy} for accuracy in (0.25, 0.75, 0.5)]
    facts = ModelFacts.model_validate(models.facts(parameters=12_345))
    written = (
        "wrote models/model.safetensors (12,345 parameters, best of 3 epochs: 2, 75.00% on val) and models/model.json"
    )
    assert trainer.Trained(facts, Result(history, best_epoch=2), 1234).in_words() == written
    quick = facts.model_copy(update={"train": facts.train.model_copy(update={"fraction": 0.1})})
    assert trainer.Trained(quick, Result(history, best_epoch=2), 1234).in_words() == (
        f"{written}\na quick look: trained on 1,234 images alone, for train.fraction is 0.1"
    )
