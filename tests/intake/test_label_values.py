"""Values as labels and subsets, and what is no label of a classifier."""

import pytest

from darkroom.base.errors import UserError
from darkroom.intake import label_values
from tests.intake.labels_in_tables import table


def check(*labels):
    """Check the labels of one column."""
    column = "\n".join(f'"{label}"' for label in labels)
    found = table(f"label\n{column}\n")
    label_values.check_classes(label_values.of_column(found.column("label")), found, "label")


@pytest.mark.parametrize(
    "labels",
    [
        ["cat", "dog"],
        ["0", "1.0", "2", "-1"],
        [str(number) for number in range(500)],
        ["golden retriever", "basset hound", "retriever"],
        ["cats | dogs", "cats | dogs", "birds"],
        ["small cat", "small dog", "big cat"],
        ["0.5", "1", "unknown"],
        ["nan", "inf"],
        ["[1]", "[2]"],
        ["no finding", "no finding", "no finding", "a|b", "c|a"],
    ],
)
def test_classes_are_let_pass(labels):
    check(*labels)


@pytest.mark.parametrize("labels", [["0.25", "0.5"], ["1", "2", "2.5"], ["1e-3", ".5", "7."]])
def test_numbers_are_refused_by_name(labels):
    with pytest.raises(UserError, match=f"labels.csv, column 'label', holds numbers, not classes .{labels[0]}, "):
        check(*labels)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["1|5|7", "1|2", "3"], r"\(line 2: '1\|5\|7'\)"),
        (["[1, 2]", "[3, 4]", "x"], r"\(line 2: '\[1, 2\]'\)"),
        (["cat", "dog", "cat dog", "cat"], r"\(line 4: 'cat dog'\)"),
        (["No Finding", "No Finding", "No Finding", "Mass", "Nodule", "Mass|Nodule"], r"\(line 7: 'Mass\|Nodule'\)"),
        (["16 0", "0", "16", "5"], r"\(line 2: '16 0'\)"),
    ],
)
def test_lists_of_labels_are_refused_by_name(labels, said):
    with pytest.raises(
        UserError, match=f"gives several labels a picture {said}: Darkroom classifies, one class a picture"
    ):
        check(*labels)


def test_the_column_that_is_set_is_the_label():
    found = table("image,cat,dog\na,1,0\nb,,X\nc,no,true\nd,0.0,\n")
    assert label_values.one_hot(found, ["cat", "dog"]) == ["cat", "dog", "dog", None]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1,1", r"labels.csv gives several labels a picture \(line 3: cat, dog\): Darkroom classifies"),
        ("0.7,0.3", "labels.csv, column 'cat', holds '0.7' in line 3: of several label columns"),
    ],
)
def test_columns_of_which_not_one_is_set_are_refused(row, said):
    with pytest.raises(UserError, match=said):
        label_values.one_hot(table(f"cat,dog\n1,0\n{row}\n"), ["cat", "dog"])


def subsets(values, splits=None):
    found = table("split\n" + "\n".join(values) + "\n")
    return label_values.subsets(label_values.of_column(found.column("split")), found, "split", splits)


def test_the_usual_words_are_understood():
    assert subsets(["Training", "valid", "dev", "TEST"]) == ["train", "val", "val", "test"]


def test_other_words_are_told_with_the_line_to_write():
    with pytest.raises(UserError, match=r"'0', '1', and '0' is none .* splits: \{train: \[0\], test: \[1\]\}\}`"):
        subsets(["0", "1"])


def test_words_mean_what_splits_says():
    given = {"train": [0], "val": ["1"], "unlabeled": ["not used"]}
    assert subsets(["0", "1", "2", "not used"], given) == ["train", "val", None, "unlabeled"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"train": ["a"], "test": ["a"]}, "splits gives 'a' of labels.csv to train and to test"),
        ({"train": ["0"]}, "splits names no value that labels.csv has in column 'split': it has 'a', 'b c'"),
    ],
)
def test_splits_that_cannot_be_meant_are_refused(given, said):
    with pytest.raises(UserError, match=said):
        subsets(["a", "b c"], given)
