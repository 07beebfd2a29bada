import pytest

from darkroom.intake import class_names
from tests import make
from tests.intake.fetched import refusal

LABELS = ["cat", "dog"]


def named(classes, found=LABELS, by_hand=()):
    return class_names.names(found, make.entry(classes=classes), "mine", by_hand)


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
    assert class_names.in_order(found) == order
    assert class_names.in_order(reversed(found)) == order


def test_labels_get_the_names_of_the_catalogue_in_the_order_of_the_labels():
    assert named({}, ["10", "2"]) == {"2": "2", "10": "10"}
    assert list(named({"cat": "Zebra"}).values()) == ["Zebra", "dog"]
    assert named({"cat": "dog", "dog": "cat"}) == {"cat": "dog", "dog": "cat"}


def test_two_labels_of_one_name_are_one_class_at_the_place_of_the_first():
    names = named({"ant": "insect", "wasp": "insect"}, ["wasp", "cat", "ant"])
    assert names == {"ant": "insect", "cat": "cat", "wasp": "insect"}
    assert class_names.classes(names, {"insect", "cat"}) == ["insect", "cat"]


def test_a_label_may_take_the_name_of_another_class():
    assert class_names.classes(named({"kitten": "cat"}, ["cat", "kitten"]), {"cat"}) == ["cat"]


def test_a_class_is_dropped():
    names = named({"cat": None})
    assert names == {"cat": None, "dog": "dog"}
    assert class_names.classes(names, {"dog"}) == ["dog"]


def test_a_class_without_a_picture_is_none():
    assert class_names.classes(named({}), {"dog"}) == ["dog"]


def test_a_name_for_a_label_that_is_not_there_is_refused():
    assert refusal(lambda: named({"cow": "Bos taurus"})) == (
        "datasets.yaml: mine.classes names 'cow', but the archive has no such label: known are cat, dog"
    )


def test_a_correction_may_make_a_class_that_the_catalogue_names():
    names = named({"cow": "Bos taurus"}, by_hand={"Bos taurus"})
    assert names == {"cat": "cat", "cow": "Bos taurus", "dog": "dog"}
    assert class_names.classes(names, {"cat", "dog", "Bos taurus"}) == ["cat", "Bos taurus", "dog"]
    assert "no such label" in refusal(lambda: named({"cow": None}, by_hand={"cow"}))


def test_both_spellings_of_an_accent_are_one():
    assert named({"cafe\u0301": "caffe\u0300"}, ["caf\u00e9"]) == {"caf\u00e9": "caff\u00e8"}


def test_of_many_labels_the_first_are_named():
    found = [str(number) for number in range(100)]
    assert refusal(lambda: named({"cow": "Bos"}, found)).endswith("known are " + ", ".join(found[:20]))
