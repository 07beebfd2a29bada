import pytest

from darkroom.base import words


def test_a_few_names_are_listed_and_the_others_counted():
    assert words.listed([]) == ""
    assert words.listed(iter("abcd")) == "a, b, c, d"
    assert words.listed("abcdef") == "a, b, c, d and 2 more"
    assert words.listed(map(str, range(2003)), 3) == "0, 1, 2 and 2,000 more"
    assert words.listed(["a is 1, was 2", "b", "c"], 2, between="; ") == "a is 1, was 2; b; and 1 more"


@pytest.mark.parametrize(
    ("number", "things", "said"),
    [
        (0, ("run",), "0 runs"),
        (1, ("run",), "1 run"),
        (2000, ("run",), "2,000 runs"),
        (1, ("class", "classes"), "1 class"),
        (3, ("class", "classes"), "3 classes"),
    ],
)
def test_one_thing_and_several(number, things, said):
    assert words.counted(number, *things) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0412, "0.041 s"),
        (4, "4.0 s"),
        (9.96, "10 s"),
        (99.4, "99 s"),
        (99.6, "1.7 min"),
        (250, "4.2 min"),
        (5994, "1.7 h"),
        (43_200, "12 h"),
        (7_200_000, "2,000 h"),
    ],
)
def test_a_time_has_two_digits(seconds, said):
    assert words.duration(seconds) == said


@pytest.mark.parametrize(("count", "said"), [(0, "0.0 MB"), (4_000_000, "4.0 MB"), (1_250_000_000, "1.2 GB")])
def test_bytes_are_told_in_millions_or_billions(count, said):
    assert words.size(count) == said


@pytest.mark.parametrize(
    ("share", "said"), [(0.5, "50%"), (0.994, "99%"), (0.9987, "99.87%"), (0.999999, "99.9999%"), (1.0, "100%")]
)
def test_shares_close_to_all_keep_their_digits(share, said):
    assert words.percent(share) == said


def test_a_shape():
    assert words.by((28, 28, 1)) == "28x28x1"


def test_a_wrong_name_is_answered_by_the_nearest_or_by_those_that_are_known():
    assert words.did_you_mean("flowres", ["mnist", "flowers"]) == "did you mean flowers?"
    assert words.did_you_mean("x", iter(["mnist", "flowers"])) == "known are mnist, flowers"
    assert words.did_you_mean("x", ["mnist", "flowers"], 1) == "known are mnist"
