import pytest

from darkroom.base.errors import UserError
from darkroom.tools.asking import Asking
from darkroom.tools.choose_labels import for_others, for_training
from darkroom.tools.label_tables import naming_tables
from tests.tools.drafting import pictures, table
from tests.tools.test_label_sources import FLAT, part


def chosen(own, rows=None, header="", answers=None):
    tables = naming_tables({"t.csv": table(rows, header).encode()}, own.paths)[0] if rows else []
    asking = Asking(answers or {})
    return for_training(own, tables, asking), [one.name for one in asking.open()]


def rows(*columns):
    return [",".join([f"{n}.png", *(column(n) for column in columns)]) for n in range(12)]


CLASSES = part([f"d/{'ab'[n % 2]}/{n}.png" for n in range(12)])


def test_folders_count_where_a_column_confirms_them():
    source, asked = chosen(CLASSES, rows(lambda n: "xy"[n % 2], lambda n: "pq"[n // 6]), "file,label,species")
    assert (source.kind, asked) == ("folders", [])


def test_a_column_that_says_otherwise_than_folders_is_asked_about():
    source, asked = chosen(CLASSES, rows(lambda n: "xyz"[n % 3]), "file,label")
    assert (source.kind, asked) == ("folders", ["label"])
    assert chosen(CLASSES, rows(lambda n: "xyz"[n % 3]), "file,label", {"label": "label"})[0].kind == "table"


def test_a_column_that_is_called_label_counts_before_others():
    source, asked = chosen(FLAT, rows(lambda n: "xyz"[n % 3], lambda n: "ab"[n % 2]), "file,material,diagnosis")
    assert (source.column, asked) == ("diagnosis", [])


@pytest.mark.parametrize("header", ["material,colour", "boneage,male"])
def test_columns_that_are_not_called_label_are_asked_about(header):
    assert chosen(FLAT, rows(lambda n: str(n % 3), lambda n: "ab"[n % 2]), f"file,{header}")[1] == ["label"]


def test_names_that_a_column_of_numbers_confirms_are_the_classes():
    own = part([f"d/{'ab'[n % 2]}_{n}.png" for n in range(12)])
    lines = [f"{'ab'[n % 2]}_{n}.png,{n % 2}" for n in range(12)]
    assert chosen(own, lines, "file,class")[0].kind == "names"


def test_several_labels_a_picture_are_refused():
    with pytest.raises(UserError, match="several labels a picture"):
        chosen(
            FLAT, rows(lambda n: f"{'ab'[n % 2]}|{'bc'[n % 2]}", lambda n: str(n % 3)), "file,Finding Labels,Follow-up"
        )


def test_nothing_that_labels_is_refused():
    with pytest.raises(UserError, match="12 pictures of d have no labels"):
        chosen(FLAT)


def test_the_makers_test_takes_the_classes_of_the_training():
    training = chosen(CLASSES)[0]
    assert for_others(part(pictures("t/a", "t/b"), "test"), training, []).level == 1
    assert for_others(part(["t/a_1.png", "t/b_1.png"], "test"), training, []).form == "{label}_*.png"
    assert for_others(part(["t/1.png", "t/2.png"], "test"), training, []) is None


def test_the_only_column_that_may_be_a_class_is_asked_about_where_its_name_does_not_say_so():
    assert chosen(FLAT, rows(lambda n: str(7 * n), lambda n: "ab"[n % 2]), "file,boneage,outcome")[1] == ["label"]


def test_the_column_that_a_sample_submission_has_is_the_label():
    content = {
        "train.csv": table(rows(lambda n: "abc"[n % 3], lambda n: str(n % 2)), "file,diagnosis,target"),
        "sample_submission.csv": table([f"{n}.png,0" for n in range(12)], "file,target"),
    }
    tables = naming_tables({path: text.encode() for path, text in content.items()}, FLAT.paths)[0]
    asking = Asking({})
    assert for_training(FLAT, tables, asking).column == "target"
    assert not asking.open()


def test_attributes_of_which_several_are_set_are_refused():
    with pytest.raises(UserError, match="several labels a picture"):
        chosen(FLAT, rows(*[lambda n, m=m: ("1", "-1")[n // m % 2] for m in (1, 2, 3)]), "file,Bald,Male,Young")


def test_votes_for_several_classes_are_refused():
    with pytest.raises(UserError, match="numbers of votes for several classes"):
        chosen(FLAT, rows(*[lambda n, m=m: str((8, 2, 0)[(n + m) % 3]) for m in range(3)]), "file,happy,sad,angry")
