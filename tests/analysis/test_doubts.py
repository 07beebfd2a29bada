import numpy as np
import pandas as pd
import pytest

from darkroom.analysis import doubts, suspects
from darkroom.config.model_facts import ModelFacts
from tests import make, models

CLASSES = ["ant", "bee", "cow"]


def data(right=True):
    """Thirty images, of which the first of test is nearly the first of train, and two of train are copies at odds."""
    images, labels = models.blobs(30)
    images[20] = np.clip(images[0].astype(int) + 1, 0, 255)
    images[4], labels[20] = images[3], labels[0]
    splits = pd.Series(["train"] * 15 + ["val"] * 5 + ["test"] * 10, index=range(30))
    asked = np.arange(15, 30)
    predicted = labels[asked] if right else (labels[asked] + 1) % 3
    sure = np.full((15, 3), 0.05)
    sure[np.arange(15), predicted] = 0.9
    predictions = pd.DataFrame({
        "row": asked, "split": splits[asked].to_numpy(), "label": labels[asked], "predicted": predicted,
        "confidence": 0.9, "loss": -np.log(sure[np.arange(15), labels[asked]]), "probabilities": list(sure),
    })  # fmt: skip
    conflicts = pd.DataFrame({"group": [0, 0], "row": [3, 4]})
    index = make.index_of(labels.tolist())
    return doubts.Data(images, index, labels, CLASSES, splits, predictions, conflicts)


def found_in(given):
    return doubts.find(given, ModelFacts.model_validate(models.facts(classes=CLASSES)), models.classifier(), folds=0)


@pytest.fixture(scope="module")
def flawless():
    return found_in(data())


@pytest.fixture(scope="module")
def mistaken():
    return found_in(data(right=False))


def test_rows_of_a_split_and_predictions_of_test():
    given = data()
    assert given.rows("val").tolist() == [15, 16, 17, 18, 19]
    assert given.tested()["row"].tolist() == list(range(20, 30))


def test_near_copies_across_splits_and_copies_at_odds_are_found(flawless):
    assert flawless.near_duplicates["row"].tolist()[0] == 20
    assert flawless.near_duplicates["train_row"].tolist()[0] == 0
    assert set(flawless.suggestions[suspects.COPY]) == {4}  # and not 3 as well, for the two would swap their labels
    assert set(flawless.suspects["row"]) & {3, 4} == {4}
    assert flawless.compared == (15, 15)


def test_a_mistake_comes_with_its_nearest_training_images(mistaken):
    assert sorted(mistaken.mistakes["row"]) == list(range(20, 30))
    assert mistaken.pairs["mistakes"].sum() == 10
    first = dict(zip(mistaken.mistakes["row"], mistaken.nearest.rows.tolist(), strict=True))
    assert first[20][0] == 0  # of which it is nearly a copy
    assert max(max(rows) for rows in first.values()) < 15


def test_the_figures_are_those_of_the_tables(flawless, mistaken):
    none, all_wrong = flawless.figures(10, 5, "layer"), mistaken.figures(10, 1, "layer")
    assert (none.mistakes, none.error_rate, none.most_confused) == (0, 0, [])
    assert (all_wrong.mistakes, all_wrong.error_rate, len(all_wrong.most_confused)) == (10, 1, 1)
    assert none.suspects.by_split["train"] >= 1
    assert sum(none.suspects.by_split.values()) == none.suspects.images
    assert none.near_duplicates.pairs == len(flawless.near_duplicates)
    assert flawless.figures(0, 5, "layer").error_rate == 0
