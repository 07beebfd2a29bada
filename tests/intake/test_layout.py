import unicodedata

import pytest

from darkroom.intake import layout, tables
from darkroom.intake.labelling import Columns, Labels
from darkroom.intake.layout import Layout
from tests import make
from tests.intake.fetched import refusal


def named(lines, *, file="labels.csv", **columns):
    """A table with these lines, whose columns are given by their letters in the first one."""
    content = "\n".join(lines.split()).encode()
    return Labels(tables.read(content, file), Columns(**({"image": "image"} | columns)))


def listing(names, file="train.txt"):
    """A list of names, one a line."""
    return Labels(
        tables.read("".join(f"{name}\n" for name in names.split()).encode(), file, header=False), Columns(image=0)
    )


def place(ours, path):
    """Subset, label and group of a path; None where nothing reaches it."""
    found, _ = ours.place(path)
    return found and (found.subset, found.label, found.group)


def problem(ours, path):
    return ours.place(path)[0].problem


# Folders and patterns.

FOLDERS = {"train": "data/train", "val": "data/val", "test": "data/test/", "unlabeled": "/data/more"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("data/train/cat/1.png", ("train", "cat", None)),
        ("data/train/cat/deep/1.png", ("train", "deep", None)),
        ("data/val/dog/1.png", ("val", "dog", None)),
        ("data/test/dog/1.png", ("test", "dog", None)),
        ("data/more/1.png", ("unlabeled", None, None)),
        ("data/more/cat/1.png", ("unlabeled", None, None)),
        ("data/train/1.png", ("train", None, None)),
        ("data/trainer/cat/1.png", None),
        ("data/cat/1.png", None),
        ("x/data/train/cat/1.png", None),
        ("1.png", None),
    ],
)
def test_a_folder_stands_for_all_that_is_below_it(path, expected):
    ours = Layout(make.entry(**FOLDERS))
    assert place(ours, path) == expected
    assert place(ours, path) == expected  # from the cache of folders


@pytest.mark.parametrize(
    ("pattern", "path", "label"),
    [
        (".", "cat/1.png", "cat"),
        (".", "a/cat/1.png", "cat"),
        (".", "1.png", None),
        ("*/*", "cat/1.png", "cat"),
        ("data/*_train/*/*", "data/x_train/cat/1.png", "cat"),
        ("data/*.png", "data/1.png", None),
        ("data/**", "data/1.png", None),
        ("data/**", "data/cat/1.png", "cat"),
        ("fold*/*", "fold1/1.png", "fold1"),
        ("{label}_*", "cat_1.png", "cat"),
        ("{label}/**", "cat/indoor/1.png", "cat"),
        ("{label:[a-z]*}_*", "cat_1.png", "cat"),
        ("{label:[a-z]*}_*", "_1.png", None),  # an empty text is no label
        ("cat/1.png", "cat/1.png", "cat"),
    ],
)
def test_a_label_is_named_by_the_pattern_else_it_is_the_innermost_folder(pattern, path, label):
    ours = Layout(make.entry(train=pattern))
    assert place(ours, path) == ("train", label, None)
    assert problem(ours, path) == ("" if label else layout.NO_FOLDER)


def test_a_single_file_does_not_decide_for_its_folder():
    ours = Layout(make.entry(train=["cat/1.png", "dog"]))
    assert [place(ours, f"cat/{number}.png") for number in (0, 1, 2)] == [None, ("train", "cat", None), None]


def test_a_group_is_named_by_the_pattern():
    ours = Layout(make.entry(train=["{label}/IM-{group}-*", "{label}/{group}_*_*"]))
    assert place(ours, "sick/person1_bacteria_2.jpeg") == ("train", "sick", "person1")
    assert place(ours, "well/IM-0115-0001.jpeg") == ("train", "well", "0115")
    assert place(ours, "well/other.jpeg") is None


def test_unlabelled_pictures_have_no_label_whatever_the_pattern_names():
    ours = Layout(make.entry(unlabeled="more/{label}/*"))
    assert place(ours, "more/cat/1.png") == ("unlabeled", None, None)


def test_the_most_particular_pattern_decides():
    ours = Layout(make.entry(train=".", test="test", unlabeled="test/new"))
    assert place(ours, "ant/1.png") == ("train", "ant", None)
    assert place(ours, "test/ant/1.png") == ("test", "ant", None)
    assert place(ours, "test/new/1.png") == ("unlabeled", None, None)


@pytest.mark.parametrize(
    ("train", "test", "path"),
    [
        (".", "t", "t/ant/1.png"),
        ("", "t", "t/ant/1.png"),
        ("./", "t", "t/ant/1.png"),
        ("pets/*/*.jpg", "pets/test", "pets/test/ant/1.jpg"),
        ("pets", "pets/*/test/*", "pets/new/test/1.jpg"),
        ("data", "*/test/*", "data/test/1.jpg"),
        ("a-long-name", "a-long-name/t", "a-long-name/t/ant/1.jpg"),
        (["x", "t/*/*"], ["y", "t/ant/*"], "t/ant/1.jpg"),
    ],
)
def test_more_particular_is_what_names_more_folders_not_what_is_longer(train, test, path):
    assert place(Layout(make.entry(train=train, test=test)), path)[0] == "test"


