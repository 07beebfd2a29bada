import pyarrow as pa
import pytest

from darkroom.intake import class_names
from tests import make
from tests.intake.fetched import refusal

LABELS = ["cat", "dog"]


def labels(*found):
    return class_names.labels(pa.table({"label": pa.array(found, pa.string())}))


def named(classes, found=LABELS, dropped=()):
    return class_names.names(found, make.entry(classes=classes), "mine", dropped)


@pytest.mark.parametrize(
    ("found", "order"),
    [
        (["10", "2", "1"], ["1", "2", "10"]),
        (["b", "10", "a"], ["10", "a", "b"]),
        (["10", "2", "1", "b", "a", "1a", "A"], ["1", "1a", "2", "10", "A", "a", "b"]),
        (["img10", "img9"], ["img9", "img10"]),
        (["cat", "9" * 5000, "10"], ["10", "9" * 5000, "cat"]),
    ],
    ids=["numbers", "numbers before words", "mixed", "number in a word", "endless digits are a word"],
)
def test_classes_stand_in_natural_order(found, order):
    assert labels(*found) == order
    assert labels(*reversed(found)) == order


def test_each_label_is_one_class_and_unlabelled_pictures_are_none():
    assert labels("b", None, "a", "b", None) == ["a", "b"]
    assert labels(None) == []


def test_classes_get_the_names_of_the_catalogue_in_the_order_of_their_labels():
    assert named({"cat": "Zebra"}) == ["Zebra", "dog"]
    assert named({}) == LABELS


def test_a_name_for_a_label_that_is_not_there_is_refused():
    assert refusal(lambda: named({"cow": "Bos taurus"})) == (
        "datasets.yaml: mine.classes names 'cow', but the archive has no such label: known are cat, dog"
    )


def test_a_label_whose_pictures_are_all_dropped_may_keep_its_name():
    assert named({"cow": "Bos taurus"}, dropped={"cow", None}) == LABELS


def test_of_many_labels_the_first_are_named():
    found = [str(number) for number in range(100)]
    assert refusal(lambda: named({"cow": "Bos"}, found)).endswith("known are " + ", ".join(found[:20]))


def test_a_name_that_another_label_has_is_refused():
    said = refusal(lambda: named({"cat": "dog"}))
    assert said == "datasets.yaml: mine.classes gives two labels the name 'dog': name one differently"
    assert named({"cat": "dog", "dog": "cat"}) == ["dog", "cat"]
