import pytest

from darkroom.intake.sample_submission import understand
from tests import make
from tests.intake.fetched import refusal

PICTURES = ["test/1.jpg", "test/2.jpg", "test/3.jpg", "test/4.jpg"]


def found(text, classes=("cat", "dog"), pictures=PICTURES, submission="deep/sample.csv"):
    return understand(text.encode(), make.entry(submission=submission), classes, pictures)


def test_rows_and_pictures_are_in_their_own_orders():
    sample = found("id,label\n4,cat\n1,cat\n3,cat\n")
    assert sample.pictures.tolist() == [0, 2, 3]
    assert sample.rows.tolist() == [2, 0, 1]
    assert sample.ids.left.tolist() == [1]
    assert sample.name == "sample.csv"


@pytest.mark.parametrize(
    ("text", "submission", "said"),
    [
        ("id,label\n4,cat\n", "s.csv", "1 row; one label a picture"),
        ("id,cat,dog\n4,0,0\n1,0,0\n", "s.csv", "2 rows; a probability for each of 2 classes"),
        ("id,x\n4,0\n1,0\n", {"sample": "s.csv", "probability": "cat"}, "2 rows; the probability of the class cat"),
    ],
)
def test_in_words(text, submission, said):
    assert found(text, submission=submission).in_words() == said


def test_a_set_without_unlabelled_pictures_is_told():
    said = refusal(lambda: found("id,label\n", pictures=[]))
    assert said.startswith("datasets.yaml names the sample submission deep/sample.csv, but no picture is without a")
