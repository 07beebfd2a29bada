import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from darkroom.base import paths
from stages import errors, evaluate, train
from tests import make
from tests.conftest import Project


@pytest.fixture
def repository(evaluated, copy_of):
    folder = copy_of(evaluated)

    def run(**changes):
        Project(folder).set(**changes)
        errors.main()
        return json.loads(paths.ERRORS.read_text())

    return run


def outputs():
    found = [paths.ERRORS, paths.ERRORS_TABLE, paths.SUSPECTS, paths.NEAR_DUPLICATES, *paths.ERRORS_PICTURES.iterdir()]
    return {path.name: path.read_bytes() for path in found}


def test_near_copies_and_contradictions_are_told_and_the_bytes_stay(repository, capsys):
    found = repository()
    pairs = pd.read_csv(paths.NEAR_DUPLICATES)
    assert found["near_duplicates"]["pairs"] == len(pairs) > 0
    assert set(pairs["split"]) <= {"val", "test"}
    for one, other in zip(pairs["path"], pairs["train_path"], strict=True):
        names = {path.rpartition("/")[2].replace("-near", "") for path in (one, other)}
        assert len(names - {"dark.png"}) <= 1 or "dark.png" in names
    suspects = pd.read_csv(paths.SUSPECTS)
    contradicted = suspects[suspects["why"].str.contains("same pixels")]
    assert contradicted["path"].tolist() == ["train/light/dark.png"]  # of two equal pictures, one
    assert (suspects["dataset"] == "mine").all()
    table = pd.read_csv(paths.ERRORS_TABLE)
    assert len(table) == found["mistakes"]
    assert {"worst.png", "pairs.png", "neighbours.png", "gradcam.png", "suspects.png"} == {
        path.name for path in paths.ERRORS_PICTURES.iterdir()
    }
    assert f"({len(suspects)} suspected labels)" in capsys.readouterr().out
    first = outputs()
    errors.main()
    assert outputs() == first


def test_mistakes_come_with_their_neighbours(repository):
    predictions = pd.read_parquet(paths.PREDICTIONS)
    tested = predictions.index[predictions["split"] == "test"][:3]
    predictions.loc[tested, "predicted"] = 1 - predictions.loc[tested, "label"]
    predictions.to_parquet(paths.PREDICTIONS, index=False)
    found = repository()
    table = pd.read_csv(paths.ERRORS_TABLE)
    assert found["mistakes"] == len(table) >= 3
    training = set(pd.read_parquet(paths.SPLIT).query("split == 'train'")["row"])
    for line in table.itertuples():
        rows = [int(row) for row in line.neighbour_rows.split()]
        assert len(rows) == 5
        assert set(rows) <= training
        assert line.neighbours_agree == line.neighbours.split(" | ").count(line.predicted)
        assert np.all(np.diff([float(value) for value in line.neighbour_distances.split()]) >= 0)


def test_folds_look_at_the_training_images_too(repository):
    index, split = pd.read_parquet(paths.INDEX), pd.read_parquet(paths.SPLIT)
    wrong = split.loc[split["split"] == "train", "row"].iloc[5]
    index.loc[wrong, "label"] = 1 - index.loc[wrong, "label"]
    index.to_parquet(paths.INDEX, index=False)
    repository(errors__train_folds=2)
    assert "train" in set(pd.read_csv(paths.SUSPECTS).dropna(subset="quality")["split"])


def test_a_network_without_maps_has_no_grad_cam_and_says_so(repository, capsys):
    Project(Path()).set(model__name="mlp", model__hidden=[8])
    for stage in (train, evaluate):
        stage.main()
    capsys.readouterr()
    found = repository()
    assert found["grad_cam"] == "left out: mlp has no spatial feature map"
    assert "no Grad-CAM: mlp has no spatial feature map" in capsys.readouterr().out
    assert not (paths.ERRORS_PICTURES / "gradcam.png").exists()
    assert (paths.ERRORS_PICTURES / "neighbours.png").exists()


def test_one_fold_is_refused(repository):
    sentence = make.refusal(lambda: repository(errors__train_folds=1))
    assert "errors.train_folds" in sentence
    assert "at least 2" in sentence
