import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from darkroom.intake import sieve as module
from darkroom.intake.archive import File, Limits
from darkroom.intake.layout import Layout
from darkroom.intake.opener import Opener
from darkroom.intake.sieve import CLOSED, HIDDEN, NO_LIST, NO_PATTERN, Sieve
from darkroom.intake.zip_reader import failing
from tests import make
from tests.intake.fetched import refusal
from tests.intake.test_layout import listing, named


def sieve(*tables, lists=None, used=(), **settings):
    return Sieve(Layout(make.entry(**settings), tables, lists), frozenset(used))


def passed(ours):
    return {key: (found.files, found.example) for key, found in ours.passed.items()}


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("train/cat/1.png", True),
        ("train/cat/1.JPG", True),
        ("more/1.png", True),
        ("train/loose.png", True),  # to be rejected with a reason
        ("other/cat/1.png", False),
        ("1.png", False),
        ("train/cat/movie.mp4", False),
        ("train/cat/.hidden.png", False),
        ("__MACOSX/train/cat/._1.png", False),
    ],
)
def test_pictures_of_a_subset_are_part_of_the_data(path, part):
    assert sieve(unlabeled="more")(path) is part


def test_what_is_passed_over_is_counted_by_folder_and_reason():
    ours = sieve()
    for path in ("train/cat/a.CR2", "train/cat/b.cr2", "train/dog/notes", "train/dog/x.averylongending", "c.cr2"):
        assert not ours(path)
    for path in ("train/cat/.DS_Store", "__MACOSX/train/cat/._1.txt", "other/1.png", "other/2.png", "train/cat/1.png"):
        ours(path)
    kind = "not read as a picture"
    assert passed(ours) == {
        ("train/cat", f"{kind}: .cr2"): (2, "train/cat/a.CR2"),
        ("train/dog", f"{kind}: no ending"): (1, "train/dog/notes"),
        ("train/dog", f"{kind}: .averylong"): (1, "train/dog/x.averylongending"),
        (".", f"{kind}: .cr2"): (1, "c.cr2"),
        ("train/cat", HIDDEN): (1, "train/cat/.DS_Store"),
        ("__MACOSX/train/cat", HIDDEN): (1, "__MACOSX/train/cat/._1.txt"),
        ("other", NO_PATTERN): (2, "other/1.png"),
    }
    counts = Counter()
    for (_, reason), found in ours.passed.items():
        counts[reason] += found.files
    assert counts == {
        f"{kind}: .cr2": 3,
        HIDDEN: 2,
        NO_PATTERN: 2,
        f"{kind}: no ending": 1,
        f"{kind}: .averylong": 1,
    }


def test_beyond_many_folders_files_are_counted_together(monkeypatch):
    monkeypatch.setattr(module, "PASSED_FOLDERS", 2)
    ours = sieve()
    for number in range(5):
        ours(f"other/{number}/1.png")
    assert [files for files, _ in passed(ours).values()] == [1, 1, 3]
    assert list(ours.passed)[-1] == ("(further folders)", NO_PATTERN)


def test_an_archive_that_stays_closed_is_counted():
    ours = sieve(train="trainingSet")
    assert [ours.may_hold(folder) for folder in ("trainingSet", "trainingSample")] == [True, False]
    assert passed(ours) == {(".", CLOSED): (1, "trainingSample")}


def test_files_of_kinds_that_are_not_read_are_noted_by_class_but_texts_are_none():
    ours = sieve()
    for path in ("train/cat/a.cr2", "train/cat/b.nef", "train/notes/readme.txt", "train/dog/Thumbs.db", "x/y.cr2"):
        ours(path)
    assert ours.kinds == {"cat": {".cr2", ".nef"}}


def test_pictures_come_with_their_places():
    ours = sieve(unlabeled="more")
    paths = ["train/cat/1.png", "other/1.png", "more/2.png"]
    files = (File(path, 1, lambda: b"") for path in paths if ours(path))
    assert [(file.path, place.subset, place.label) for file, place in ours.pictures(files)] == [
        ("train/cat/1.png", "train", "cat"),
        ("more/2.png", "unlabeled", None),
    ]


