import numpy as np
import pytest
import torch

from darkroom.augment import pipeline
from darkroom.classifier import voting
from darkroom.classifier.unlabelled import classify
from darkroom.config.augmentations import Augmentation
from tests import models

ROWS = np.array([3, 5, 11, 19])


def vote(*changes, copies=0, batch_size=512):
    zero = torch.zeros(1)
    return voting.Vote(pipeline.build([Augmentation.model_validate(one) for one in changes], zero, zero), copies, 1,
                       batch_size)  # fmt: skip


def test_the_most_probable_class_of_each_row_and_its_probability():
    ours, (images, _) = models.classifier(), models.blobs(20)
    found = classify(ours, images, ROWS, vote(), wanted=[2, 0])
    probabilities = ours.probabilities(images[ROWS])
    assert found.best.tolist() == probabilities.argmax(axis=1).tolist()
    assert found.confidence.tolist() == pytest.approx(probabilities.max(axis=1).tolist(), rel=1e-4)
    np.testing.assert_allclose(found.probabilities, probabilities[:, [2, 0]], rtol=1e-4)
    assert (found.best.dtype, found.confidence.dtype, found.probabilities.dtype) == (np.int64, np.float32, np.float32)


def test_it_goes_by_parts_and_the_parts_do_not_matter(monkeypatch):
    ours, (images, _) = models.classifier(), models.blobs(50)
    rows = np.arange(7, 50)
    whole = classify(ours, images, rows, vote(), [1])
    monkeypatch.setattr(voting, "BLOCK", 7)
    monkeypatch.setattr(voting, "READ_BYTES", 1)
    found = classify(ours, images, rows, vote(batch_size=7), [1])
    assert found.best.tolist() == whole.best.tolist()
    np.testing.assert_allclose(found.confidence, whole.confidence, rtol=1e-5)
    np.testing.assert_allclose(found.probabilities, whole.probabilities, rtol=1e-5)


def test_copies_vote_as_they_do_on_the_test_split():
    ours, (images, _) = models.classifier(), models.blobs(20)
    own = vote({"salt_and_pepper": {"share": 0.5}}, copies=2)
    found = classify(ours, images, ROWS, own, range(3))
    votes = voting.mean_probabilities(ours, images[ROWS], ROWS, own)
    assert np.array_equal(found.probabilities, voting.tempered(votes, ours.temperature))
    assert not np.allclose(found.probabilities, ours.probabilities(images[ROWS]), atol=1e-4)


def test_no_rows_give_no_answers():
    images, _ = models.blobs(3)
    found = classify(models.classifier(), images, np.zeros(0, np.int64), vote(), [0])
    assert (len(found.best), len(found.confidence), found.probabilities.shape) == (0, 0, (0, 1))
