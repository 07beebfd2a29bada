import pytest

from darkroom.tools.label_sources import (
    Part,
    by_folders,
    by_names,
    by_tables,
    is_alone,
    of_known_classes,
    says_label,
    without_twins,
)
from darkroom.tools.label_tables import naming_tables
from tests.tools.drafting import pictures, table


def part(paths, subset="train"):
    folders = sorted({path.rpartition("/")[0] for path in paths})
    counts = tuple(sum(path.rpartition("/")[0] == folder for path in paths) for folder in folders)
    return Part(subset, tuple(folders), counts, tuple(paths))


FLAT = part([f"d/{number}.png" for number in range(12)])


def of_table(rows, header, own=FLAT, path="t.csv"):
    found, _ = naming_tables({path: table(rows, header).encode()}, own.paths)
    return by_tables(own, found)


def test_folders_give_labels():
    found = by_folders(part(pictures("d/cat", "d/dog", count=2)))
    assert [one.labels for one in found] == [("cat", "cat", "dog", "dog")]


def test_names_give_labels():
    found = by_names(part([f"d/{'ab'[number % 2]}_{number}.png" for number in range(12)]))
    assert [one.classes for one in found] == [["a", "b"]]


def test_columns_give_labels_but_ids_and_groups():
    rows = [f"{number}.png,{'ab'[number % 2]},{number * 7},p{number // 3}" for number in range(12)]
    found, refused = of_table(rows, "file,label,id,patient")
    assert [one.column for one in found] == ["label"]
    assert says_label(found[0])
    assert not refused


def test_the_first_word_of_a_column_may_be_the_label():
    rows = [f"{number}.png,n{number % 3} {number} 2" for number in range(12)]
    assert of_table(rows, "file,Prediction")[0][0].column == {"column": "Prediction", "form": "{label} *"}


def test_one_of_several_columns_is_the_label():
    found, _ = of_table([f"{number}.png,{number % 2},{1 - number % 2}" for number in range(12)], "file,cat,dog")
    assert found[0].column == ["cat", "dog"]
    assert found[0].labels[:2] == ("dog", "cat")


@pytest.mark.parametrize(
    ("value", "header"), [("{m}|b", "tags"), ("0.{n}", "score"), ("1,{m},1", "a,b,c")],
)  # fmt: skip
def test_what_is_no_class_is_refused_by_name(value, header):
    rows = [f"{number}.png," + value.format(n=number + 1, m="01"[number % 2]) for number in range(12)]
    found, refused = of_table(rows, f"file,{header}")
    assert refused
    assert not [one for one in found if isinstance(one.column, list)]


def test_a_table_speaks_for_its_own_subset():
    rows = [f"{number}.png,{'ab'[number % 2]}" for number in range(12)]
    test = part(FLAT.paths, "test")
    assert of_table(rows, "file,label", test, "train_labels.csv")[0] == []
    assert of_table(rows, "file,label", test, "sample_submission.csv")[0] == []
    assert len(of_table(rows, "file,label", test, "test_labels.csv")[0]) == 1


def test_known_classes_are_found_at_any_level():
    assert of_known_classes(part(pictures("t/x/a", "t/x/b")), {"a", "b", "c"}).level == 2
    assert of_known_classes(part(pictures("t/x/y")), {"a"}) is None


def test_columns_that_say_the_same_count_once():
    found, _ = of_table(
        [f"{number}.png,{number % 2},{'ab'[number % 2]}" for number in range(12)], "file,class id,class"
    )
    assert [one.column for one in without_twins(found)] == ["class"]
    assert not is_alone(found[0])


def test_folders_that_spread_pictures_by_their_names_are_no_classes():
    spread = [f"train/{n % 4}/{n % 3}/{n % 4}{n % 3}{n:04}.png" for n in range(24)]
    assert by_folders(part(spread)) == []
    assert [one.word for one in by_folders(part([f"train/{n % 2}/{n % 2}_{n}.png" for n in range(12)]))] == ["level2"]