# Patterns of the first version.


@pytest.mark.parametrize(
    ("train", "paths", "remedy"),
    [
        ("data/*", ["data/cat/1.png"], "to reach data/cat/1.png, write data/**"),
        ("*.png", ["a/cat/1.png"], "to reach a/cat/1.png, write **.png"),
        (["x", "data/*_train/*"], ["data/a_train/cat/1.png"], "write data/**_train/**"),
        ("fold[12]/*", ["fold1/1.png"], "to reach fold1/1.png, write fold{x1:[12]}/*"),
        ("set?/[!b]*", ["set1/cat/1.png"], "write set{x1:.}/{x2:[^b]}**"),
        ("[]]*", ["]/1.png"], "write a name with a form in their place, as {part:[0-9]}"),
        ("data/Ü*", [unicodedata.normalize("NFD", "data/Übung/cat/1.png")], "write data/Ü**"),
    ],
)
def test_an_old_pattern_that_reaches_nothing_now_is_told_with_what_to_write(train, paths, remedy):
    ours = sieve(train=train)
    for path in paths:
        ours(path)
    assert ours.before().startswith("the pattern ")
    assert " reaches no picture, for `*` now stays within a folder, and ? and brackets stand" in ours.before()
    assert ours.before().endswith(remedy)


def test_an_old_pattern_that_reaches_a_picture_is_in_order_whatever_comes_first():
    for paths in (["data/cat/1.png", "data/2.png"], ["data/2.png", "data/cat/1.png"]):
        ours = sieve(train="data/*")
        for path in paths:
            ours(path)
        assert ours.before() == ""
    ours = sieve(train="data/*")
    ours("other/1.png")
    assert ours.before() == ""


# Tables and lists.

LINES = "image,dx,usage\n1,cat,a\n2,dog,b\n3,dog,c"


def table():
    return named(LINES, label="dx", split="usage", splits={"train": ["a"], "unlabeled": ["b"]})


def test_rows_of_pictures_are_used_whatever_becomes_of_the_pictures():
    ours = table()
    look = sieve(ours, train=".")
    assert [look(f"x/{number}.png") for number in (1, 2, 3)] == [True, True, False]
    assert ours.unused() == (0, None)
    assert [key for key in look.passed if "'c'" in key[1]]  # passed over, for splits does not name it


def test_two_pictures_of_one_row_are_refused():
    look = sieve(table(), train=".")
    look("x/1.png")
    assert "names two pictures, x/1.png and y/1.png" in refusal(lambda: look("y/1.png"))


def test_of_a_list_the_rows_are_used_and_other_pictures_are_in_no_list():
    train = listing("cat/1\ncat/2")
    look = sieve(train=["{label}/*", "@train.txt"], lists={"train": [train]})
    assert look("cat/1.png")
    assert not look("cat/3.png")
    assert train.unused()[0] == 1
    assert list(look.passed) == [("cat", NO_LIST)]


def test_tables_that_the_entry_does_not_use_are_looked_into(monkeypatch):
    look = sieve(used=["é/labels.csv"])
    assert not look(unicodedata.normalize("NFD", "é/labels.csv"))
    assert passed(look) == {}
    contents = {"other.csv": b"id,dx\n1,cat\n2,\n", "bad.json": b"{", "large.csv": b"id\n" + b"1\n" * 100}
    monkeypatch.setattr(module, "TABLE_BYTES", 50)
    files = [File(path, len(content), lambda content=content: content) for path, content in contents.items()]
    assert list(look.pictures(file for file in files if look(file.path))) == []
    assert look.heads == {"other.csv": [["1", "2"], ["cat", None]]}


def test_a_link_to_a_container_is_refused():
    ours = Layout(make.entry(train="train.csv"))
    opening = Sieve(ours, opener=Opener(Path("a.zip"), make.entry(train="train.csv"), ours, Limits()))
    link = File("train.csv", 0, failing("a link"), link=True)
    assert "is a link" in refusal(lambda: list(opening.pictures([link])))
