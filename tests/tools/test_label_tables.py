import pytest

from darkroom.tools.label_tables import finer, naming_tables, same, split_column
from tests.tools.drafting import table

PICTURES = [f"images/{number}.png" for number in range(12)]


def one(rows, header, path="t.csv"):
    found, others = naming_tables({path: table(rows, header).encode()}, PICTURES)
    return found[0] if found else others[path]


def rows(*columns):
    return [",".join(str(column(number)) for column in columns) for number in range(12)]


def name(number):
    return f"{number}.png"


def test_the_column_that_names_pictures_is_found():
    found = one(rows(lambda n: n * 100, name, lambda n: "ab"[n % 2]), "id,file,label")
    assert found.image == "file"
    assert [column.kind for column in found.columns] == ["unique", "words"]
    assert found.rows(["images/3.png", "images/77.png"]) == [3, -1]


def test_a_table_that_names_none_says_why():
    assert "no column that names pictures" in one(rows(lambda n: f"z{n}"), "file")
    assert "pixels" in one(rows(lambda n: n, lambda n: 0), "pixel0,pixel1")


def test_a_table_without_header_is_read_by_numbers():
    found = one(rows(name, lambda n: n % 2)[1:], "0.png,1")
    assert found.image == 0


@pytest.mark.parametrize(
    ("key", "label", "group", "other"),
    [
        ("label", True, False, False), ("class id", True, False, False), ("dx", True, False, False),
        ("dx_type", False, False, True), ("patient_id", False, True, False), ("subject", False, True, False),
        ("patient age", False, False, True), ("material", False, False, False), ("lesion_type", False, False, True),
    ],
)  # fmt: skip
def test_columns_say_what_they_are(key, label, group, other):
    column = one(rows(name, lambda n: "ab"[n % 2]), f"file,{key}").columns[0]
    assert (column.says_label, column.says_group, column.says_other) == (label, group, other)


@pytest.mark.parametrize(
    ("file", "subset"),
    [
        ("train.csv", "train"),
        ("trainLabels.csv", "train"),
        ("trainval.txt", "train"),
        ("test.csv", "test"),
        ("labels.csv", None),
    ],
)
def test_the_name_of_a_table_says_its_subset(file, subset):
    assert one(rows(name, lambda n: "ab"[n % 2]), "file,label", file).subset == subset


def test_samples_of_submissions_are_known():
    assert one(rows(name, lambda n: 0), "file,label", "sampleSubmission.csv").is_sample
    assert not one(rows(name, lambda n: 0), "file,label", "labels.csv").is_sample


@pytest.mark.parametrize(
    ("header", "words", "meaning", "usual"),
    [
        ("split", ["train", "test"], {"train": ["train"], "test": ["test"]}, True),
        ("Usage", ["Training", "PublicTest", "PrivateTest"],
         {"train": ["Training"], "val": ["PublicTest"], "test": ["PrivateTest"]}, False),
        ("is_train", ["0", "1"], {"train": ["1"], "test": ["0"]}, False),
    ],
)  # fmt: skip
def test_a_column_of_subsets_is_understood(header, words, meaning, usual):
    found = split_column(one(rows(name, lambda n: words[n % len(words)]), f"file,{header}"))
    assert found == (header, meaning, usual)


def test_other_columns_are_no_subsets():
    assert split_column(one(rows(name, lambda n: "ab"[n % 2]), "file,label")) is None


def test_labels_are_compared():
    assert same(["a", "b", "a"], ["1", "2", "1"])
    assert not same(["a", "b", "a"], ["1", "2", "2"])
    assert finer(["a", "b", "c"], ["1", "1", "2"])
    assert not finer(["1", "1", "2"], ["a", "b", "c"])
