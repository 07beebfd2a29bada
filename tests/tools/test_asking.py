import pytest

from darkroom.base.errors import UserError
from darkroom.tools.asking import Asking

OPTIONS = [("one", "the first"), ("two", "the second")]


def test_the_first_answer_counts_until_one_is_given():
    asking = Asking({})
    assert asking.pick("label", "which?", OPTIONS) == 0
    assert [one.name for one in asking.open()] == ["label"]


def test_an_answer_closes_its_question():
    asking = Asking({"label": "two"})
    assert asking.pick("label", "which?", OPTIONS) == 1
    assert asking.open() == []


def test_an_answer_must_be_one_of_the_options():
    with pytest.raises(UserError, match=r"'twoo' is no answer to label .*did you mean two"):
        Asking({"label": "twoo"}).pick("label", "which?", OPTIONS)


def test_an_answer_must_have_its_question():
    asking = Asking({"labl": "two"})
    asking.pick("label", "which?", OPTIONS)
    with pytest.raises(UserError, match="nothing asks for 'labl': did you mean label"):
        asking.open()
    with pytest.raises(UserError, match="nothing is open"):
        Asking({"label": "two"}).open()
