"""The stage that draws the training: pictures and words, from the files of `train` alone."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from darkroom.base import paths
from darkroom.config.model_facts import ModelFacts
from darkroom.config.stage_files import Curves, TrainingFigures
from darkroom.config.stage_tables import HISTORY
from stages import curves
from tests import models
from tests.conftest import ROOT


@pytest.fixture
def trained(project):
    """What `train` leaves; gives a function that changes the augmentation."""
    paths.AUGMENTED.parent.mkdir()
    np.save(paths.AUGMENTED, np.stack([models.blobs(8)[0]] * 2))
    losses = {"train_loss": [1.0, 0.5, 0.4], "val_loss": [1.0, 0.6, 0.9]}
    accuracies = {"train_accuracy": [0.5, 0.9, 0.95], "val_accuracy": [0.5, 0.8, 0.8]}
    HISTORY.write(pd.DataFrame({"epoch": [1, 2, 3], "lr": [0.1] * 3} | losses | accuracies)[list(HISTORY.columns)])
    TrainingFigures(
        epochs=3, best_epoch=2, stopped_early=False, parameters=7, train_loss=0.5, train_accuracy=0.9, val_loss=0.6,
        val_accuracy=0.8, temperature=1.0,
    ).write(paths.TRAIN)  # fmt: skip

    def augment(changes):
        ModelFacts.model_validate(models.facts(classes=["ant", "bee", "cow"], augment=changes)).write(paths.MODEL)

    return augment


def test_it_says_what_the_curves_show_and_draws_them(trained, capsys):
    trained([{"flip": {"probability": 1.0}}])
    curves.main()
    assert Curves.read(paths.CURVES).fit.startswith("over-fitting from epoch 2")
    assert "over-fitting from epoch 2" in capsys.readouterr().out
    assert sorted(file.name for file in paths.TRAIN_PICTURES.iterdir()) == ["augmented.png", "curves.png"]


def test_it_does_without_torch(trained, project):
    trained([{"flip": {"probability": 1.0}}])
    code = "import sys; from stages import curves; curves.main(); print('torch' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT)}
    )
    assert answer.stdout.splitlines()[-1] == "False"
