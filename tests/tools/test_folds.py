"""`darkroom folds`: what is trained, what is kept when it is cut off, and what is told."""

import pandas as pd
import pytest

from darkroom.base import paths
from darkroom.base.files import read_json, remove
from darkroom.config import entry_files
from darkroom.config.params import load
from darkroom.tools import fold_training, folds
from darkroom.tools.folds_result import FOLDER
from darkroom.training import loop, trainer
from tests import make
from tests.tools.small_folds import here, put, untrained

__all__ = ["here", "untrained"]


def result():
    (folder,) = FOLDER.iterdir()
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_an_interrupted_run_goes_on_in_the_middle_of_a_fold_and_ends_with_the_same_bytes(here, monkeypatch, capsys):
    make.edit(here.params, {"train.epochs": 2})
    monkeypatch.setattr(trainer, "SAVE_SECONDS", 0)
    fit, calls = loop.fit, []

    def cut(recipe, *data, on_epoch, **options):
        calls.append(1)

        def then(figures, state):
            on_epoch(figures, state)
            if len(calls) == 2 and figures["epoch"] == 1:
                raise KeyboardInterrupt

        return fit(recipe, *data, on_epoch=then, **options)

    with monkeypatch.context() as cutting:
        cutting.setattr(loop, "fit", cut)
        with pytest.raises(KeyboardInterrupt):
            folds.run(2)
    assert "1 of 2 folds are finished and kept: `darkroom folds 2` goes on" in capsys.readouterr().err
    assert not FOLDER.exists()
    folds.run(2)
    printed = capsys.readouterr().out
    assert "1 fold of 2 finished by an earlier run" in printed
    assert "going on after epoch 1" in printed
    resumed = result()
    remove(here.folder / ".folds")
    folds.run(2)
    assert result() == resumed


def test_what_is_finished_is_not_trained_again_unless_something_decisive_changed(here, untrained, capsys):
    folds.run(3)
    folds.run(3)
    make.edit(here.params, {"errors.worst": 3, "tracking.experiment": "other"})
    folds.run(3)
    assert untrained == [1, 2, 3]
    assert "3 folds of 3 finished by an earlier run" in capsys.readouterr().out
    make.edit(here.params, {"train.lr": 0.01})
    folds.run(3)
    put(path=[f"train/{row}.jpg" for row in range(40)])
    folds.run(3)
    assert untrained == [1, 2, 3] * 3
    assert len([*FOLDER.iterdir()]) == 3


def test_what_was_understood_and_what_came_out_is_told(here, untrained, capsys):
    folds.run(3)
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == "mine: 36 labelled images in 18 groups that stay together, 3 folds"
    assert last.startswith("next: ")


def test_the_table_has_a_line_for_each_fold_and_the_interval(here, untrained, capsys):
    folds.run(3)
    lines = capsys.readouterr().out.splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith("fold  images"))
    assert [line.split()[:2] for line in lines[at + 1 : at + 5]] == [
        ["1", "12"],
        ["2", "12"],
        ["3", "12"],
        ["all", "36"],
    ]
    assert "0.9167" in lines[at + 4]
    assert " to 1.0000" in lines[at + 5]


def test_the_makers_test_is_told_to_stay_out(here, untrained, capsys):
    put(subset=pd.array(["test"] * 3 + ["train"] * 33 + ["unlabeled"] * 4, dtype="string"))
    folds.run(2)
    assert (
        "the makers' own test (3 images), and 3 images tied to it; it stays the final test" in capsys.readouterr().out
    )


def test_groups_that_cannot_be_spread_evenly_are_told(here, untrained, capsys):
    put(group=pd.array(["big" if row % 3 == 0 and row < 21 else None for row in range(40)], dtype="string"))
    folds.run(3)
    assert "as even as groups allow: ant has 2 to 7 images a fold" in capsys.readouterr().out


def test_without_images_it_says_what_makes_them(here):
    paths.INDEX.unlink()
    assert "`dvc repro split pretrained` first" in make.refusal(lambda: folds.run(2))


def test_images_of_another_data_set_are_refused(here):
    entry_files.write(*load())
    here.add("mine", path="x", image_size=8, unlabeled="new", resize="crop")
    assert "not those of the data set that params.yaml names" in make.refusal(lambda: folds.run(2))


def test_the_same_folds_are_trained_by_one_process_at_a_time(here, untrained, monkeypatch):
    def again(*arguments):
        folds.run(3)

    monkeypatch.setattr(fold_training, "train", again)
    assert "the same folds are being trained by another process" in make.refusal(lambda: folds.run(3))


def test_finished_folds_of_other_parameters_are_kept_for_a_while(here, untrained, monkeypatch):
    monkeypatch.setattr(folds, "KEPT", 1)
    for lr in (0.1, 0.2, 0.3):
        make.edit(here.params, {"train.lr": lr})
        folds.run(3)
    assert len([*(here.folder / ".folds").iterdir()]) == 2


def test_mlflow_gets_the_figures_and_a_run_for_each_fold(here, untrained, monkeypatch):
    given = []
    monkeypatch.setattr(folds.tracking, "record", lambda *arguments: given.append(arguments))
    folds.run(3)
    ((_, name, figures, runs, files),) = given
    assert name == next(FOLDER.iterdir()).name
    assert figures["accuracy"] == pytest.approx(33 / 36, abs=1e-6)
    assert figures["accuracy_low"] < figures["accuracy"]
    assert [run.figures["images"] for run in runs] == [12, 12, 12]
    assert runs[0].settings["epochs"] > 0
    assert runs[0].epochs[0]["epoch"] == 1
    assert "predictions.parquet" in {file.name for file in files}


def test_parameters_are_kept_as_they_are_written(here, untrained):
    folds.run(3)
    kept = read_json(next(FOLDER.iterdir()) / "folds.json")["parameters"]
    assert (kept["train.optimizer"], kept["datasets.yaml:mine.image_size"]) == ("auto", 8)
