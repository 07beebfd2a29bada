"""Columns are found where one reading fits; else a sentence has the line to write."""

import io

import numpy as np
import pytest
from scipy.io import savemat

from darkroom.base.errors import UserError
from darkroom.intake.column_guess import guess_columns
from darkroom.intake.labelling import Columns
from darkroom.intake.tables import read
from tests.intake.labels_in_tables import table

NAMES = [f"train/img_{number}.jpg" for number in range(20)]


def rows(*columns, header=None):
    """A CSV of columns, each a function of the picture's number."""
    lines = [",".join(str(column(number)) for column in columns) for number in range(20)]
    return "\n".join(([header] if header else []) + lines) + "\n"


def stem(number):
    return f"img_{number}"


def kind(number):
    return "cat" if number % 2 else "dog"


def test_two_columns_leave_one_reading():
    assert guess_columns(table(rows(stem, kind, header="id,breed")), NAMES) == Columns("id", "breed")


def test_the_only_other_column_is_the_label_whatever_it_holds():
    assert (
        guess_columns(
            table(rows(stem, stem, header="id,x").replace("\n", "\n", 1)), NAMES[:1] * 0 or NAMES, Columns("id")
        ).label
        == "x"
    )


def test_columns_that_are_all_different_all_equal_or_numbers_are_no_labels():
    text = rows(stem, kind, lambda n: f"u{n}", lambda n: "same", lambda n: n % 3 / 4, header="id,breed,user,set,share")
    assert guess_columns(table(text), NAMES) == Columns("id", "breed")


def test_what_is_given_is_no_label():
    text = rows(stem, kind, lambda n: n % 4, header="id,breed,patient")
    assert guess_columns(table(text), NAMES, Columns(group="patient")) == Columns("id", "breed", "patient")
    assert guess_columns(table(text), NAMES, Columns(label="patient")) == Columns("id", "patient")


def test_several_labels_are_a_question_with_the_line_to_write():
    text = rows(stem, kind, lambda n: n % 4, header="id,breed,age")
    line = r"`labels: \{file: labels.csv, image: id, label: …\}`"
    with pytest.raises(UserError, match=rf"which column is the label\? 'breed', 'age' may all be it: .* {line}"):
        guess_columns(table(text), NAMES)


@pytest.mark.parametrize(
    ("columns", "header", "said"),
    [
        ([stem], "id", "it has no column beside 'id'"),
        ([stem, lambda n: "same", lambda n: f"u{n}"], "id,set,user", "none of 'set', 'user' looks like one"),
    ],
)
def test_no_label_is_told(columns, header, said):
    with pytest.raises(UserError, match=said):
        guess_columns(table(rows(*columns, header=header)), NAMES)


def test_numbers_that_name_few_pictures_are_not_taken_for_names():
    names = [f"train/{number}.jpg" for number in range(20)]
    text = rows(lambda n: n % 3, lambda n: n, header="label,id")
    assert guess_columns(table(text), names) == Columns("id", "label")


def test_of_two_columns_that_name_alike_the_more_exact_is_taken():
    text = rows(stem, lambda n: f"train/img_{n}.jpg", kind, header="id,path,breed")
    assert guess_columns(table(text), NAMES) == Columns("path", "breed")


def test_two_columns_that_name_different_pictures_are_a_question():
    text = rows(stem, lambda n: stem(19 - n), kind, header="left,right,same")
    with pytest.raises(UserError, match="columns 'left' and 'right' both name pictures: say which does"):
        guess_columns(table(text), NAMES)


def test_a_table_that_names_no_pictures_is_told_with_examples():
    with pytest.raises(
        UserError, match=r"has no column that names pictures: 'id' has 'x0', .* and a picture is called 'train/img_0"
    ):
        guess_columns(table(rows(lambda n: f"x{n}", kind, header="id,breed")), NAMES)


def test_a_table_without_a_header_is_told():
    with pytest.raises(UserError, match=r"seems to have no header, for 'img_0' in its first row .* image: 0, label: 1"):
        guess_columns(table("img_0,cat\nnothing,dog\n"), NAMES)


def test_few_pictures_of_a_large_table_and_few_rows_for_many_pictures_are_enough():
    text = rows(stem, kind, header="id,breed")
    assert guess_columns(table(text), NAMES[:2]).image == "id"
    assert guess_columns(table(text), [*NAMES, *(f"test/{number}.png" for number in range(500))]).image == "id"


def test_a_list_needs_no_label():
    found = table("img_1 1 1\nimg_2 2 1\n", "trainval.txt", header=False)
    assert guess_columns(found, NAMES, label=False) == Columns(0)


@pytest.mark.parametrize(("label", "columns"), [(True, Columns("image", "label")), (False, Columns("label"))])
def test_a_vector_is_labels_or_a_list_of_numbers(label, columns):
    file = io.BytesIO()
    savemat(file, {"ids": np.array([[3, 7]])})
    assert guess_columns(read(file.getvalue(), "setid.mat"), NAMES, label=label) == columns
