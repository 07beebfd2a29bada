import numpy as np
import pytest

from darkroom.classifier.unlabelled import classify
from darkroom.dataset import packed
from tests import models

ROWS = np.array([3, 5, 11, 19])


def test_the_most_probable_class_of_each_row_and_its_probability():
    ours, (images, _) = models.classifier(), models.blobs(20)
    best, confidence = classify(ours, images, ROWS)
    probabilities = ours.probabilities(images[ROWS])
    assert best.tolist() == probabilities.argmax(axis=1).tolist()
    assert confidence.tolist() == pytest.approx(probabilities.max(axis=1).tolist())
    assert (best.dtype, confidence.dtype) == (np.int64, np.float32)


def test_it_goes_by_parts_and_the_parts_do_not_matter(monkeypatch):
    ours, (images, _) = models.classifier(), models.blobs(50)
    rows = np.arange(7, 50)
    whole = classify(ours, images, rows)
    monkeypatch.setattr(packed, "CHUNK_BYTES", 7 * images[0].nbytes)
    seen = []
    probabilities = type(ours).probabilities
    monkeypatch.setattr(type(ours), "probabilities", lambda it, part: seen.append(len(part)) or probabilities(it, part))
    best, confidence = classify(ours, images, rows)
    assert seen == [7, 7, 7, 7, 7, 7, 1]
    assert best.tolist() == whole[0].tolist()
    np.testing.assert_allclose(confidence, whole[1], rtol=1e-5)


def test_no_rows_give_no_answers():
    images, _ = models.blobs(3)
    best, confidence = classify(models.classifier(), images, np.zeros(0, np.int64))
    assert (len(best), len(confidence)) == (0, 0)
