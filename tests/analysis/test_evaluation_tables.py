"""Each table is of the test split, and counts each of its images once."""

import json

import numpy as np
import pandas as pd
import pytest

from darkroom.analysis import evaluation_tables, metrics
from darkroom.analysis.evaluation import Measured
from darkroom.base import paths
from darkroom.config.stage_tables import PER_CLASS
from tests import make

CLASSES = ["10", "NA", "a, b"]  # a table of text keeps them as they are
LABELS = np.array([0, 1, 2, 1, 2, 0])
PROBABILITIES = np.array(
    [[0.8, 0.1, 0.1], [0.1, 0.7, 0.2], [0.5, 0.1, 0.4], [0.2, 0.6, 0.2], [0.6, 0.3, 0.1], [0.4, 0.5, 0.1]], np.float32
)
ROWS = np.array([2, 3, 5, 8, 11, 13])  # of 14


@pytest.fixture
def tables():
    brightness = np.zeros(14, np.uint8)
    brightness[ROWS] = [10, 20, 30, 40, 50, 60]
    images = np.broadcast_to(brightness[:, None, None, None], (14, 8, 8, 1))
    index = make.index_of([0] * 14)
    index["width"] = range(8, 22)
    cold = (PROBABILITIES**2) / (PROBABILITIES**2).sum(axis=1, keepdims=True)
    test = Measured(ROWS, LABELS, cold, PROBABILITIES, metrics.ranking(LABELS, PROBABILITIES))
    return evaluation_tables.make(test, images, index, CLASSES)


def test_each_image_is_counted_once(tables):
    assert tables.matrix.tolist() == [[1, 1, 0], [0, 2, 0], [2, 0, 0]]
    assert tables.per_class["images"].tolist() == [2, 2, 2]
    assert tables.report["macro avg"]["support"] == len(tables.pairs) == 6
    assert tables.calibration["images"].sum() == tables.calibration["images_uncalibrated"].sum() == 6
    assert tables.coverage["coverage"].max() == 1
    assert tables.slices.groupby("property")["images"].sum().to_dict() == {"brightness": 6, "contrast": 6, "size": 6}


def test_pairs_have_the_names_and_the_order_of_the_classes(tables):
    assert list(tables.pairs) == ["actual", "predicted"]
    assert tables.pairs.to_numpy().tolist() == [
        ["10", "10"], ["10", "NA"], ["NA", "NA"], ["NA", "NA"], ["a, b", "10"], ["a, b", "10"],
    ]  # fmt: skip


def test_slices_are_of_the_rows_of_the_split(tables):
    bright = tables.slices.query("property == 'brightness'")
    assert bright["low"].min() == pytest.approx(10 / 255, abs=1e-4)
    assert bright["high"].max() == pytest.approx(60 / 255, abs=1e-4)
    assert (bright["images"] * bright["accuracy"]).sum() == pytest.approx(3, abs=1e-3)
    assert tables.slices.query("property == 'size'")["low"].min() == pytest.approx(np.sqrt((8 + 2) * 8), abs=0.01)


def test_a_class_that_is_never_predicted_has_figures_all_the_same(tables):
    line = tables.per_class.set_index("class").loc["a, b"]
    assert (line["precision"], line["recall"], line["images"]) == (0, 0, 2)


def test_every_table_is_a_file(tables, project):
    tables.write()
    assert json.loads(paths.REPORT_JSON.read_text())["split"] == "test"
    assert paths.REPORT_TEXT.read_text() == f"test split, 6 images\n\n{tables.report_text}"
    assert PER_CLASS.read()["class"].tolist() == CLASSES
    for file, table in (
        (paths.COVERAGE, tables.coverage),
        (paths.CALIBRATION, tables.calibration),
        (paths.SLICES, tables.slices),
    ):
        pd.testing.assert_frame_equal(pd.read_csv(file), table, check_dtype=False)
    pairs = pd.read_csv(paths.CONFUSION, dtype=str, keep_default_na=False)
    assert pairs.to_numpy().tolist() == tables.pairs.to_numpy().tolist()
