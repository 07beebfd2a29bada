"""What is to be looked at, in which order, and why."""

import pytest

from darkroom.base import paths
from darkroom.tools import review_queue
from darkroom.tools.review_queue import MISTAKE, TWIN
from tests import make
from tests.tools import reviewing
from tests.tools.reviewing import COPY, LEARNED, NEAR, tables


@pytest.fixture(autouse=True)
def site(project):
    reviewing.site()


def queue():
    return review_queue.load().items


def test_suspects_come_first_then_contradictions_near_duplicates_and_mistakes():
    tables(
        suspects=[(4, "ant", "bee", LEARNED), (1, "ant", "bee", f"{LEARNED}; {COPY}")],
        conflicts=[[(0, "ant"), (1, "bee")]],
        near=[(5, "cow", 6, "ant"), (8, "cow", 2, "cow")],
        mistakes=[(8, "cow", "bee"), (11, "cow", "ant")],
    )
    found = queue()
    assert [(one.row, one.label, one.suggested, list(one.reasons)) for one in found] == [
        (4, "bee", "ant", [LEARNED]),
        (1, "bee", "ant", [LEARNED, COPY]),
        (0, "ant", "bee", [COPY]),
        (5, "cow", "ant", [NEAR]),
        (6, "ant", "cow", [NEAR]),
        (8, "cow", "bee", [TWIN, MISTAKE]),
        (11, "cow", "ant", [MISTAKE]),
    ]
    assert [one.beside for one in found] == [[], [0], [1], [6], [5], [2], []]
    assert found[-1].near == [0, 1]
    assert found[5].split == "test"


def test_a_reason_is_a_sentence_with_what_a_person_needs():
    tables(suspects=[(4, "ant", "bee", LEARNED)], near=[(5, "cow", 6, "ant")], mistakes=[(2, "cow", "ant")])
    words = {kind: why for one in queue() for kind, why in one.reasons.items()}
    assert words[LEARNED] == "a model that did not see it in training gives bee a probability of 1.2%"
    assert words[NEAR] == "a nearly equal picture is labelled cow"
    assert words[MISTAKE] == ("the model says ant (90% sure), and 1 of its 2 nearest training pictures are labelled so")


def test_in_data_that_were_made_anew_pictures_are_found_by_their_paths():
    reviewing.moved()
    found = review_queue.load()
    assert [(one.row, one.path) for one in found.items] == [
        (0, "train/1.png"), (3, "train/4.png"), (6, "train/7.png"), (1, "train/2.png")
    ]  # fmt: skip
    assert found.items[-1].near == []  # rows of which picture?
    reviewing.moved(3)
    found = review_queue.load()
    assert ([one.path for one in found.items], found.gone) == (["train/4.png", "train/7.png"], 2)


def test_a_suggestion_that_has_been_taken_is_none_any_more():
    tables(suspects=[(4, "bee", "ant", LEARNED)])  # row 4 is a bee by now
    assert [(one.label, one.suggested) for one in queue()] == [("bee", "")]


@pytest.mark.parametrize(
    ("file", "words"),
    [(paths.SUSPECTS, "what to look at"), (paths.IMAGES, "`dvc pull` fetches it"), (paths.MODEL, "`dvc pull`")],
)
def test_what_is_missing_is_said(file, words):
    file.unlink()
    refused = make.refusal(review_queue.load)
    assert refused.startswith(f"there is no {file}")
    assert words in refused
