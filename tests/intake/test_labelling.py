"""What a table says of a picture."""

import pytest

from darkroom.base.errors import UserError
from darkroom.intake.labelling import Columns, Labels, Match, Part
from tests.intake.labels_in_tables import table

TEXT = "image,label,patient,part\na.jpg,cat,p1,train\nb.jpg,dog,p2,test\nc.jpg,,,other\nd.jpg,dog,p2,\n"
SPLITS = {"train": ["train"], "test": ["test"]}
ALL = Columns("image", "label", "patient", "part", SPLITS)


def test_a_picture_gets_what_its_row_says():
    labels = Labels(table(TEXT), ALL)
    assert labels.find("x/a.jpg") == Match(0, 1, "cat", "p1", "train", None)
    assert labels.find("x/e.jpg") is None


def test_what_a_row_does_not_say_has_a_reason():
    labels = Labels(table(TEXT), ALL)
    assert labels.find("c.jpg")[2:] == (None, None, None, "labels.csv gives no label")
    assert labels.find("d.jpg")[2:] == ("dog", "p2", None, "labels.csv gives no subset")
    unlabelled = Labels(table(TEXT), Columns("image", split="part", splits=SPLITS))
    assert unlabelled.find("c.jpg")[2:] == (
        None, None, None, "labels.csv gives the subset 'other', which splits does not name",
    )  # fmt: skip


def test_a_table_may_give_no_labels():
    assert Labels(table(TEXT), Columns("image", group="patient")).find("b.jpg") == Match(1, 0, None, "p2", None, None)


def test_a_part_of_a_column_is_the_label():
    part = Part("label", lambda text: text[0] if text == "cat" else None)
    labels = Labels(table(TEXT), Columns("image", part))
    assert labels.find("a.jpg").label == "c"
    assert labels.find("b.jpg").reason == "labels.csv gives no label of the form asked for"


def test_a_row_in_which_no_column_is_set_has_a_reason():
    labels = Labels(table("image,cat,dog\na.jpg,1,0\nb.jpg,0,0\n"), Columns("image", ["cat", "dog"]))
    assert labels.find("a.jpg").label == "cat"
    assert labels.find("b.jpg").reason == "no label column of labels.csv is set"


def test_columns_may_be_numbers():
    labels = Labels(table("a.jpg cat\nb.jpg dog\n", "x.txt", header=False), Columns(0, 1))
    assert labels.find("b.jpg").label == "dog"


@pytest.mark.parametrize(
    "columns", [Columns("picture"), Columns("image", group="lesion"), Columns("image", ["no", "label"])]
)
def test_a_missing_column_is_told(columns):
    with pytest.raises(UserError, match=r"labels.csv has no column '.*it has 'image'"):
        Labels(table(TEXT), columns)


def test_without_a_column_of_pictures_the_columns_are_listed():
    with pytest.raises(
        UserError, match=r"labels.csv: say which column names the pictures: it has 'image', 'label', 'pat"
    ):
        Labels(table(TEXT), Columns())


def test_rows_that_say_the_same_count_once():
    labels = Labels(table("image,label\na.jpg,cat\n./a.jpg,cat\nb.jpg,dog\n,cow\n"), Columns("image", "label"))
    assert (labels.repeated, labels.unnamed, labels.find("a.jpg").row) == (1, 1, 0)
    assert labels.unused() == (3, "'a.jpg' in line 2")


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (
            "dog,p1,train",
            r"several labels a picture \('a.jpg': 'cat' in line 2, 'dog' in line 4\): Darkroom classifies",
        ),
        (",p1,train", r"several labels a picture \('a.jpg': 'cat' in line 2, 'nothing' in line 4\)"),
        (
            "cat,p2,train",
            r"several groups a picture \('a.jpg': 'p1' in line 2, 'p2' in line 4\): correct one of the rows",
        ),
        ("cat,p1,test", r"several subsets a picture \('a.jpg': 'train' in line 2, 'test' in line 4\)"),
    ],
)
def test_rows_of_one_picture_that_differ_are_refused(second, said):
    found = table(f"image,label,patient,part\na.jpg,cat,p1,train\nb.jpg,cat,p1,train\na.jpg,{second}\n")
    with pytest.raises(UserError, match=said):
        Labels(found, ALL)


def test_a_coco_picture_of_several_categories_is_refused():
    coco = (
        '{"images": [{"id": 1, "file_name": "a.jpg"}], '
        '"categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}], '
        '"annotations": [{"image_id": 1, "category_id": 1}, {"image_id": 1, "category_id": 2}]}'
    )
    with pytest.raises(
        UserError, match=r"coco.json gives several labels a picture \('a.jpg': 'cat' in row 1, 'dog' in row 2"
    ):
        Labels(table(coco, "coco.json"), Columns("file_name", "category"))


def test_rows_without_a_picture_are_counted():
    labels = Labels(table(TEXT), ALL)
    for path in ["x/a.jpg", "x/c.jpg", "x/c.jpg"]:
        labels.use(path, labels.find(path).row)
    assert labels.unused() == (2, "'b.jpg' in line 3")
    for path in ["x/b.jpg", "x/d.jpg"]:
        labels.use(path, labels.find(path).row)
    assert labels.unused() == (0, None)


def test_two_pictures_that_take_one_row_are_told():
    labels = Labels(table(TEXT), ALL)
    labels.use("x/a.jpg", labels.find("x/a.jpg").row)
    with pytest.raises(
        UserError, match=r"labels.csv, line 2, names two pictures, x/a.jpg and y/a.jpg: give the whole path"
    ):
        labels.use("y/a.jpg", labels.find("y/a.jpg").row)


def test_of_two_tables_the_one_beside_the_picture_ranks_first():
    tables = [Labels(table(TEXT, f"{folder}/labels.csv"), ALL) for folder in ("train", "test")]
    ranks = [labels.find("test/a.jpg").rank for labels in tables]
    assert ranks == [1, 0]


def test_many_labels_that_are_fractions_are_refused():
    text = "image,label\n" + "".join(f"{number}.jpg,{number / 7}\n" for number in range(300))
    with pytest.raises(UserError, match="holds numbers, not classes"):
        Labels(table(text), Columns("image", "label"))
