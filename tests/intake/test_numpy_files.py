import io

import numpy as np
import pytest

from darkroom.intake import numpy_files
from tests import boxes
from tests.intake.fetched import refusal
from tests.intake.opened import container, same

LABELS = np.array(boxes.LABELS)


@pytest.mark.parametrize("packed", [False, True])
def test_arrays_of_pictures_with_their_labels(packed):
    others = {
        "val_images": boxes.grey(seed=1),
        "val_labels": LABELS[::-1],
        "train_images": boxes.grey(),
        "train_labels": LABELS,
    }
    found = list(numpy_files.pictures(container(boxes.npz(packed, **others), "x.npz")))
    val, train = found[:12], found[12:]
    assert same(train, boxes.grey())
    assert same(val, boxes.grey(seed=1))
    assert [one.name for one in train[:2]] == ["train/0", "train/1"]
    assert [one.label for one in val] == [str(label) for label in LABELS[::-1]]
    assert train[0].labels_from == "x.npz, array train_labels"


@pytest.mark.parametrize(
    ("names", "name"),
    [(("x_train", "y_train"), "train/0"), (("X", "y"), "0"), (("images", "labels"), "0"), (("data", "target"), "0")],
)
def test_usual_names_of_arrays(names, name):
    pictures, labels = names
    found = list(numpy_files.pictures(container(boxes.npz(**{labels: LABELS, pictures: boxes.grey()}), "x.npz")))
    assert (found[0].name, found[1].label) == (name, "1")


def test_an_array_that_no_pattern_reaches_is_counted_and_not_read():
    box = container(boxes.npz(train_images=boxes.grey(), test_images=boxes.grey(5)), "x.npz")
    box.reaches = lambda part: part == "train"
    assert len(list(numpy_files.pictures(box))) == 12
    assert box.passed == {"test": 5}


def test_arrays_that_are_neither_are_named():
    box = container(boxes.npz(images=boxes.grey(), labels=LABELS, weights=np.ones(3)), "x.npz")
    list(numpy_files.pictures(box))
    assert "weights" in box.said[0]


def test_an_array_alone_holds_no_labels():
    found = list(numpy_files.pictures(container(boxes.npy(boxes.grey().reshape(12, 64)), "cat.npy")))
    assert same(found, boxes.grey())
    assert {(one.label, one.labels_from) for one in found} == {(None, "")}


def test_colours_first_or_last():
    images = boxes.colour()
    assert same(list(numpy_files.pictures(container(boxes.npy(images), "a.npy"))), images)
    first = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    assert same(list(numpy_files.pictures(container(boxes.npy(first), "a.npy"))), images)


def test_sides_below_zero_are_refused():
    head = {"descr": "|u1", "fortran_order": False, "shape": (12, -8, -8)}
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, head)
    assert "(12x-8x-8)" in refusal(lambda: list(numpy_files.pictures(container(content.getvalue(), "a.npy"))))