def test_two_patterns_of_one_subset_may_both_reach_a_picture():
    ours = Layout(make.entry(train=["a/{label}_*", "a/*_{n}"]))
    assert place(ours, "a/cat_1.png") == ("train", "cat", None)


def test_patterns_of_two_subsets_that_are_equally_particular_are_refused():
    ours = Layout(make.entry(train="a/{label}_*", test="a/*_{n}"))
    assert refusal(lambda: ours.place("a/cat_1.png")) == (
        "a/cat_1.png is reached by train: a/{label}_* and by test: a/*_{n} of datasets.yaml, and neither is more "
        "particular: add folders to the one that is meant"
    )


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("pattern", ["Übung", "Übung/*/*", "Übung/{label}/*"])
def test_both_spellings_of_an_accent_are_one(form, pattern):
    ours = Layout(make.entry(train=unicodedata.normalize(form, pattern)))
    for spelling in ("NFC", "NFD"):
        path = unicodedata.normalize(spelling, "Übung/café/1.png")
        assert place(ours, path) == ("train", unicodedata.normalize("NFC", "café"), None)
        assert ours.may_hold(path.rpartition("/")[0])


def test_a_nested_archive_is_opened_if_any_pattern_may_reach_into_it():
    ours = Layout(make.entry(train="a/train", unlabeled="b"))
    assert [folder for folder in ("a", "a/train", "a/test", "b", "c") if ours.may_hold(folder)] == ["a", "a/train", "b"]


def test_the_layout_is_shown_to_people():
    lists = {"test": [listing("1", "test.txt")]}
    ours = Layout(make.entry(train=["a/", "c"], test=["b", "@test.txt"]), (), lists)
    assert str(ours) == "train: a, c, test: b, @test.txt"


@pytest.mark.parametrize(
    ("settings", "source", "are_folders"),
    [
        ({"train": "a"}, layout.FOLDERS, True),
        ({"train": "{label}_*"}, "{label}_*", False),
        ({"train": "a/{label}_*", "test": "b"}, f"a/{{label}}_* and {layout.FOLDERS}", False),
        ({"train": "a/{label}_*", "unlabeled": "b"}, "a/{label}_*", False),
        ({"train": [f"{n}/{{label}}_*" for n in "abcd"]}, "a/{label}_*, b/{label}_* and 2 more", False),
    ],
)
def test_where_labels_come_from_is_said(settings, source, are_folders):
    ours = Layout(make.entry(**settings))
    assert ours.labels_from() == source
    assert ours.labels_are_folders is are_folders


# Tables.

TABLE = "image,dx,patient\n1,cat,p1\n2,dog,p2\n3,,p3"


def test_a_table_gives_labels_and_groups_for_whatever_the_patterns_reach():
    table = named(TABLE, label="dx", group="patient")
    ours = Layout(make.entry(train="part_*/*"), [table])
    assert place(ours, "part_1/1.jpg") == ("train", "cat", "p1")
    assert place(ours, "part_2/2.jpg") == ("train", "dog", "p2")
    assert place(ours, "other/1.jpg") is None
    assert ours.labels_from() == "labels.csv, column dx"
    assert not ours.labels_are_folders


def test_a_picture_that_the_table_lacks_is_rejected_with_the_reason_unless_unlabeled_names_it_too():
    table = named(TABLE, label="dx")
    ours = Layout(make.entry(train="a"), [table])
    assert problem(ours, "a/9.jpg") == "labels.csv has no row for it"
    assert problem(ours, "a/3.jpg") == "labels.csv gives no label"
    both = Layout(make.entry(train="a", unlabeled="a", labels="labels.csv"), [table])
    assert [place(both, f"a/{number}.jpg")[0] for number in (1, 3, 9)] == ["train", "unlabeled", "unlabeled"]
    assert problem(both, "a/9.jpg") == ""


def test_a_picture_in_no_class_folder_is_not_unlabelled_for_lack_of_a_table():
    ours = Layout(make.entry(train="a/b", unlabeled="a"))
    assert problem(ours, "a/b/1.png") == layout.NO_FOLDER


def test_a_table_says_nothing_of_what_a_pattern_calls_unlabelled():
    """Often both folders count from 1."""
    ours = Layout(make.entry(train="train", unlabeled="test"), [named(TABLE, label="dx")])
    found, _ = ours.place("test/1.jpg")
    assert found == ("unlabeled", None, None, "", ())


def test_where_table_and_path_disagree_the_table_counts_and_the_picture_is_noted():
    ours = Layout(make.entry(train="{label}/*"), [named(TABLE, label="dx")])
    assert place(ours, "cat/1.jpg") == ("train", "cat", None)
    assert place(ours, "cat/2.jpg") == ("train", "dog", None)
    assert place(ours, "cat/9.jpg") == ("train", "cat", None)
    assert ours.disagreements == ["cat/2.jpg"]


