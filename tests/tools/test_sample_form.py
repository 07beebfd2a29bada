import pytest

from tests.tools.drafting import drafted, pictures, table, with_tables

CATS = [f"train/{label}.{n}.png" for label in ("cat", "dog") for n in range(20)] + pictures("test", count=3)


def with_sample(sample, names=CATS):
    return with_tables(names, sample_submission_csv=sample)


def rows(*cells):
    return [f"{number},{','.join(cells)}" for number in range(3)]


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        (table(rows("cat"), "id,label"), "one label a picture"),
        (table(rows("0.5", "0.5"), "id,cat,dog"), "a probability for each of 2 classes"),
    ],
)
def test_a_sample_that_says_all_is_taken(tmp_path, sample, says):
    found = drafted(tmp_path, with_sample(sample))
    assert found.questions == ()
    assert found.entry["submission"] == "sample_submission.csv"
    assert [says in one.because for one in found.evidence if one.key == "submission"] == [True]


def test_of_which_class_a_probability_is_wanted_is_asked(tmp_path):
    files = with_sample(table(rows("0.5"), "id,label"))
    (question,) = drafted(tmp_path, files).questions
    assert question.name == "submission"
    assert [choice.word for choice in question.choices] == ["cat", "dog"]
    found = drafted(tmp_path, files, {"submission": "dog"})
    assert found.entry["submission"] == {"sample": "sample_submission.csv", "probability": "dog"}
    assert found.questions == ()


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        (table(rows("horse"), "id,label"), "no class"),
        (table(["9,cat"], "id,label"), "picture"),
        ("id", "sample_submission.csv"),
    ],
)
def test_a_sample_that_does_not_fit_is_left_out_and_told(tmp_path, sample, says):
    found = drafted(tmp_path, with_sample(sample))
    assert "submission" not in found.entry
    assert [says in why for place, why in found.unused if place == "sample_submission.csv"] == [True]


def test_a_sample_that_wants_a_class_that_is_left_out_does_not_fit(tmp_path):
    files = with_sample(table(rows("0.3", "0.3", "0.3"), "id,bird,cat,dog"), [*CATS, "train/bird.1.png"])
    found = drafted(tmp_path, files, {"small": "leave_out"})
    assert "submission" not in found.entry
    assert ["'bird'" in why for place, why in found.unused if place == "sample_submission.csv"] == [True]
    assert "submission" in drafted(tmp_path, files, {"small": "keep"}).entry
