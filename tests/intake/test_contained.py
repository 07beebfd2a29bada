import io

import numpy as np
import pytest

from darkroom.intake import contained
from darkroom.intake.contained import Asked, Container, Form, blocks, form_of, labels, settled, shaped, subset_of
from tests import boxes
from tests.intake.fetched import refusal


@pytest.mark.parametrize(
    ("shape", "form"),
    [
        ((28, 20), (28, 20, 1, "hwc")),
        ((28, 20, 3), (28, 20, 3, "hwc")),
        ((3, 28, 20), (28, 20, 3, "chw")),
        ((1, 28, 20), (28, 20, 1, "chw")),
        ((784,), (28, 28, 1, "hwc")),
        ((3072,), (32, 32, 3, "flat")),
    ],
)
def test_the_shape_says_how_numbers_lie(shape, form):
    assert form_of(shape, "x") == form


@pytest.mark.parametrize("shape", [(60,), (0,), (2, 3, 4), (4, 4, 4, 4), (0, 5), ()])
def test_other_shapes_are_refused(shape):
    assert "x" in refusal(lambda: form_of(shape, "x"))


@pytest.mark.parametrize("order", ["chw", "hwc"])
def test_rows_of_three_channels_are_read_as_neighbours_are_alike_and_that_is_said(order):
    images = boxes.colour()
    rows = images.transpose(0, 3, 1, 2) if order == "chw" else images
    container = Container("t.csv", io.BytesIO(), Asked(), None)
    form = settled(Form(8, 8, 3, "flat"), rows.reshape(len(images), -1), container)
    assert (shaped(rows.reshape(len(images), -1), form) == images).all()
    assert "a guess" in container.said[0]


def test_an_array_is_read_in_blocks(monkeypatch):
    monkeypatch.setattr(contained, "BLOCK", 200)
    array = boxes.grey()
    found = list(blocks(io.BytesIO(array.tobytes()), 12, array.dtype, (8, 8), "x"))
    assert [len(one) for one in found] == [3, 3, 3, 3]
    assert (np.concatenate(found) == array).all()


def test_numbers_of_either_order_of_bytes_become_little_endian():
    array = boxes.grey().astype(">u2")
    values = shaped(array, form_of(array.shape[1:], "x"))
    assert values.dtype == np.dtype("<u2")
    assert (values[..., 0] == array).all()


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([3, 10]), ["3", "10"]),
        (np.array([[3], [10]], np.uint8), ["3", "10"]),
        (np.array([3.0, 10.0]), ["3", "10"]),
        (np.array(["cat", ""]), ["cat", None]),
        (np.array([b"caf\xc3\xa9", b"dog"]), ["caf\u00e9", "dog"]),
        (np.array([[0, 1, 0], [1, 0, 0]]), ["1", "0"]),
    ],
)
def test_labels_are_text(array, expected):
    assert labels(array, 2, "x") == expected


def test_a_split_is_told_by_the_entry_and_then_by_usual_words():
    asked = Asked(split="Usage", splits={"val": ["PublicTest"], "test": ["PrivateTest"]})
    assert subset_of("PublicTest", asked, "x") == ("val", "")
    assert subset_of("Training", asked, "x") == ("train", "")
    assert subset_of("Validation", asked, "x")[0] is None  # the entry has said what val is
    assert "'other'" in subset_of("other", asked, "x")[1]
    assert subset_of(None, asked, "x")[0] is None


def test_a_single_label_for_all_is_refused():
    assert refusal(lambda: labels(np.array(3), 2, "x")) == "x has 1 label for 2 pictures: give as many"
