import re

import pytest

from darkroom.base.errors import UserError
from darkroom.config import params
from darkroom.config.catalogue import checked
from darkroom.config.entry_name import check_name
from darkroom.config.patterns import Pattern, of_first_version
from darkroom.config.yaml_files import dump, read_yaml
from darkroom.tools import entry_findings
from tests import make
from tests.conftest import ROOT

ENTRY = {"path": "a.zip", "train": "train", "channels": 1, "image_size": 8}


def told(project, **entries):
    """What is found of these entries, beside those that come along."""
    project.datasets.write_text(project.datasets.read_text() + dump(entries))
    return [(finding.state, finding.text) for finding in entry_findings.entries()]


def chosen(project, name):
    project.set(dataset=name)
    return params.load()


def test_the_catalogue_that_comes_along_is_in_order(project):
    assert list(entry_findings.entries()) == []


def test_every_name_in_the_catalogue_that_no_entry_can_have_is_told(project):
    text = project.datasets.read_text() + "flowers.v2: {}\n2025: {}\n'7': {}\n"
    project.datasets.write_text(text)
    found = list(entry_findings.entries())
    assert [(finding.state, finding.name) for finding in found] == [("problem", "datasets.yaml")] * 3
    for finding, name in zip(found, ("flowers.v2", 2025, "7"), strict=True):
        project.set(dataset=name)
        assert finding.text == make.refusal(params.load)


def test_files_that_cannot_be_read_are_told_elsewhere(project):
    project.datasets.write_text("- no mapping")
    assert list(entry_findings.entries()) == []


def test_entries_that_are_not_chosen_are_checked_and_told_once(project):
    entries = {
        "thin": {key: value for key, value in ENTRY.items() if key != "train"},
        "fine": ENTRY,
        "key": ENTRY | {"recipe": {"train.seed": 1}},
        "value": ENTRY | {"recipe": {"train.epochs": 0}},
    }
    project.set(tracking__enabled=5)  # stands in no entry, so that none is blamed for it
    assert told(project, **entries) == [
        ("warning", "datasets.yaml: thin.train is missing: add it"),
        ("warning", make.refusal(lambda: chosen(project, "key"))),
        ("warning", "datasets.yaml: value.recipe.train.epochs is 0, but must be greater than or equal to 1"),
    ]
    known = "datasets.yaml: thin.train is missing: add it"
    assert next(entry_findings.entries(known)).text.startswith("datasets.yaml: key.recipe")


@pytest.mark.parametrize(
    ("key", "text", "line", "one_folder"),
    [
        ("train", "data/*", 'write train: "data/**"', '"data/{picture}"'),
        ("test", "*/val/*.png", 'write test: "**/val/**.png"', '"*/val/{picture}.png"'),
        ("unlabeled", "part_?/[!a]x", 'write unlabeled: "part_{x1:.}/{x2:[^a]}x"', None),
        ("train", "part_[12]/*", 'write train: "part_{x1:[12]}/**"', None),
    ],
)
def test_a_glob_of_the_first_version_is_told_with_the_pattern_to_write(project, key, text, line, one_folder):
    ((state, sentence),) = told(project, old=ENTRY | {key: text})
    assert (state, sentence.startswith(f"old.{key} is {text!r}: ")) == ("warning", True)
    assert line in sentence
    assert ("`*` crossed folders" in sentence, "? and brackets" in sentence) == ("*" in text, "[" in text)
    assert sentence.endswith(f"or {one_folder} if one folder is meant" if one_folder else line)


def test_the_patterns_to_write_reach_what_they_say_and_are_told_no_more(project):
    assert Pattern("data/**").match("data/cat/1.png") is not None
    assert Pattern("data/{picture}").match("data/1.png") is not None
    assert Pattern("data/{picture}").match("data/cat/1.png") is None
    for number, text in enumerate(("data/**", "data/{picture}", "part_{x1:.}/{x2:[^a]}x", "part_{x1:[12]}/**")):
        assert told(project, **{f"new{number}": ENTRY | {"train": text}}) == []


@pytest.mark.parametrize(
    "key", [{"val": "val"}, {"labels": "a.csv"}, {"min_images": 3}, {"resize": "pad"}, {"train": ["data/*"]}]
)
def test_an_entry_with_a_newer_key_is_not_taken_for_an_old_one(project, key):
    assert told(project, new=ENTRY | {"train": "data/*"} | key) == []


def test_labels_that_become_one_class_are_named(project):
    classes = {"a": "one", "b": "two", "c": "one", "d": "three"}
    assert told(project, old=ENTRY | {"classes": classes}) == [
        ("ok", "old.classes makes one class, 'one', of the labels 'a', 'c'")
    ]


def test_that_the_makers_test_pictures_are_kept_is_said_where_no_line_says_so(project):
    def found():
        return [finding.text for finding in entry_findings.given_test(*params.load())]

    assert found() == []  # digits have none
    project.add("mine", path="a.zip", test="test")
    (text,) = found()
    assert text.startswith("split.use_given_test is auto: the makers' test pictures of mine are kept as the test split")
    assert text.endswith("-S split.use_given_test=false does")
    project.set(split__use_given_test=False)
    assert found() == []
    project.set(split__use_given_test="auto")
    make.edit(project.datasets, {"mine.recipe": {"split.use_given_test": True}})
    assert found() == []


def test_an_entry_is_checked_alone_as_in_its_catalogue(project):
    assert checked("mine", ENTRY).train == "train"
    with pytest.raises(UserError, match=r"datasets.yaml: mine.channels is 2, but must be 1 or 3"):
        checked("mine", ENTRY | {"channels": 2})
    assert read_yaml(project.params)["dataset"] == "digits"


def test_the_list_of_changes_says_what_the_doctor_says(project):
    rows = re.findall(r"^\| (.*) \| (.*) \|$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    globs = [pair for pair in rows if "train:" in pair[0]]
    patterns = [re.findall(r'"([^"]+)"', cell) for row in globs for cell in row]
    assert [[of_first_version(glob) for glob in old] for old in patterns[::2]] == patterns[1::2] != []
    ((old, new),) = (pair for pair in rows if "entry called" in pair[0])
    for name, instead in zip(re.findall("`([^`]+)`", old), re.findall("`([^`]+)`", new), strict=True):
        assert make.refusal(lambda name=name: check_name(name)).endswith(f"params.yaml: {instead}")
    ((_, lines),) = (pair for pair in rows if "without the new keys" in pair[0])
    make.edit(project.params, {"split.use_given_val": ..., "split.near_duplicates": ..., "split.stable": ...})
    make.edit(project.params, {"train.fraction": ...})
    said = re.findall("`([^`]+: [^`]+)`", make.refusal(params.load))
    assert said == re.findall("`([^`]+: [^`]+)`", lines) != []
