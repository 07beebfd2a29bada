import numpy as np
import pytest

from darkroom.classifier import unlike
from darkroom.classifier.familiarity import Familiarity
from tests import make


def why(stored=None, nearer_negative=False, aspect=1.0, coloured=False, known=(1.0, 1.0), grey=True):
    stored = make.pixels() if stored is None else stored
    judge = Familiarity({}, known, grey, 0.5)
    return unlike.explain_unlikeness(judge, stored, nearer_negative=nearer_negative, aspect=aspect, coloured=coloured)


def test_what_has_no_reason_gets_none():
    assert why() == []
    assert why(aspect=1.2) == []
    assert why(aspect=3.0, known=(0.5, 3.5)) == []
    assert why(coloured=True, grey=False) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"nearer_negative": True}, "--invert"),
        ({"coloured": True}, "in colour"),
        ({"aspect": 2.5}, "2.5 times as wide as high, they are 1: crop it or try --fit"),
        ({"aspect": 4999.7}, "it is 5,000 times as wide as high"),
        ({"aspect": 30.4, "known": (0.5, 12.3)}, "it is 30 times as wide as high, they are 0.5 to 12:"),
        ({"aspect": 0.2, "known": (0.5, 2.0)}, "they are 0.5 to 2"),
        ({"stored": np.full((8, 8, 3), 40, np.uint8), "nearer_negative": True}, "mostly empty"),
    ],
)
def test_each_reason(changes, says):
    (reason,) = why(**changes)
    assert says in reason


def test_colour_is_seen_and_traces_of_it_are_not():
    grey = np.repeat(make.pixels(20, 20, 1), 3, axis=2)
    assert not unlike.is_coloured(grey)
    assert not unlike.is_coloured((grey // 2 + np.array([0, 5, 9])).astype(np.uint8))
    assert unlike.is_coloured(make.pixels(20, 20, 3))


def test_empty_is_nearly_one_level():
    sheet = np.full((28, 28, 1), 200, np.uint8)
    assert unlike.is_mostly_empty(sheet)
    sheet[3, 3] = 0
    assert unlike.is_mostly_empty(sheet)
    sheet[5:9, 5:20] = 0
    assert not unlike.is_mostly_empty(sheet)
