"""What a sample wants of each picture, and whether it says so."""

import pytest

from darkroom.intake import sample_answers, sample_ids, sample_text
from tests import make
from tests.intake.fetched import refusal

PICTURES = ["test/1.jpg", "test/2.jpg"]


def find(text, known=("cat", "dog", "owl"), probability=None, classes=None):
    read = sample_text.read(text.encode(), "s.csv")
    names = sample_answers.Names.of(known, make.entry(classes=classes))
    return sample_answers.find(read, sample_ids.find(read, PICTURES), names, probability)


@pytest.mark.parametrize(
    ("header", "classes", "order"),
    [
        ("owl,cat,dog", ("cat", "dog", "owl"), (2, 0, 1)),
        ("OWL,Cat,dog", ("cat", "dog", "owl"), (2, 0, 1)),
        ("sugar_beet,Maize,blackgrass", ("Black-grass", "Maize", "Sugar beet"), (2, 1, 0)),
        ("c1,c0,c10", ("0", "1", "10"), (1, 0, 2)),
        ("c1,c10", ("1", "10"), (0, 1)),
        ("prob_cat,prob_dog", ("cat", "dog"), (0, 1)),
        ("class_2,class_1", ("1", "2"), (1, 0)),
        ('"a, b",c', ("a, b", "c"), (0, 1)),
    ],
)
def test_the_header_says_the_class_of_each_column(header, classes, order):
    count = len(order)
    found = find(f"id,{header}\n1{',0.1' * count}\n", classes)
    assert (found.columns, found.classes, found.spelled) == (tuple(range(1, count + 1)), order, ())
    assert found.understood == f"a probability for each of {count} classes"


def test_the_makers_names_count_before_those_that_the_entry_gives():
    """Labels that were swapped: the column `a` is of the makers' a."""
    found = find("id,a,b\n1,0.5,0.5\n", ("a", "b"), classes={"a": "b", "b": "a"})
    assert found.classes == (1, 0)
    assert find("id,one,two\n1,0,0\n", ("one", "two"), classes={"1": "one", "2": "two"}).classes == (0, 1)
    assert find("id,1,2\n1,0,0\n", ("one", "two"), classes={"1": "one", "2": "two"}).classes == (0, 1)


@pytest.mark.parametrize(
    ("text", "settings", "spelled", "understood"),
    [
        ("id,label\n1,cat\n2,cat\n", {}, ("cat", "dog", "owl"), "one label a picture"),
        ("id,label\n1,2\n", {"classes": ("0", "1", "2")}, ("0", "1", "2"), "one label a picture"),
        ("id,label\n1,dog\n", {"entry": {"c": "cat", "d": "dog", "o": "owl"}}, ("cat", "dog", "owl"), "one label"),
        ("id,label\n1,d\n", {"entry": {"c": "cat", "d": "dog", "o": "owl"}}, ("c", "d", "o"), "written 'c', 'd', 'o'"),
        ("id,label\n1,gone\n", {"entry": {"gone": None, "c": "cat"}}, ("c", "dog", "owl"), "written 'c', 'dog'"),
        ("id,label\n1,CAT\n2,Dog\n", {"classes": ("cat", "dog")}, ("CAT", "Dog"), "written 'CAT', 'Dog'"),
        ("id,label\n1,\n2,\n", {}, ("cat", "dog", "owl"), "its label column is empty, so that this is a guess: 'cat'"),
        ("id,label\n1,same\n", {"classes": ("same", "x"), "entry": {"same": "same", "other": "same"}},
         ("same", "x"), "one label"),
    ],
)  # fmt: skip
def test_labels_are_spelled_as_the_sample_has_them(text, settings, spelled, understood):
    found = find(text, settings.get("classes", ("cat", "dog", "owl")), classes=settings.get("entry", {}))
    assert (found.columns, found.classes, found.spelled) == ((1,), (), spelled)
    assert understood in found.understood


@pytest.mark.parametrize(
    ("text", "classes", "entry", "number"),
    [
        ("id,label\n1,0.5\n", ("0", "1"), {}, 1),
        ("id,label\n1,0.5\n", ("yes", "no"), {"1": "yes", "0": "no"}, 0),
        ("id,dog\n1,0\n2,1\n", ("cat", "dog"), {}, 1),
        ("id,is_dog\n1,0.5\n", ("cat", "is dog"), {}, 1),
    ],
)
def test_one_probability_is_that_of_the_class_that_is_named_or_numbered_one(text, classes, entry, number):
    found = find(text, classes, classes=entry)
    assert (found.classes, found.spelled) == ((number,), ())
    assert found.understood == f"the probability of the class {classes[number]}"


