"""JSON's tables: records, records by line, names with labels, COCO."""

import json

import pytest

from darkroom.base.errors import UserError
from tests.intake.labels_in_tables import table, values

COCO = {
    "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}, {"id": 9, "file_name": "c.jpg"}],
    "annotations": [
        {"image_id": 7, "category_id": 1, "bbox": [0, 0, 1, 1]},
        {"image_id": 7, "category_id": 1},
        {"image_id": 8, "category_id": 1},
        {"image_id": 8, "category_id": 2},
    ],
    "categories": [{"id": 1, "name": "cat", "supercategory": "animal"}, {"id": 2, "name": "car"}],
}


def read(content, path="labels.json", **how):
    return values(table(content if isinstance(content, str) else json.dumps(content), path, **how))


def test_values_become_texts_as_people_write_them():
    found = read([{"a": 1.0, "b": 0.25, "c": True, "d": [1, "é"]}, {"a": None, "b": 1e300, "c": 12, "e": float("nan")}])
    assert found == {
        "a": ["1", None], "b": ["0.25", "1e+300"], "c": ["true", "12"], "d": ['[1, "é"]', None], "e": [None, None],
    }  # fmt: skip


def test_coco_has_a_row_for_each_image_and_category():
    assert read(COCO) == {
        "file_name": ["a.jpg", "b.jpg", "b.jpg", "c.jpg"],
        "category": ["cat", "cat", "car", None],
        "category_id": ["1", "1", "2", None],
        "supercategory": ["animal", "animal", None, None],
    }


def test_names_may_have_records_or_stand_alone():
    assert read({"a.jpg": {"label": "cat"}, "b.jpg": {}}) == {"image": ["a.jpg", "b.jpg"], "label": ["cat", None]}
    assert read(["a.jpg", "b.jpg"], header=False) == {0: ["a.jpg", "b.jpg"]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[" * 100_000, "labels.json is nested too deeply: give a list of records"),
        ('{"a": ', "labels.json is no JSON .*, at character 7"),
        ("3", "labels.json holds a single value: give a list of records"),
        ('{"a": [1], "b": "x"}', "labels.json is an object with 'a', 'b': give"),
        ("[]", "labels.json holds no rows"),
        ("{}", "labels.json holds no rows"),
        ('[{"a": 1}, 2]', "labels.json, record 2, is no record of columns"),
        ("[" + "1" * 5000 + "]", "labels.json holds a number of thousands of digits"),
        (COCO | {"images": [{"id": 7}]}, "labels.json looks like COCO and lacks a part .*file_name"),
        (COCO | {"categories": []}, "looks like COCO and lacks a part"),
        (COCO | {"images": 3}, "looks like COCO and lacks a part"),
    ],
)
def test_what_is_no_table_is_told(content, said):
    with pytest.raises(UserError, match=said):
        read(content)


def test_a_damaged_line_is_told_by_its_number():
    with pytest.raises(UserError, match=r"labels.jsonl, line 3, is no JSON"):
        read('{"a": 1}\n\n{"a"\n', "labels.jsonl")


def test_half_a_character_is_replaced():
    assert read('[{"a": "\\ud800"}]') == {"a": ["?"]}
