import warnings
from typing import get_args

import numpy as np
import pytest
from sklearn import metrics as sk

from darkroom.config.params import Train
from darkroom.config.stage_files import Figures
from darkroom.dataset import scores
from darkroom.dataset.scores import SCORES


def predictions(count, classes, seed=0, absent=(), digits=8, dtype=np.float32):
    """Labels without the absent classes, and probabilities that may fall on any class; few digits make ties."""
    generator = np.random.default_rng(seed)
    labels = generator.choice([label for label in range(classes) if label not in absent], count)
    logits = generator.normal(size=(count, classes))
    logits[np.arange(count), labels] += 1
    exps = np.exp(logits.round(digits))
    return labels, (exps / exps.sum(axis=1, keepdims=True)).astype(dtype)


def by_scikit_learn(name, labels, probabilities):
    predicted, present = probabilities.argmax(axis=1), np.unique(labels)
    classes = range(probabilities.shape[1])
    if name == "auc":
        if len(classes) == 2:
            return sk.roc_auc_score(labels, probabilities[:, 1])
        return np.mean([sk.roc_auc_score(labels == label, probabilities[:, label]) for label in present])
    return {
        "accuracy": lambda: sk.accuracy_score(labels, predicted),
        "loss": lambda: sk.log_loss(labels, probabilities.astype(np.float64), labels=classes),
        "macro_f1": lambda: sk.f1_score(labels, predicted, labels=present, average="macro", zero_division=0),
        "balanced_accuracy": lambda: sk.recall_score(labels, predicted, labels=present, average="macro"),
        "kappa": lambda: sk.cohen_kappa_score(labels, predicted, labels=classes, weights="quadratic"),
    }[name]()


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize(
    ("count", "classes", "options"),
    [
        (50, 2, {}),
        (50, 2, {"digits": 0}),
        (200, 5, {"seed": 1}),
        (200, 5, {"digits": 0, "seed": 2}),
        (200, 6, {"absent": (0, 3)}),
        (300, 40, {"absent": (39,), "dtype": np.float64}),
    ],
)
def test_each_score_is_that_of_scikit_learn(name, count, classes, options):
    labels, probabilities = predictions(count, classes, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, of float32 that sums to 1 but for rounding
        expected = by_scikit_learn(name, labels, probabilities)
    assert SCORES[name].of(labels, probabilities) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("absent", [(), (1,)])
def test_the_mean_area_is_scikit_learns_one_against_the_rest_where_all_classes_are_present(absent):
    labels, probabilities = predictions(80, 4, absent=absent, dtype=np.float64)
    if absent:
        with pytest.raises(ValueError, match="Number of classes"):
            sk.roc_auc_score(labels, probabilities, multi_class="ovr")
        assert np.isfinite(scores.auc(labels, probabilities))
    else:
        assert scores.auc(labels, probabilities) == pytest.approx(
            sk.roc_auc_score(labels, probabilities, multi_class="ovr")
        )


def test_which_scores_are_undefined_for_one_class_is_known():
    labels, probabilities = np.zeros(4, np.int64), np.eye(3)[[0, 0, 0, 0]]
    undefined = {name for name, score in SCORES.items() if np.isnan(score.of(labels, probabilities))}
    assert undefined == {name for name, score in SCORES.items() if score.needs_two_classes} == {"auc", "kappa"}


def test_a_score_is_better_where_predictions_are():
    labels, probabilities = predictions(100, 4)
    worse = np.roll(probabilities, 1, axis=1)
    for score in SCORES.values():
        assert (score.of(labels, worse) > score.of(labels, probabilities)) == score.lower_is_better


def test_far_mistakes_cost_more_kappa_than_near_ones():
    labels = np.array([0, 1, 2, 3])
    near, far = (scores.quadratic_kappa(labels, np.eye(4)[predicted]) for predicted in ([1, 1, 2, 3], [3, 1, 2, 3]))
    assert far < near < 1


def test_certainty_in_the_wrong_class_costs_much_but_not_infinitely_much():
    assert 20 < scores.losses(np.array([0]), np.array([[0.0, 1.0]], dtype=np.float32))[0] < 30


@pytest.mark.parametrize("classes", [2, 3])
def test_an_area_over_probabilities_that_are_no_numbers_is_none(classes):
    labels, probabilities = predictions(20, classes)
    probabilities[3] = np.nan
    assert np.isnan(scores.auc(labels, probabilities))


def test_an_epoch_may_be_judged_by_its_loss_its_accuracy_or_any_monitored_score():
    assert get_args(Train.model_fields["monitor"].annotation) == ("val_accuracy", "val_loss", *scores.MONITORED)
    assert {score.figure for score in SCORES.values()} <= set(Figures.model_fields)