def test_the_entry_may_say_which_probability_is_wanted():
    assert find("id,label\n1,0\n", ("cat", "dog"), "dog").classes == (1,)
    assert find("id,label\n1,0\n", ("0", "1"), 1).classes == (1,)
    assert find("id,target\n1,0\n", probability="owl").classes == (2,)


def test_labels_of_two_classes_that_are_numbers_may_be_meant_as_probabilities_and_so_it_is_said():
    found = find("id,label\n1,0\n2,0\n", ("0", "1"))
    assert found.spelled == ("0", "1")
    assert "if a probability is wanted, write submission: {sample: s.csv, probability: 1}" in found.hint
    assert not find("id,label\n1,cat\n", ("cat", "dog")).hint
    assert not find("id,label\n1,0\n", ("0", "1", "2")).hint


def test_numbers_may_have_a_decimal_comma():
    assert find("id;cat;dog\n1;0,5;0,5\n", ("cat", "dog")).comma
    assert not find("id;cat;dog\n1;0.5;0.5\n", ("cat", "dog")).comma


@pytest.mark.parametrize(
    ("text", "settings", "says"),
    [
        ("id,label\n1,0.5\n", {"classes": ("cat", "dog")}, "write submission: {sample: s.csv, probability: dog}"),
        ("id,label\n1,0\n", {"classes": ("cat", "dog")}, "the probability of a class ('cat', 'dog'), and it does not"),
        ("id,label\n1,7\n", {}, "s.csv has '7' where a label is wanted, which is no class ('cat', 'dog', 'owl')"),
        ("id,label\n1,cow\n", {}, "s.csv has 'cow' where a label is wanted, which is no class: known are cat, dog"),
        ("id,label\n1,cat dog\n", {}, "s.csv has 'cat dog' where a label is wanted"),
        ("id,label\n1,CAT\n", {}, "spells 'CAT' what is the class 'cat' here, and does not show how it spells 'dog'"),
        ("id,label\n1,nan\n", {}, "s.csv has 'nan' where a label is wanted"),
        ("id,cat,dog\n1,0,0\n", {}, "s.csv has no column for 1 class ('owl'), and a probability is wanted for each"),
        ("id,cat,dog,owl,cow\n1,0,0,0,0\n", {}, "s.csv has 1 column of no class that the model knows ('cow')"),
        ("id,cat,dog,cow\n1,0,0,0\n", {}, "knows ('cow') and no column for 1 class ('owl')"),
        ("id,cat,dog,x\n1,0,0,0\n", {"classes": ("cat", "dog"), "entry": {"x": None}}, "('x') (`classes` drops it)"),
        ("id,cat,cat,owl\n1,0,0,0\n", {}, "s.csv has 2 columns for the one class 'cat' ('cat', 'cat')"),
        ("id,a,b,c\n1,0,0,0\n", {"classes": ("ab", "c"), "entry": {"a": "ab", "b": "ab"}},
         "2 columns for the one class 'ab' ('a', 'b'), and its probability cannot be divided"),
        ("id,label\n1,c\n", {"classes": ("ab", "c"), "entry": {"a": "ab", "b": "ab"}},
         "makes the one class 'ab' of 'a', 'b', and which of them is meant cannot be told"),
        ("1,0,0,0\n2,0,0,0\n", {}, "3 columns beside the ids, and no header that says which class"),
        ("id\n1\n2\n", {}, "s.csv has no column beside the ids"),
        ("id,label\n1,0\n", {"probability": "cta"}, "submission.probability is 'cta', which is no class: did you mean"),
        ("id,cat,dog\n1,0,0\n", {"probability": "cat"}, "asks for one probability, but s.csv has 2 columns beside"),
        ("id,label,Usage\n1,cat,Public\n", {}, "2 columns of no class that the model knows ('label', 'Usage')"),
    ],
)  # fmt: skip
def test_what_the_sample_does_not_say_is_asked(text, settings, says):
    settings = {"classes": ("cat", "dog", "owl")} | settings
    names = settings.get("entry", {})
    assert says in refusal(lambda: find(text, settings["classes"], settings.get("probability"), classes=names))
