from collections import Counter

import pyarrow as pa
import pytest

from darkroom.intake import understanding
from darkroom.intake.archive import File
from tests.intake.test_layout import listing, named
from tests.intake.test_sieve import sieve


def index_of(rows, groups=None):
    """An index of pictures, given as path, label and subset."""
    paths, labels, subsets = zip(*rows, strict=True) if rows else ((), (), ())
    groups = groups or [None] * len(paths)
    columns = {"path": paths, "label": labels, "subset": subsets, "group": groups}
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


ROWS = [("a/cat/1.png", "cat", "train"), ("a/cat/2.png", "cat", "train"), ("a/dog/3.png", "dog", "test")]


def test_the_classes_their_numbers_and_the_source_of_the_labels_are_said():
    rows = [*ROWS, ("more/1.png", None, "unlabeled")]
    assert list(understanding.data(index_of(rows), ["cat", "dog"], "labels.csv, column dx")) == [
        "2 classes: cat 2, dog 1 (labels from labels.csv, column dx)",
        "subsets: train 2, test 1, unlabeled 1",
    ]


def test_of_many_classes_the_first_are_said():
    rows = [(f"{number}/1.png", str(number), "train") for number in range(1000)]
    first, _ = understanding.data(index_of(rows), [str(number) for number in range(1000)], "folders")
    assert first.startswith("1,000 classes: 0 1, 1 1, 2 1")
    assert first.endswith("11 1 and 988 more (labels from folders)")


def test_groups_are_counted():
    _, subsets = understanding.data(index_of(ROWS, ["p1", "p1", "p2"]), ["cat", "dog"], "folders")
    assert subsets == "subsets: train 2, test 1; 2 groups, none of which is torn apart later"


def test_what_is_left_out_is_counted_by_reason():
    rejected = [("1", "it is empty"), ("2", "it is cut short"), ("3", "it is empty")]
    passed = [("a", "a kind", 3, "a/1"), ("b", "a kind", 2, "b/1"), ("c", "no pattern", 1, "c/1")]
    hidden = ("d", understanding.HIDDEN, 9, "d/.DS_Store")
    assert list(understanding.left_out(rejected, [*passed, hidden])) == [
        "3 files rejected, see data/images/rejected.csv: it is empty (2); it is cut short (1)",
        "6 files passed over, see data/images/passed_over.csv: a kind (5); no pattern (1)",
    ]
    assert list(understanding.left_out([], [hidden])) == []


def test_of_many_reasons_the_first_are_named():
    counts = Counter({f"reason {number}": 10 - number for number in range(7)})
    assert understanding.by_reason(counts).endswith("reason 4 (6); other reasons (9)")


# Warnings.


def warnings(paths, rows=ROWS, tables=(), lists=None, contents=None, **settings):
    look = sieve(*tables, lists=lists, **({"train": "a"} | settings))
    files = [File(path, 1, lambda path=path: (contents or {})[path]) for path in paths]
    for _ in look.pictures(file for file in files if look(file.path)):
        pass
    return list(understanding.warnings(look, [*tables, *(lists or {}).get("train", [])], index_of(rows)))


PATHS = [path for path, _, _ in ROWS]


def test_where_all_is_well_there_is_no_warning():
    assert warnings([*PATHS, "README.md", "a/cat/.hidden.png", "a/cat/movie.mp4", "a/notes.txt"]) == []


@pytest.mark.parametrize(
    ("others", "settings", "said"),
    [
        (
            [f"b/{label}/{number}.png" for label in "xy" for number in range(3)],
            {},
            "no pattern reaches 6 pictures (b 6): if they belong to the data, add their folder to train, val, test or "
            'unlabeled, as in train: [..., "b"]',
        ),
        (["b/1.png", "c/d/1.png", "c/e/1.png"], {}, '3 pictures (c 2, b 1): if they belong to the data, add their'),
        (["1.png"], {}, 'reaches 1 picture (in no folder 1): if they belong'),
        (["1.png"], {}, 'as in train: [..., "*"]'),
        (["a/x/1.png"], {"train": ["a/cat/*", "a/dog/*"]}, 'no pattern reaches 1 picture (a/x 1)'),
        (["a/cat/1.jpg"], {"train": "a/{label}/*.png"}, 'as in train: [..., "a/cat/*"]'),
    ],
)  # fmt: skip
def test_pictures_that_no_pattern_reaches_are_told_by_their_outermost_folder(others, settings, said):
    (only,) = warnings([*PATHS, *others], **settings)
    assert said in only


def test_a_class_of_files_that_are_not_read_is_told():
    assert warnings([*PATHS, "a/eel/1.cr2", "a/eel/2.CR2", "a/cat/3.cr2"]) == [
        "all files of eel are of a kind that is not read (.cr2): save them as PNG or JPEG"
    ]


def test_rows_of_a_table_that_name_no_picture_are_told():
    table = named("image,dx\n1,cat\n2,cat\n3,dog\n9,dog\n8,dog", label="dx")
    assert warnings(PATHS, tables=[table]) == [
        "2 rows of labels.csv name no picture of the data, the first being '9' in line 5"
    ]
    table = named("image,dx\n1,cat\n2,cat\n3,dog", label="dx")
    assert warnings(PATHS, tables=[table]) == []


def test_names_of_a_list_that_are_no_pictures_are_told():
    names = listing("cat/1\ncat/2\ndog/3\ndog/9")
    (only,) = warnings(PATHS, lists={"train": [names]}, train=["a/{label}/*", "@train.txt"])
    assert only.startswith("1 row of train.txt names no picture of the data, the first being 'dog/9'")


def test_pictures_beside_a_list_are_counted_without_a_warning():
    names = listing("cat/1\ncat/2\ndog/3")
    paths = [*PATHS, "a/cat/9.png"]
    assert warnings(paths, lists={"train": [names]}, train=["a/{label}/*", "@train.txt"]) == []


def test_where_table_and_path_disagree_is_told():
    table = named("image,dx\n1,cat\n2,dog\n3,dog", label="dx")
    assert warnings(PATHS, tables=[table], train="a/{label}/*") == [
        "1 picture of another label in the table than in the path, the first being a/cat/2.png: the table counts; take "
        "{label} out of the pattern, or `label` out of the table"
    ]


LABELS = "if it holds their labels, write labels: other.csv"
GROUPS = (
    "if it says which of them belong together, as those of one patient do, write labels: {file: other.csv, group: "
    "COLUMN}"
)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"id,dx\n1,x\n2,y\n3,z\n", LABELS),
        (b"file,dx\n1.png,x\n2.png,y\n7.png,z\n", LABELS),
        (b"path\na/cat/1.png\na/cat/2.png\n", LABELS),
        (b"id,dx\n1,cat\n2,cat\n3,cat\n", LABELS),
        (b"id,dx\n1,cat\n2,cat\n3,dog\n", None),  # it says what is known already
        (b"who,id,dx\nx,1,cat\nx,2,cat\ny,3,dog\n", GROUPS),
        (b"id,dx\n1,x\n8,y\n9,z\n", None),
        (b"id,dx\n", None),
        (b"{", None),
    ],
)
def test_a_table_that_names_the_pictures_and_is_not_used_is_told(content, told):
    said = warnings([*PATHS, "other.csv"], contents={"other.csv": content})
    assert said == ([f"other.csv names the pictures and is not used: {told}"] if told else [])
