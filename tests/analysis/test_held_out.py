import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from darkroom.analysis import held_out
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import load
from darkroom.training import loop
from tests import make, models


@given(st.lists(st.integers(0, 3), min_size=12, max_size=80), st.integers(2, 6), st.integers(0, 5))
def test_folds_are_even_by_class_and_seeded(labels, count, seed):
    labels = np.array(labels)
    groups = np.arange(len(labels))
    dealt = held_out.assign_folds(labels, groups, count, seed)
    assert np.array_equal(dealt, held_out.assign_folds(labels, groups, count, seed))
    for part in (labels >= 0, *(labels == label for label in range(4))):
        sizes = np.bincount(dealt[part], minlength=count)
        assert sizes.max() - sizes.min() <= 1


def test_copies_are_held_out_together():
    groups = np.array(["a", "b", "a", "c", "b", "d"])
    dealt = held_out.assign_folds(np.array([0, 1, 1, 0, 1, 0]), groups, 2, 0)
    assert dealt[0] == dealt[2]
    assert dealt[1] == dealt[4]


def test_more_folds_than_images_are_refused():
    sentence = make.refusal(lambda: held_out.assign_folds(np.zeros(4, int), np.array(["a", "a", "b", "c"]), 4, 0))
    assert "errors.train_folds is 4, but there are only 3 different training images" in sentence


@pytest.fixture
def data(project):
    """Two classes told apart by brightness, one label flipped, and what model.json would say of a training on them."""
    params, _ = load()
    images = np.stack([make.pixels(seed=seed) // 4 + (40 if seed % 2 else 150) for seed in range(80)])
    labels = np.arange(80) % 2
    labels[10] = 1
    settings = params.train.model_dump() | {
        "epochs": 4, "batch_size": 16, "lr": 0.1, "precision": "32", "portable": True, "threads": 1,
    }  # fmt: skip
    facts = models.facts(
        classes=["light", "dark"], border=[0.5], model=params.model.model_dump() | {"layers": "4P-8"}, train=settings
    )
    return facts, images, {"train": np.arange(60), "val": np.arange(60, 80)}, labels


def run(data, temperature=1.0, **changes):
    facts, images, rows, labels = data
    facts = ModelFacts.model_validate(facts | {"train": facts["train"] | changes, "temperature": temperature})
    of_split = {name: labels[rows[name]] for name in rows}
    part = held_out.assign_folds(of_split["train"], np.arange(60), 3, facts.train.seed)
    return held_out.probabilities(facts, images, rows, of_split, part, torch.device("cpu"))


def test_they_are_judged_by_the_temperature_of_the_model(data):
    plain, calibrated = run(data).astype(float), run(data, temperature=0.5).astype(float)
    assert np.allclose(calibrated, plain**2 / (plain**2).sum(axis=1, keepdims=True), atol=1e-5)


def test_every_training_image_is_judged_by_a_model_that_did_not_see_it(data):
    found = run(data)
    assert found.shape == (60, 2)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)
    # The flipped label is contradicted: a model that had learned it by heart could agree with it.
    assert np.array_equal(found.argmax(axis=1), np.arange(60) % 2)
    assert np.array_equal(found, run(data))


def test_a_training_that_diverges_is_told_in_one_sentence(data, monkeypatch):
    lost = loop.Result(history=[{"train_loss": float("nan")}])
    monkeypatch.setattr(loop, "fit", lambda *arguments, **options: lost)
    sentence = make.refusal(lambda: run(data))
    assert "training without part 1 of 3 diverged" in sentence
    assert "set errors.train_folds to 0" in sentence
