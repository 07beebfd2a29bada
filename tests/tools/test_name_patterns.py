import pytest

from darkroom.config.patterns import Pattern
from darkroom.tools.name_patterns import apply, group_forms, label_forms


def numbered(form, labels, count=10):
    return [form.format(label=label, number=number) for number in range(count) for label in labels]


@pytest.mark.parametrize(
    ("names", "form"),
    [
        (numbered("{label}.{number}.jpg", ["cat", "dog"]), "{label}.*.jpg"),
        (numbered("{label}_{number}.jpg", ["american_bulldog", "pug"]), "{label}_*.jpg"),
        (numbered("{label} ({number}).jpg", ["a", "b"]), "{label} (*).jpg"),
        (numbered("{number}-{label}.png", ["ab", "cd"]), "*-{label}.png"),
        (numbered("{label}__{number}.png", ["obj1", "obj2"]), "{label}__*.png"),
    ],
)
def test_a_part_that_repeats_is_the_label(names, form):
    found = label_forms(names)
    assert found[0].form == form
    assert set(found[0].counts.values()) == {10}


@pytest.mark.parametrize(
    "names",
    [
        [f"IMG_{number}.jpg" for number in range(20)],
        [f"{number * 7919 % 1000:x}f.jpg" for number in range(20)],
        numbered("{label}_{number}.jpg", ["train", "test"]),
        [f"{number * 7919:x}z_{view}.png" for number in range(20) for view in ("red", "blue")],
    ],
)
def test_counters_ids_subsets_and_views_are_no_labels(names):
    assert label_forms(names) == []


def test_known_classes_are_found_in_few_names():
    assert [one.form for one in label_forms(["A_test.jpg", "B_test.jpg"], {"A", "B", "C"})] == ["{label}_*.jpg"]


def test_prefixes_that_repeat_are_groups():
    ill = [f"person{number // 3}_virus_{number}.jpg" for number in range(30)]
    assert group_forms({"ill": ill})[0] == ["{group:[^_/]+}_*.jpg"]


@pytest.mark.parametrize(
    "names",
    [
        [f"cat_{number}.jpg" for number in range(30)],
        [f"{number}_x.jpg" for number in range(30)],
        [f"r_{number}_100.jpg" for number in range(30)],
    ],
)
def test_the_class_and_unique_prefixes_are_no_groups(names):
    assert group_forms({"cat": names}) == ([], [])


def test_a_form_gives_nothing_where_it_does_not_fit():
    assert apply("{label}_*.jpg", ["a_1.jpg", "b.jpg"]).values == ("a", None)


def test_a_group_stays_within_the_name():
    forms, _ = group_forms({"ill": [f"p{n}_scan_{m}.png" for n in range(6) for m in range(3)]})
    assert Pattern(f"d/{{label}}/{forms[0]}").match("d/ill/p1_scan_2.png") == {"label": "ill", "group": "p1"}
    assert Pattern(f"d/{{label}}/{forms[0]}").match("d/d/ill/p1_scan_2.png") is None
