"""The training of one fold: it is that of the stage `train`, and sees nothing of what it will predict."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from darkroom.analysis import evaluation
from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import load
from darkroom.config.stage_files import TrainingFigures
from darkroom.config.stage_tables import HISTORY, PREDICTIONS, SPLIT
from darkroom.dataset import channel_statistics
from darkroom.dataset.packed import load_images, load_index
from darkroom.network import devices
from darkroom.tools import fold_training
from darkroom.tools.fold_training import Trained
from darkroom.training import loop, trainer
from stages import stats, train
from tests import make
from tests.tools.small_folds import here, split_of

__all__ = ["here"]
NONE = np.zeros(0, np.int64)


def run(folder, unlabelled=NONE):
    found = Trained(folder / "fold-2")
    fold_training.train(split_of(2), 2, unlabelled, found)
    return found


def rows_of(split, *names):
    return split.loc[split["split"].isin(names), "row"].to_numpy()


def test_it_is_the_training_of_the_stages_with_the_same_split(here, tmp_path):
    found = run(tmp_path / "work")
    assert not [path for path in (paths.SPLIT, paths.STATS, paths.MODEL, paths.WEIGHTS) if path.exists()]
    SPLIT.write(split_of(2))
    stats.main()
    train.main()
    assert found.facts() == ModelFacts.read(paths.MODEL)
    assert found.figures() == TrainingFigures.read(paths.TRAIN)
    pd.testing.assert_frame_equal(found.history(), HISTORY.read())
    model = TrainedNetwork.load(paths.MODEL.parent)
    stage = evaluation.measure(model, load_images(), load_index(), "test", found.facts(), load()[0].evaluate)
    assert np.array_equal(np.stack(found.predictions()["probabilities"]), stage.probabilities)


def test_no_model_sees_anything_of_the_fold_that_it_predicts(here, tmp_path, monkeypatch):
    before, split, seen = run(tmp_path / "before"), split_of(2), []
    # Whatever stands in the held-out images: the training stays the same, to the last bit.
    held, images, fit = rows_of(split, "test"), np.load(paths.IMAGES), loop.fit
    images[held] = 255 - images[held]
    np.save(paths.IMAGES, images)

    def watched(recipe, training, val, **calls):
        seen.extend([*training._rows, *val._rows])
        return fit(recipe, training, val, **calls)

    monkeypatch.setattr(loop, "fit", watched)
    after = run(tmp_path / "after")
    assert sorted(seen) == rows_of(split, "train", "val").tolist()
    assert after.facts() == before.facts()
    pd.testing.assert_frame_equal(after.history(), before.history())
    assert not after.predictions()["loss"].equals(before.predictions()["loss"])


def test_it_predicts_the_held_out_fold_and_the_images_without_label(here, tmp_path):
    make.edit(here.params, {"train.batch_size": "auto"})
    found, split = run(tmp_path / "work", np.arange(36, 40)), split_of(2)
    predictions, training = found.predictions(), rows_of(split, "train")
    assert predictions["row"].tolist() == rows_of(split, "test").tolist()
    assert set(predictions["split"]) == {"fold 2"}
    assert predictions.columns.tolist() == list(PREDICTIONS.columns)
    assert found.unlabelled().shape == (4, 3)
    assert np.allclose(found.unlabelled().sum(axis=1), 1, atol=1e-5)
    # Statistics and settings that are auto are those of the fold's own training images.
    assert found.facts().mean == channel_statistics.measure(load_images(), training).mean
    assert found.facts().train.batch_size == load(images=len(training))[0].train.batch_size == 8
    assert not (tmp_path / "work/training-2").exists()


def test_a_fold_that_fails_leaves_the_process_where_it_was(here, tmp_path, monkeypatch):
    def fail(*arguments):
        assert os.environ["DVC_ROOT"] == str(here.folder)
        raise UserError("training diverged")

    released = []
    monkeypatch.setattr(trainer, "train", fail)
    monkeypatch.setattr(devices, "release_gpus", lambda: released.append(1))
    with pytest.raises(UserError, match="fold 2: training diverged"):
        run(tmp_path / "work")
    assert Path.cwd() == here.folder
    assert "DVC_ROOT" not in os.environ
    assert released
    assert not Trained(tmp_path / "work/fold-2").done


def test_a_fold_that_is_cut_off_while_it_predicts_is_not_trained_again(here, tmp_path, monkeypatch):
    with monkeypatch.context() as cutting:
        cutting.setattr(fold_training, "_predict", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "work", np.arange(36, 40))
    monkeypatch.setattr(trainer, "train", lambda *_: pytest.fail("trained again"))
    found = run(tmp_path / "work", np.arange(36, 40))
    assert len(found.history()) == 1
    assert found.unlabelled().shape == (4, 3)


def test_several_devices_are_refused(here, tmp_path):
    make.edit(here.params, {"train.devices": 2, "train.device": "cpu"})
    assert "folds are trained by one process" in make.refusal(lambda: run(tmp_path / "work"))
