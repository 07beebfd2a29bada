"""The files of a result: predictions, errors, suspects, the averaged submission."""

import numpy as np
import pandas as pd
import pytest

from darkroom.base.files import read_json
from darkroom.classifier.wanted_table import WantedTable
from darkroom.config.params import load
from darkroom.config.stage_tables import SUSPECTS
from darkroom.dataset import folds as division
from darkroom.dataset.packed import load_index
from darkroom.tools import folds_result
from darkroom.tools.fold_training import Trained
from darkroom.tools.folds_result import FOLDER, Whole
from tests import make
from tests.tools import small_folds
from tests.tools.small_folds import CLASSES, here, put

__all__ = ["here"]


@pytest.fixture
def written(here):
    """Writes a result of three folds, each with its first image wrong; returns it."""

    def write(wrong=(0,)):
        params, entry = load()
        index = load_index()
        folds = division.assign(index, CLASSES, 3, params.split)
        wanted = WantedTable.of(entry, CLASSES, index)
        splits = [folds.split(number, params.split, CLASSES) for number in folds.numbers]
        trained = [Trained(here.folder / f"fold-{number}") for number in folds.numbers]
        for number, (split, each) in enumerate(zip(splits, trained, strict=True), start=1):
            small_folds.write(split, number, wanted.rows, each, wrong)
        whole = Whole("one", "mine", CLASSES, index, folds, trained, wanted, {"train.lr": 0.1})
        return folds_result.write(whole, splits)

    return write


def table(name):
    return pd.read_csv(FOLDER / "one" / name)


def test_every_labelled_image_has_one_prediction_by_row(written):
    written()
    found = pd.read_parquet(FOLDER / "one/predictions.parquet")
    assert found["row"].tolist() == [*range(36)]
    assert set(found["split"]) == {"fold 1", "fold 2", "fold 3"}
    assert found.groupby("unit")["split"].nunique().max() == 1
    assert found["unit"].nunique() == 18


def test_the_figures_are_over_all_images_and_by_fold(written):
    result = written()
    assert result.figures["accuracy"].value == pytest.approx(33 / 36, abs=1e-6)
    assert [fold.figures["accuracy"] for fold in result.by_fold] == [pytest.approx(11 / 12, abs=1e-6)] * 3
    assert [(fold.train_images, fold.val_images, fold.images) for fold in result.by_fold] == [(16, 8, 12)] * 3
    assert (result.mistakes, result.images, result.units, result.test_images) == (3, 36, 18, 0)
    assert read_json(FOLDER / "one/folds.json") == result.model_dump()


def test_each_mistake_stands_with_its_fold(written):
    written()
    errors = table("errors.csv")
    assert errors.columns.tolist() == ["path", "row", "fold", "true", "predicted", "confidence", "loss"]
    assert sorted(errors["fold"]) == ["fold 1", "fold 2", "fold 3"]
    assert (errors["true"] != errors["predicted"]).all()


def test_suspects_are_lines_of_corrections_for_images_of_every_fold(written):
    written()
    suspects = table("suspects.csv")
    assert tuple(suspects.columns) == SUSPECTS.columns
    assert (len(suspects), set(suspects["split"])) == (3, {"fold 1", "fold 2", "fold 3"})
    assert set(suspects["dataset"]) == {"mine"}
    assert (suspects["action"] == "relabel").all()


def test_copies_under_two_labels_are_suspect(written):
    hashes = [str(row) for row in range(40)]
    hashes[3] = hashes[1] = hashes[0]
    put(sha256=pd.array(hashes, dtype="string"))
    written(wrong=())
    suspects = table("suspects.csv").set_index("row")
    assert "same pixels with another label" in suspects.loc[1, "why"]
    assert suspects.loc[1, "suggested"] == "ant"


def test_the_submission_is_the_mean_of_the_models_in_the_form_that_is_wanted(here, written):
    (here.folder / "data/images/sample_submission.csv").write_text(
        "id,ant,bee,cow\n39,0,0,0\n38,0,0,0\n37,0,0,0\n36,0,0,0\n"
    )
    make.edit(here.datasets, {"mine.submission": "sample.csv"})
    assert written().submission
    found = table("submission.csv")
    assert found["id"].tolist() == [39, 38, 37, 36]
    assert np.allclose(found[CLASSES], 1 / 3, atol=1e-6)


def test_the_mean_is_taken_part_by_part(here, written, monkeypatch):
    written()
    whole = (FOLDER / "one/submission.csv").read_bytes()
    monkeypatch.setattr(folds_result, "PART", 1)
    written()
    assert (FOLDER / "one/submission.csv").read_bytes() == whole


def test_without_unlabelled_images_there_is_no_submission(here, written):
    put(subset=pd.array(["train"] * 40, dtype="string"))
    assert not written().submission
    assert not (FOLDER / "one/submission.csv").exists()


def test_a_division_is_known_by_images_labels_folds_and_groups(here):
    def key(count=3, **changes):
        settings = load()[0].split
        index = load_index()
        found = division.assign(index.assign(**changes), CLASSES, count, settings)
        return folds_result.division(found, index.assign(**changes))

    labels = pd.array([2, 1, 0, *[0, 1, 2] * 11, *[None] * 4], dtype="Int32")
    keys = [key(), key(count=2), key(label=labels), key(sha256=[f"x{row}" for row in range(40)])]
    assert len(set(keys)) == 4
    assert key() == keys[0]
