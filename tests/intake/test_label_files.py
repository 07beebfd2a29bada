import pytest

from darkroom.intake import label_files
from darkroom.intake.archive import Limits
from tests import make
from tests.intake.fetched import refusal

PICTURES = {"images/cat_1.jpg": b"", "images/dog_2.jpg": b""}
LABELS = b"id,dx,who\ncat_1,cat,p1\ndog_2,dog,p2\n"
MERE = {"train": "images"}


@pytest.fixture
def read(tmp_path):
    """Reads the tables and lists of an entry from an archive of these files."""

    def run(files, **settings):
        source = tmp_path / "a.zip"
        source.write_bytes(make.zip_of(PICTURES | files))
        return label_files.read(source, make.entry(**(MERE | settings)), Limits())

    return run


def said(labels, path="images/dog_2.jpg"):
    match = labels.find(path)
    return match and (match.label, match.group, match.subset)


def test_without_tables_the_archive_is_not_read(tmp_path):
    assert label_files.read(tmp_path / "missing.zip", make.entry(), Limits()) == ([], {})


def test_a_table_is_found_by_its_path_or_its_end_and_its_columns_by_themselves(read):
    for place in ("labels.csv", "meta/labels.csv", "meta/deep/labels.csv"):
        (table,), lists = read({place: LABELS.replace(b",who", b"").replace(b",p1", b"").replace(b",p2", b"")},
                               labels="labels.csv")  # fmt: skip
        assert said(table) == ("dog", None, None)
        assert table.path == place
        assert lists == {}


@pytest.mark.parametrize(
    ("content", "settings", "answer"),
    [
        (LABELS, {"image": "id", "label": "dx"}, ("dog", None, None)),
        (LABELS, {"label": "dx", "group": "who"}, ("dog", "p2", None)),
        (LABELS, {"group": "who"}, (None, "p2", None)),
        (b"cat_1,cat\ndog_2,dog\n", {"image": 0, "label": 1}, ("dog", None, None)),
        (b"cat_1.jpg;0\ndog_2.jpg;1\n", {"label": 1}, ("1", None, None)),
        (b"id,a,b\ncat_1,1,0\ndog_2,0,1\n", {"label": ["a", "b"]}, ("b", None, None)),
        (b"id,p\ncat_1,1 0.2\ndog_2,7 0.9\n", {"label": {"column": "p", "form": "{label} *"}}, ("7", None, None)),
        (b"id,dx,s\ncat_1,c,0\ndog_2,d,1\n",
         {"label": "dx", "split": "s", "splits": {"train": [0], "val": [1]}}, ("d", None, "val")),
    ],
)  # fmt: skip
def test_all_forms_of_a_table(read, content, settings, answer):
    (table,), _ = read({"labels.csv": content}, labels={"file": "labels.csv", **settings})
    assert said(table) == answer


def test_lists_are_read_by_subset(read):
    lists = {"train.txt": b"cat_1\n9\n", "splits/test.csv": b"images/dog_2.jpg\n8\n"}
    tables, found = read(lists, train=["images/{label}_*", "@train.txt"], test="@splits/test.csv")
    assert tables == []
    assert {subset: [one.path for one in own] for subset, own in found.items()} == {
        "train": ["train.txt"],
        "test": ["splits/test.csv"],
    }
    assert found["test"][0].find("images/dog_2.jpg")
    assert not found["train"][0].find("images/dog_2.jpg")


def test_a_table_in_a_nested_archive_is_found(read):
    nested = {"labels.csv.zip": make.zip_of({"labels.csv": LABELS}), "b.zip": make.zip_of({"in/other.csv": LABELS})}
    columns = {"image": "id", "label": "dx"}
    for file, path in (
        ("labels.csv", "labels.csv/labels.csv"),
        ("other.csv", "b/in/other.csv"),
        ("b/in/other.csv", "b/in/other.csv"),
    ):
        (table,), _ = read(nested, labels={"file": file, **columns})
        assert table.path == path
        assert said(table) == ("dog", None, None)


def test_brackets_and_stars_in_the_name_of_a_table_stand_for_themselves(read):
    (table,), _ = read(
        {"a*{1}.csv": LABELS, "a1.csv": b""}, labels={"file": "./a*{1}.csv", "image": "id", "label": "dx"}
    )
    assert table.path == "a*{1}.csv"


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"label.csv": LABELS}, "holds no such file: did you mean label.csv?"),
        ({"x.csv": LABELS, "y.txt": b"a"}, "holds no such file: its tables and texts are x.csv, y.txt"),
        ({}, "holds no such file: it holds no table, so take it out"),
        ({"a/labels.csv": LABELS, "b/labels.csv": LABELS},
         "names 'labels.csv', which may be a/labels.csv or b/labels.csv: give the whole path"),
        ({"labels.csv": b""}, "labels.csv is empty"),
    ],
)  # fmt: skip
def test_a_table_that_is_not_there_or_not_clear_is_told(read, files, says):
    assert says in refusal(lambda: read(files, labels="labels.csv"))


def test_of_two_tables_of_one_name_the_whole_path_means_one(read):
    (table,), _ = read({"labels.csv": LABELS, "b/labels.csv": b"x"}, labels={"file": "labels.csv", "label": "dx"})
    assert table.path == "labels.csv"


def test_columns_that_may_be_read_in_two_ways_are_told(read):
    assert "which column is the label?" in refusal(
        lambda: read({"labels.csv": b"id,a,b\n" + b"cat_1,x,u\ndog_2,y,v\n" * 9}, labels="labels.csv")
    )


def test_a_table_that_cannot_be_unpacked_is_told(read, tmp_path):
    source = tmp_path / "a.zip"
    content = make.zip_of({"labels.csv": LABELS})
    at = content.find(b"PK\1\2") + 16
    source.write_bytes(content[:at] + b"\0\0\0\0" + content[at + 4 :])
    entry = make.entry(labels="labels.csv")
    assert refusal(lambda: label_files.read(source, entry, Limits())) == (
        "the table or list labels.csv cannot be read: it has a wrong checksum"
    )
