import contextlib
import time
import unicodedata

import pytest

from darkroom.config.patterns import LONGEST, Pattern, column_form, of_first_version
from tests.intake.fetched import refusal


def parts(pattern, path):
    return Pattern(pattern).match(path)


@pytest.mark.parametrize(
    ("pattern", "path", "named"),
    [
        ("train", "train/cat/1.png", {}),
        ("train", "train/1.png", {}),
        ("train", "training/cat/1.png", None),
        ("train", "x/train/1.png", None),
        ("./train/", "train/1.png", {}),
        ("a//b", "a/b/1.png", {}),
        (".", "a/1.png", {}),
        ("", "1.png", {}),
        ("a.b", "axb/1.png", None),
        ("a (1)+", "a (1)+/1.png", {}),
        ("cat/1.png", "cat/1.png", {}),
        # `*` stays within a folder, `**` crosses folders.
        ("*", "1.png", {}),
        ("*", "a/1.png", None),
        ("a/*", "a/1.png", {}),
        ("a/*", "a/b/1.png", None),
        ("a/*/", "a/1.png", {}),
        ("a/*.png", "a/.png", {}),
        ("**", "a/b/1.png", {}),
        ("a/**", "a/b/c/1.png", {}),
        ("a/**", "ab/1.png", None),
        ("a/**/1.png", "a/1.png", {}),
        ("a/**/1.png", "a/b/c/1.png", {}),
        ("a/**/1.png", "a/b1.png", None),
        ("**/1.png", "1.png", {}),
        ("**/1.png", "x1.png", None),
        ("**/**/1.png", "1.png", {}),
        ("a**/b.png", "ab.png", None),
        ("a**/b.png", "ax/y/b.png", {}),
        ("a**b", "a/x/b", {}),
        ("*.png", "a\nb.png", {}),
        # Brackets and question marks stand for themselves.
        ("fold[12]/*", "fold[12]/1.png", {}),
        ("fold[12]/*", "fold1/1.png", None),
        ("what?/*", "what?/1.png", {}),
        ("what?/*", "whats/1.png", None),
        ("a}b/*", "a}b/1.png", {}),
        (r"{x:\{y\}}/*", "{y}/1.png", {"x": "{y}"}),
        # Names.
        ("{label}/*", "cat/1.png", {"label": "cat"}),
        ("{label}/*", "a/cat/1.png", None),
        ("{label}_*.jpg", "american_bulldog_12.jpg", {"label": "american_bulldog"}),
        ("{label}_*.jpg", "a/bulldog_12.jpg", None),
        ("{label}/{group}_*", "cat/p7_3.png", {"label": "cat", "group": "p7"}),
        ("{label}/{group}/**", "cat/p7/x/3.png", {"label": "cat", "group": "p7"}),
        (r"{age:\d+}_{label:[01]}_*", "37_1_2017.jpg", {"age": "37", "label": "1"}),
        (r"{age:\d+}_{label:[01]}_*", "37_2_2017.jpg", None),
        (r"{age:\d{2}}_{label}.png", "37_a.png", {"age": "37", "label": "a"}),
        ("{label:a|b}c.png", "bc.png", {"label": "b"}),
        ("{label:.+}/*", "a/b/1.png", {"label": "a/b"}),
        # One that stands twice must match the same text.
        ("{x}/{x}_*", "cat/cat_1.png", {"x": "cat"}),
        ("{x}/{x}_*", "cat/dog_1.png", None),
        (r"{x:\d}{x:\d}.png", "77.png", {"x": "7"}),
        (r"{x:\d}{x:\d}.png", "78.png", None),
    ],
)
def test_what_a_pattern_reaches_and_names(pattern, path, named):
    assert parts(pattern, path) == named


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("{label", "'{label' has a { that no } closes: write {label}, or {label:form}"),
        (r"{label:\}", "has a { that no } closes"),
        ("{}/*", "names '' in braces, but a name is a word of letters, as in {label}"),
        ("{my label}/*", "names 'my label' in braces"),
        ("{0}/*", "names '0' in braces"),
        ("{ä}/*", "names 'ä' in braces"),
        ("{label:}/*", "has no form after the colon of label: write {label}, or {label:[0-9]+}"),
        ("{label:[}/*", "holds no regular expression after its colon"),
        ("{label:a)|(b}/*", "holds no regular expression after its colon"),
        ("{label:(?P=other)}/*", "holds no regular expression after its colon"),
        ("x" * (LONGEST + 1), f"a pattern of {LONGEST + 1:,} characters is longer than the {LONGEST:,} allowed"),
    ],
)
def test_a_text_that_is_no_pattern_is_told_in_one_sentence(pattern, says):
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the sentence is compared below
        Pattern(pattern)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "pattern", ["{x:" + "(" * 450 + ")" * 450 + "}", "{x:a{9999999999}}", "{x:a{99999}}", "*" * 999, "[" * 999]
)
def test_an_odd_form_is_a_pattern_or_is_told(pattern):
    with contextlib.suppress(ValueError):  # another error would be a traceback for whoever wrote it
        assert Pattern(pattern).match("a/b") in (None, {})


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("{x:(a|aa)+}{y:[b]}", "a" * 60 + "c"),
        ("*a*a*b", "a" * 60_000),
    ],
)
def test_a_pattern_that_would_run_for_ever_is_stopped(pattern, path):
    begun = time.monotonic()
    said = refusal(lambda: Pattern(pattern).match(path))
    assert time.monotonic() - begun < 30
    assert said.startswith(f"datasets.yaml: the pattern {pattern!r} is not done with 'aaa")
    assert said.endswith("use fewer wildcards, or a simpler form after the colon")


