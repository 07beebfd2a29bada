import numpy as np
import pytest

from darkroom.intake import idx_files
from tests import boxes
from tests.intake.opened import container, same


@pytest.mark.parametrize("packed", [False, True])
def test_pictures_and_the_labels_beside_them(packed):
    files = boxes.idx_files(packed=packed)
    path = next(path for path in files if "images" in path)
    found = list(idx_files.pictures(container(files[path], path, files)))
    assert same(found, boxes.grey())
    assert [one.label for one in found] == [str(label) for label in boxes.LABELS]
    assert {one.labels_from for one in found} == {path.replace("images", "labels").replace("idx3", "idx1")}


def test_without_labels_where_none_are_wanted():
    found = list(idx_files.pictures(container(boxes.idx(boxes.grey()), "a.idx", wants_labels=False)))
    assert {(one.label, one.labels_from) for one in found} == {(None, "")}


def test_numbers_of_more_bytes():
    array = (boxes.grey().astype(int) - 7).astype(">i2")
    found = list(idx_files.pictures(container(boxes.idx(array, 11), "a.idx", wants_labels=False)))
    assert same(found, array)
    assert found[0].values.dtype == np.dtype("<i2")


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"),
        ("a/train-images-idx3-ubyte.gz", "a/train-labels-idx1-ubyte.gz"),
        ("train-images-idx3-ubyte/train-images-idx3-ubyte", "train-images-idx3-ubyte/train-labels-idx1-ubyte"),
    ],
)
def test_where_labels_may_lie(path, first):
    found = idx_files.beside(path)
    assert found[0] == first
    assert len(found) == len(set(found)) >= 2


def test_labels_may_lie_in_a_folder_of_their_own_name():
    assert "train-labels-idx1-ubyte/train-labels-idx1-ubyte" in idx_files.beside(
        "train-images-idx3-ubyte/train-images-idx3-ubyte"
    )
    assert idx_files.beside("pictures.idx") == []
