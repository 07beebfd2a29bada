import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from darkroom.intake import picture_parquet
from tests import boxes, make
from tests.intake.fetched import refusal
from tests.intake.opened import container


def pictures(content, **asked):
    return list(picture_parquet.pictures(container(content, "t.parquet", **asked)))


def table(meta=None, **columns):
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


@pytest.mark.parametrize("options", [{}, {"row_group_size": 5}, {"use_dictionary": False, "compression": "zstd"}])
def test_pictures_and_names_of_classes(options):
    found = pictures(boxes.parquet(**options))
    assert [one.name for one in found] == [str(number) for number in range(12)]
    assert [one.content for one in found] == [make.picture(number, channels=3) for number in range(12)]
    assert [one.label for one in found] == [boxes.NAMES[label] for label in boxes.LABELS]
    assert found[0].labels_from == "t.parquet, column label"


def test_a_plain_column_of_bytes_and_words_for_labels():
    content = table(image=[make.picture(0), make.picture(1)], label=["cat", None], who=["a", "b"], part=["x", "y"])
    found = pictures(content, group="who", split="part")
    assert [(one.label, one.group, one.mark) for one in found] == [("cat", "a", "x"), (None, "b", "y")]


def test_minus_one_is_no_label():
    rows = [{"image": {"bytes": make.picture(), "path": ""}, "label": label} for label in (-1, 1)]
    assert [one.label for one in pictures(boxes.parquet(rows))] == [None, "dog"]


def test_two_columns_of_classes_are_asked_about():
    content = table(image=[make.picture()], fine=[1], coarse=[2])
    assert "labels: {file: t.parquet, label: fine}" in refusal(lambda: pictures(content))
    assert pictures(content, label="coarse")[0].label == "2"
    assert pictures(content, wants_labels=False)[0].label is None


def test_a_value_in_a_dictionary_is_not_in_memory_many_times():
    """One picture file of 1 MB that a dictionary repeats 1,000 times comes a few rows at a time."""
    large = make.picture(0, 600, 600, 3)
    content = table(image=pa.array([large] * 1000, pa.binary()), label=["a"] * 1000)
    before = pa.total_allocated_bytes()
    most, count = 0, 0
    for one in picture_parquet.pictures(container(content, "t.parquet")):
        most, count = max(most, pa.total_allocated_bytes() - before), count + (one.content == large)
    assert count == 1000
    assert most < 400 * len(large)