def test_a_table_of_groups_alone_leaves_labels_to_folders():
    ours = Layout(make.entry(train="."), [named(TABLE, group="patient")])
    assert place(ours, "cat/2.jpg") == ("train", "cat", "p2")
    assert place(ours, "cat/9.jpg") == ("train", "cat", None)
    assert ours.labels_are_folders


def test_a_table_may_give_the_subset_too():
    lines = "image,dx,usage\n1,cat,0\n2,dog,1\n3,dog,7\n4,cat,5"
    splits = {"train": ["0"], "test": ["1"], "unlabeled": ["5"]}
    ours = Layout(make.entry(train="."), [named(lines, label="dx", split="usage", splits=splits)])
    assert place(ours, "1.jpg") == ("train", "cat", None)
    assert place(ours, "2.jpg") == ("test", "dog", None)
    assert place(ours, "3.jpg") == (None, None, None)
    assert "'7'" in problem(ours, "3.jpg")
    assert place(ours, "4.jpg") == ("unlabeled", None, None)


def test_a_table_without_a_word_of_subsets_does_not_hide_that_a_label_is_missing():
    labels, sides = named(TABLE, label="dx"), named("image,usage\n1,train", file="sides.csv", split="usage")
    ours = Layout(make.entry(train="."), [labels, sides])
    assert place(ours, "3.jpg") == ("train", None, None)
    assert problem(ours, "3.jpg") == "labels.csv gives no label"


def test_of_several_tables_each_gives_what_it_has():
    groups = named("image,who\n1,x\n2,y", file="groups.csv", group="who")
    ours = Layout(make.entry(train="."), [named(TABLE, label="dx"), groups])
    assert place(ours, "a/2.jpg") == ("train", "dog", "y")
    assert len(ours.place("a/2.jpg")[0].rows) == 2


# Lists of names.


def oxford(**more):
    entry = make.entry(train=["images/{label}_*", "@train.txt"], test="@test.txt", **more)
    lists = {"train": [listing("abyssinian_1\nbeagle_2")], "test": [listing("beagle_3\nother/odd", "test.txt")]}
    return Layout(entry, (), lists)


def test_a_list_decides_its_subset_alone_and_labels_come_from_any_pattern():
    ours = oxford()
    assert place(ours, "images/abyssinian_1.jpg") == ("train", "abyssinian", None)
    assert place(ours, "images/beagle_3.jpg") == ("test", "beagle", None)
    assert place(ours, "images/beagle_9.jpg") is None
    assert ours.has_lists
    assert place(ours, "other/odd.jpg") is None
    assert place(ours, "masks/beagle_3.png") is None  # a mask of the same name


def test_a_picture_that_a_list_names_notes_its_row():
    found, _ = oxford().place("images/beagle_3.jpg")
    assert [(table.path, row) for table, row in found.rows] == [("test.txt", 0)]


def test_beside_a_list_another_subset_may_have_a_pattern():
    ours = oxford(val="val/{label}/*", unlabeled="more")
    assert place(ours, "val/cat/1.jpg") == ("val", "cat", None)
    assert place(ours, "more/1.jpg") == ("unlabeled", None, None)


def test_with_a_list_and_a_plain_folder_the_label_is_the_innermost_folder():
    lists = {"train": [listing("apple_pie/1")], "test": [listing("apple_pie/2", "test.txt")]}
    ours = Layout(make.entry(train=["images", "@train.txt"], test="@test.txt"), (), lists)
    assert place(ours, "images/apple_pie/2.jpg") == ("test", "apple_pie", None)


def test_lists_alone_take_labels_from_a_table():
    lists = {"train": [listing("1\n3")], "test": [listing("2", "test.txt")]}
    ours = Layout(make.entry(train="@train.txt", test="@test.txt"), [named(TABLE, label="dx")], lists)
    assert place(ours, "x/1.jpg") == ("train", "cat", None)
    assert place(ours, "x/2.jpg") == ("test", "dog", None)
    assert problem(ours, "x/3.jpg") == "labels.csv gives no label"
    assert ours.may_hold("anything")


def test_a_picture_in_two_lists_is_refused_unless_one_names_it_better():
    entry = make.entry(train=["{label}/*", "@train.txt"], test="@test.txt")
    ours = Layout(entry, (), {"train": [listing("a/1.jpg")], "test": [listing("1.jpg", "test.txt")]})
    assert place(ours, "a/1.jpg") == ("train", "a", None)
    assert place(ours, "b/1.jpg") == ("test", "b", None)
    ours = Layout(entry, (), {"train": [listing("a/1.jpg")], "test": [listing("a/1.jpg", "test.txt")]})
    assert refusal(lambda: ours.place("a/1.jpg")) == (
        "a/1.jpg stands in the list of train and in that of test (datasets.yaml): a picture belongs to one subset, so "
        "take it out of one of the two"
    )
