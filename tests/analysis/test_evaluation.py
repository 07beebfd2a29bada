import numpy as np
import pandas as pd
import pytest

from darkroom.analysis import evaluation, metrics
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import load
from darkroom.config.stage_files import BaselineAccuracy, Baselines
from tests import make, models

LABELS = np.array([0, 1, 2, 1])
PROBABILITIES = np.array([[0.8, 0.1, 0.1], [0.1, 0.7, 0.2], [0.5, 0.1, 0.4], [0.2, 0.6, 0.2]], np.float32)
FACTS = ModelFacts.model_validate(models.facts())


@pytest.fixture
def measured():
    ranking = metrics.ranking(LABELS, PROBABILITIES)
    return evaluation.Measured(np.array([3, 5, 7, 9]), LABELS, PROBABILITIES, PROBABILITIES, ranking)


def settings(project, **tta):
    project.set(**{f"evaluate__tta__{key}": value for key, value in tta.items()})
    return load()[0].evaluate


def test_a_line_for_each_image(measured):
    table = measured.predictions("val")
    assert table["row"].tolist() == [3, 5, 7, 9]
    assert table["predicted"].tolist() == [0, 1, 0, 1]
    assert measured.right.tolist() == [True, True, False, True]
    assert table["confidence"].tolist() == pytest.approx([0.8, 0.7, 0.5, 0.6])
    assert table["loss"].tolist() == pytest.approx(-np.log([0.8, 0.7, 0.4, 0.6]), abs=1e-5)
    assert set(table["split"]) == {"val"}
    assert measured.figures().accuracy == 0.75
    assert measured.figures().images == 4


def test_equal_probabilities_are_as_reliable_before_and_after(measured):
    table = measured.calibration()
    for name in ("images", "accuracy", "confidence"):
        pd.testing.assert_series_equal(table[name], table[f"{name}_uncalibrated"], check_names=False)


def test_a_split_is_measured_as_the_classifier_sees_it(project):
    images, labels = models.blobs(30)
    make.packed(images, labels.tolist(), ["val"] * 10 + ["test"] * 20, ["a", "b", "c"])
    ours, index = models.classifier(), make.index_of(labels.tolist())
    found = evaluation.measure(ours, images, index, "test", FACTS, settings(project, copies=0))
    assert found.rows.tolist() == list(range(10, 30))
    assert found.labels.tolist() == labels[10:].tolist()
    np.testing.assert_allclose(found.probabilities, ours.probabilities(images[10:]), rtol=1e-4, atol=1e-6)


def test_the_network_stands_beside_every_baseline_and_is_tested_against_the_best_on_val(measured):
    reached = Baselines(
        train_images=9,
        majority_class=BaselineAccuracy(val_accuracy=0.3, test_accuracy=0.9),
        random_forest=BaselineAccuracy(val_accuracy=0.6, test_accuracy=0.25),
        logistic_regression=BaselineAccuracy(val_accuracy=0.5, test_accuracy=0.5),
    )
    predictions = pd.DataFrame({"majority_class": LABELS, "random_forest": [0, 0, 2, 0], "logistic_regression": 0})
    found = evaluation.compare_with_baselines(measured, reached, predictions)
    assert found.best == "random_forest"
    assert found.test_accuracy == {
        "majority_class": 0.9, "random_forest": 0.25, "logistic_regression": 0.5, "network": 0.75,
    }  # fmt: skip
    assert (found.mcnemar.only_ours_right, found.mcnemar.only_other_right) == (2, 1)
