import dataclasses

import numpy as np
import pytest
import torch

from darkroom.augment import pipeline
from darkroom.classifier import voting
from darkroom.classifier.inference import Classifier
from darkroom.config.augmentations import Augmentation
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import load
from darkroom.network import architectures
from darkroom.network.normalisation import to_bytes_scale
from tests import make, models
from tests.network.test_architectures import settings


@pytest.fixture(scope="module")
def classifier():
    torch.manual_seed(0)
    network = architectures.build(settings(layers="4P-8"), (8, 8, 1), 3).eval()
    return Classifier(network, ["a", "b", "c"], (8, 8, 1), to_bytes_scale([0.5]), to_bytes_scale([0.2]))


IMAGES = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 1), dtype=np.uint8)
ROWS = np.arange(10, 17)


def vote(classifier, *changes, copies, images=IMAGES, rows=ROWS, seed=1, batch_size=4):
    zero = torch.zeros(1)
    change = pipeline.build([Augmentation.model_validate(item) for item in changes], zero, zero)
    votes = voting.mean_probabilities(classifier, images, rows, voting.Vote(change, copies, seed, batch_size))
    return voting.tempered(votes, classifier.temperature)


def test_without_copies_it_is_the_classifiers_own_answer(classifier):
    for temperature in (1.0, 0.4, 3.0):
        calibrated = dataclasses.replace(classifier, temperature=temperature)
        found = vote(calibrated, {"turn": {}}, copies=0)
        assert found == pytest.approx(calibrated.probabilities(IMAGES, 4), rel=1e-4, abs=1e-7)


def test_the_mean_is_taken_before_the_temperature(classifier):
    calibrated = dataclasses.replace(classifier, temperature=0.5)
    mean = vote(classifier, {"flip": {"probability": 1.0}}, copies=1).astype(float)
    expected = mean**2 / (mean**2).sum(axis=1, keepdims=True)
    assert vote(calibrated, {"flip": {"probability": 1.0}}, copies=1) == pytest.approx(expected, abs=1e-6)


def test_a_temperature_leaves_the_order_of_the_classes_and_what_is_impossible():
    probabilities = np.array([[0.5, 0.3, 0.2, 0.0]], np.float32)
    for temperature in (0.1, 1.0, 10.0):
        found = voting.tempered(probabilities, temperature)
        assert (np.diff(found[0]) <= 0).all()
        assert found[0, 3] == 0
        assert found.sum() == pytest.approx(1)


def test_copies_that_do_not_differ_change_nothing(classifier):
    assert vote(classifier, copies=3) == pytest.approx(vote(classifier, copies=0), abs=1e-6)


def test_the_mean_of_the_picture_and_its_mirror(classifier):
    found = vote(classifier, {"flip": {"probability": 1.0}}, copies=1)
    both = [classifier.probabilities(np.ascontiguousarray(images)) for images in (IMAGES, IMAGES[:, :, ::-1])]
    assert found == pytest.approx(np.mean(both, axis=0), abs=1e-5)
    assert found.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize(
    "change", [{"shift": {"pixels": 2}}, {"salt_and_pepper": {"share": 0.5}}, {"flip": {}}, {"rand_augment": {}}]
)
def test_the_size_of_the_batch_changes_no_vote(classifier, monkeypatch, change):
    monkeypatch.setattr(voting, "BLOCK", 5)
    first = vote(classifier, change, copies=3, batch_size=512)
    for size in (1, 2, 3, 4, 5, 6):
        assert vote(classifier, change, copies=3, batch_size=size) == pytest.approx(first, abs=1e-6)


def test_equal_seeds_vote_alike_and_copies_differ(classifier):
    change = {"salt_and_pepper": {"share": 0.5}}
    first = vote(classifier, change, copies=2)
    assert np.array_equal(first, vote(classifier, change, copies=2))
    assert not np.array_equal(first, vote(classifier, change, copies=2, seed=2))
    same = np.repeat(IMAGES[:1], 4, axis=0)
    assert len(np.unique(vote(classifier, change, copies=1, images=same, rows=ROWS[:4])[:, 0])) == 4


FACTS = ModelFacts.model_validate(models.facts())


def settings_of(project, **tta):
    project.set(**{f"evaluate__tta__{key}": value for key, value in tta.items()})
    return load()[0].evaluate


def test_copies_need_something_to_change_them_by(project):
    said = make.refusal(lambda: voting.vote_of(FACTS, settings_of(project, copies=3), models.classifier()))
    assert said.startswith("evaluate.tta.copies is 3, but there is nothing to change the copies by")


def test_the_list_of_the_settings_goes_before_that_of_the_training(project):
    ours = models.classifier()
    facts = ModelFacts.model_validate(models.facts(augment=[{"flip": {"probability": 1.0}}]))
    for changes in (None, [{"flip": {"probability": 1.0}}]):
        vote = voting.vote_of(facts, settings_of(project, copies=2, changes=changes), ours)
        assert (vote.copies, vote.seed) == (2, facts.train.seed)
    assert voting.vote_of(FACTS, settings_of(project, copies=0), ours).copies == 0


def test_parts_are_whole_blocks_and_change_no_vote(classifier, monkeypatch):
    images, rows = np.repeat(IMAGES, 3, axis=0), np.array([20, 3, 5, 7, 11, 2, 9, 8, 1, 0, 6])
    change = pipeline.build([Augmentation.model_validate({"salt_and_pepper": {"share": 0.5}})], *[torch.zeros(1)] * 2)
    own = voting.Vote(change, 2, 1, 2)
    monkeypatch.setattr(voting, "BLOCK", 4)
    whole = voting.mean_probabilities(classifier, images[rows], rows, own)
    monkeypatch.setattr(voting, "READ_BYTES", 1)
    parts = list(voting.by_parts(classifier, images, rows, own, "val"))
    assert [len(part) for part in parts] == [4, 4, 3]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-6)
