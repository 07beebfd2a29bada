"""The three kinds of the key `submission`, and what is said of a mistake in one."""

import pytest

from darkroom.base.errors import UserError
from darkroom.config import catalogue
from darkroom.config.submissions import Sample, Submission
from tests import make


def test_a_path_is_a_sample():
    assert make.entry(submission="a/sample.csv").sample == Sample(sample="a/sample.csv")
    assert make.entry(submission="a/sample.csv").two_columns is None


def test_a_sample_may_name_the_class_whose_probability_is_wanted():
    for given in (1, "dog"):
        assert make.entry(submission={"sample": "s.csv", "probability": given}).sample.probability == given


def test_two_columns_are_no_sample():
    entry = make.entry(submission={"id": "Id", "label": "Label"})
    assert entry.sample is None
    assert entry.two_columns == Submission(id="Id", label="Label", id_from="name")
    assert make.entry().sample is make.entry().two_columns is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "mine.submission is '', but must be text of at least 1 character"),
        (5, "mine.submission is 5, but must be string or dictionary"),
        (["a.csv"], "mine.submission is ['a.csv'], but must be string or dictionary"),
        ({}, "mine.submission.sample is missing: add it"),
        ({"sampel": "a.csv"}, "mine.submission.sampel is not a known key: did you mean sample?"),
        ({"sample": "a.csv", "probabilty": "x"}, "submission.probabilty is not a known key: did you mean probability?"),
        ({"sample": 5}, "mine.submission.sample is 5, but must be string"),
        ({"sample": "a", "probability": 0.5}, "mine.submission.probability is 0.5, but must be string or integer"),
        ({"sample": "a", "probability": True}, "mine.submission.probability is True, but must be string or integer"),
        ({"probability": "dog"}, "mine.submission.sample is missing: add it"),
        ({"id": "a", "lable": "b"}, "mine.submission.lable is not a known key: did you mean label?"),
        ({"id": "a", "label": "b", "sample": "x"}, "the form is read off the sample, so leave out id and label"),
        ({"ID": "a"}, "submission.ID is not a known key: known here are sample, probability, id, label, id_from"),
    ],
)
def test_a_mistake_is_named(given, says):
    content = {"path": "a.zip", "train": "t", "channels": 1, "image_size": 8, "submission": given}
    with pytest.raises(UserError) as refused:
        catalogue.checked("mine", content)
    assert says in str(refused.value)
