import numpy as np
import pandas as pd
import pytest

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.classifier.submission import Predictions
from darkroom.classifier.wanted_table import WantedTable
from tests import make

INDEX = make.index_of([0, 1, None, None], subsets=["train", "train", "unlabeled", "unlabeled"])
FOUND = Predictions(np.array([1, 0]), np.array([0.75, 0.5]), np.array([[0.25, 0.75], [0.5, 0.5]], np.float32))


def test_without_a_sample_each_image_has_a_line(project):
    entry = make.entry(unlabeled="new", submission={"id": "Id", "label": "Class", "id_from": "number"})
    wanted = WantedTable.of(entry, ["ant", "bee"], INDEX)
    assert (wanted.rows.tolist(), wanted.classes) == ([2, 3], ())
    wanted.write(paths.SUBMISSION, FOUND)
    assert pd.read_csv(paths.SUBMISSION).to_numpy().tolist() == [[2, "bee"], [3, "ant"]]


def test_a_sample_gives_order_form_and_the_classes_that_it_wants(project):
    paths.SAMPLE.parent.mkdir(parents=True)
    paths.SAMPLE.write_text("id,bee,ant\n3,0,0\n2,0,0\n")
    wanted = WantedTable.of(make.entry(unlabeled="new", submission="sample.csv"), ["ant", "bee"], INDEX)
    assert (wanted.rows.tolist(), wanted.classes) == ([2, 3], (1, 0))
    wanted.write(paths.SUBMISSION, FOUND._replace(probabilities=FOUND.probabilities[:, ::-1]))
    assert paths.SUBMISSION.read_text() == "id,bee,ant\n3,0.5,0.5\n2,0.75,0.25\n"


def test_names_without_an_id_fail_before_any_prediction(project):
    entry = make.entry(unlabeled="new", submission={"id": "Id", "label": "Class", "id_from": "number"})
    with pytest.raises(UserError, match="no number in its name"):
        WantedTable.of(entry, ["ant", "bee"], INDEX.assign(path=["a", "b", "c", "d"]))
