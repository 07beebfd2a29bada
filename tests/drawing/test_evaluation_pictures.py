import numpy as np
import pandas as pd
import pytest

from darkroom.analysis.evaluation_tables import Tables
from darkroom.base import paths
from darkroom.drawing import charts, evaluation_pictures, style
from darkroom.report.page import PICTURES

CLASSES = ["ant", "bee"]


@pytest.fixture
def tables():
    """Two ants, one of them taken for a bee, and four bees."""
    bins = pd.DataFrame({"low": [0.5], "high": [1.0], "images": [6], "accuracy": [0.8], "confidence": [0.7]})
    scores = {name: [1.0, 0.8] for name in ("precision", "recall", "f1")}
    quarter = {"property": ["contrast"], "quarter": [1], "low": [0.0], "high": [1.0], "images": [6]}
    return Tables(
        report={},
        report_text="",
        per_class=pd.DataFrame({"class": CLASSES, **scores}),
        coverage=pd.DataFrame({"threshold": [0.9, 0.5], "coverage": [0.5, 1.0], "accuracy": [1.0, 0.8]}),
        calibration=bins.merge(bins, on=["low", "high"], suffixes=("_uncalibrated", "")),
        slices=pd.DataFrame({**quarter, "accuracy": [0.8], "accuracy_low": [0.4], "accuracy_high": [0.9]}),
        pairs=pd.DataFrame(),
        matrix=np.array([[1, 1], [0, 4]]),
    )


@pytest.fixture
def drawn(tables, tmp_path, monkeypatch):
    """The figures by the names of their files."""
    found = {}
    monkeypatch.setattr(style, "save", lambda figure, path: found.update({path: figure}))
    evaluation_pictures.write(tmp_path, tables, CLASSES)
    assert {path.parent for path in found} == {tmp_path}
    return {path.name: figure for path, figure in found.items()}


def words(figure):
    return [text.get_text() for axis in figure.axes for text in axis.texts]


def test_each_picture_is_another_and_of_the_test_split(drawn):
    titles = {
        name: " ".join([axis.get_title() for axis in figure.axes] + [figure.get_suptitle()])
        for name, figure in drawn.items()
    }
    assert [name for name, title in titles.items() if "test" not in title] == []
    assert len(set(titles.values())) == len(titles) == 6


def test_images_are_counted_in_one_matrix_and_shares_stand_in_the_other(drawn, tables):
    for name, normalised in (("confusion.png", False), ("confusion_normalised.png", True)):
        wanted = charts.confusion(tables.matrix, CLASSES, normalised=normalised, split="test")
        assert words(drawn[name]) == words(wanted)


def test_the_report_finds_its_pictures_of_the_evaluation(drawn):
    wanted = {f"{name}.png" for name, (folder, _) in PICTURES.items() if folder == paths.EVALUATE_PICTURES}
    assert wanted <= set(drawn)