def order(*patterns):
    return sorted(patterns, key=lambda pattern: Pattern(pattern).breadth)


@pytest.mark.parametrize(
    "patterns",
    [
        ("train", "."),
        ("train/cat", "train"),
        ("train/*", "train"),
        ("train/{label}/*", "train/*"),
        ("a/b", "a-very-long-name"),
        ("pets/test", "pets/*/*.jpg"),
        ("pets/*/test/*", "pets"),
        ("images/{label}_*.jpg", "images/*"),
        ("{label}/IM-{group}-*", "{label}/{group}_*_*"),
        ("a/b/**", "a/**"),
    ],
)
def test_the_more_particular_pattern_comes_first(patterns):
    assert order(*patterns) == order(*reversed(patterns)) == list(patterns)


def test_names_are_as_broad_as_stars():
    assert Pattern("a/{label}/*").breadth == Pattern("a/*/{group}").breadth == Pattern("a/*/**").breadth


@pytest.mark.parametrize(
    ("pattern", "answer"),
    [
        ("train", True),
        (".", True),
        ("flowers.v2", False),  # may be a file
        ("a/*", True),
        ("**", True),
        ("{label}/*", True),
        ("a/{label}_*", False),
        ("*.png", False),
        ("a/{label}", False),
        ("a/**/1.png", False),
    ],
)
def test_a_pattern_knows_whether_all_files_of_a_folder_fare_alike(pattern, answer):
    assert Pattern(pattern).by_folder is answer


@pytest.mark.parametrize(
    ("pattern", "root"),
    [
        ("train", "train"),
        (".", ""),
        ("a/b/*.png", "a/b"),
        ("a/**", "a"),
        ("a/fold*/*", "a"),
        ("{label}/*", ""),
        ("*", ""),
    ],
)
def test_the_root_of_a_pattern_lies_before_its_first_wildcard(pattern, root):
    assert Pattern(pattern).root == root


