import pickle

import numpy as np
import pytest

from darkroom.intake import cifar_batches
from tests import boxes
from tests.intake.opened import container, same

NAMES = [boxes.NAMES[label] for label in boxes.LABELS]


def pictures(content, files=None, **asked):
    return list(cifar_batches.pictures(container(content, "c/train", files, **asked)))


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_rows_are_red_then_green_then_blue(protocol):
    assert same(pictures(boxes.batch(protocol)), boxes.colour())


def test_classes_have_the_names_that_stand_beside():
    found = pictures(boxes.batch(), {"c/batches.meta": boxes.meta()})
    assert [one.label for one in found] == NAMES
    assert found[0].labels_from == "c/train, labels, named in c/batches.meta"


def test_labels_without_names_are_numbers():
    assert [one.label for one in pictures(boxes.batch())] == [str(label) for label in boxes.LABELS]


def test_fine_labels_count_unless_the_entry_asks_for_coarse_ones():
    content = boxes.batch(labels=None, fine_labels=list(range(12)), coarse_labels=boxes.LABELS)
    names = {b"fine_label_names": [b"f%d" % number for number in range(12)], b"coarse_label_names": [b"cat", b"dog"]}
    files = {"c/meta": pickle.dumps(names, 2)}
    assert [one.label for one in pictures(content, files)] == [f"f{number}" for number in range(12)]
    assert [one.label for one in pictures(content, files, label="coarse_labels")] == NAMES


def test_labels_are_not_wanted_of_a_batch_for_unlabelled_pictures():
    assert {one.label for one in pictures(boxes.batch(labels=None), wants_labels=False)} == {None}


def test_grey_rows():
    images = boxes.grey()
    assert same(pictures(boxes.batch(data=np.ascontiguousarray(images.reshape(12, -1)))), images)