@pytest.mark.parametrize(
    ("pattern", "folder", "may"),
    [
        ("trainingSet", "trainingSet", True),
        ("trainingSet", "trainingSample", False),
        ("trainingSet", "trainingSet/inner", True),
        ("trainingSet/inner", "trainingSet", True),
        ("trainingSet/inner", "trainingSet/other", False),
        ("train", "training", False),
        ("training", "train", False),
        (".", "anything", True),
        ("**", "anything", True),
        ("{label}/*", "cat", True),
        ("{label}/*", "cat/inner", False),
        ("{label}_{n}.png", "extra", False),
        ("data/{label}/train/*", "data/x", True),
        ("data/{label}/train/*", "data", True),
        ("data/{label}/train/*", "data/x/test", False),
        ("data/{label}/train/*", "other", False),
        ("**/{label}/*", "a/b/c", True),
        # What the first version would have opened is opened, to say what to write now.
        ("*.png", "anything", True),
        ("data/*.png", "data/x/y", True),
        ("data/*.png", "other", False),
    ],
)
def test_a_nested_archive_is_opened_only_if_a_pattern_may_reach_into_it(pattern, folder, may):
    assert Pattern(pattern).may_reach_below(folder) is may


@pytest.mark.parametrize(
    ("pattern", "path", "answer"),
    [
        ("*", "a/b/1.png", True),
        ("data/*.png", "data/a/1.png", True),
        ("data/*.png", "other/1.png", False),
        ("fold[12]/*", "fold2/1.png", True),
        ("set?/*", "set1/cat/1.png", True),
        ("train", "train/1.png", False),  # a folder, now as before
        ("{label}*", "a/1.png", False),  # the first version knew no names
    ],
)
def test_a_pattern_knows_what_its_text_reached_in_the_first_version(pattern, path, answer):
    assert Pattern(pattern).reached_in_first_version(path) is answer


@pytest.mark.parametrize("pattern", ["Übung", "Übung/*/*", "{x:Übung}/*/*"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_both_spellings_of_an_accent_are_one(pattern, form):
    ours = Pattern(unicodedata.normalize(form, pattern))
    assert ours.match(unicodedata.normalize("NFC", "Übung/a/1.png")) is not None
    assert ours.may_reach_below(unicodedata.normalize("NFD", "Übung"))


# The form of a column.


@pytest.mark.parametrize(
    ("form", "value", "label"),
    [
        ("{label} *", "3 0.1 0.2 0.8", "3"),
        ("{label} *", "3", None),
        ("{label}*", "3", "3"),
        ("* {label}", "a b c", "c"),
        ("{label}/{n}", "cat/7", "cat"),
        ("{label:[a-z]+}{n}", "cat7", "cat"),
        ("class {label}", "class cat dog", None),
    ],
)
def test_a_form_takes_the_label_out_of_a_value(form, value, label):
    assert column_form(form)(value) == label


@pytest.mark.parametrize(
    ("form", "says"),
    [("{name} *", "must say where the label stands, as in '{label} *'"), ("{label", "closes"), ("*", "must say where")],
)
def test_a_form_without_a_label_is_refused(form, says):
    with pytest.raises(ValueError, match=r"must say where the label stands|closes") as caught:
        column_form(form)
    assert says in str(caught.value)


def test_a_form_that_would_run_for_ever_is_stopped():
    said = refusal(lambda: column_form("{label:(a|aa)+}{y:[b]}")("a" * 60 + "c"))
    assert said.startswith("datasets.yaml: the form ")
    assert said.endswith("use a simpler one")


@pytest.mark.parametrize(
    ("glob", "pattern", "reached"),
    [
        ("data/*", "data/**", "data/cat/1.png"),
        ("fold[12]/*.png", "fold{x1:[12]}/**.png", "fold2/cat/1.png"),
        ("set?/[!b]?*", "set{x1:.}/{x2:[^b]}{x3:.}**", "set1/cat/1.png"),
        ("[*x]/*", "{x1:[**x]}/**", "*/cat/1.png"),
        ("train", "train", "train/cat/1.png"),
    ],
)
def test_the_pattern_for_a_glob_of_the_first_version_reaches_what_that_reached(glob, pattern, reached):
    assert of_first_version(glob) == pattern
    assert Pattern(pattern).match(reached) is not None
    if glob != pattern:
        assert Pattern(glob).reached_in_first_version(reached)
        assert Pattern(glob).match(reached) is None
