import numpy as np
import pytest

from darkroom.intake import pixel_tables
from tests import boxes
from tests.intake.fetched import refusal
from tests.intake.opened import container, same

LABELS = [str(label) for label in boxes.LABELS]


def pictures(content, **asked):
    box = container(content, "t.csv", **asked)
    return list(pixel_tables.pictures(box)), box.said


@pytest.mark.parametrize("block", [200, 1000, 2**23])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_column_a_pixel(monkeypatch, block, end):
    monkeypatch.setattr(pixel_tables, "BLOCK", block)
    found, said = pictures(boxes.csv(end=end))
    assert same(found, boxes.grey())
    assert [one.label for one in found] == LABELS
    assert found[0].labels_from == "t.csv, column label"
    assert not said


def test_the_last_line_may_lack_its_end():
    assert same(pictures(boxes.csv().rstrip(b"\n"))[0], boxes.grey())


def test_a_field_of_pixels_with_groups_and_subsets():
    found, said = pictures(boxes.field_csv(), label="emotion", split="Usage")
    assert same(found, boxes.grey())
    assert [one.mark for one in found[:4]] == ["Training", "Training", "PublicTest", "PrivateTest"]
    assert not said
    assert "Usage" in pictures(boxes.field_csv())[1][0]


def test_columns_by_number_where_there_is_no_header():
    content = boxes.csv(header="")
    assert [one.label for one in pictures(content, label=0)[0]] == LABELS
    assert same(pictures(boxes.csv(header="", labels=None))[0], boxes.grey())


@pytest.mark.parametrize("form", ["{}", "{0}x1", "px_{}", "v{:03}"])
def test_other_names_of_pixels(form):
    header = ",".join(["label", *(form.format(place) for place in range(64))])
    assert same(pictures(boxes.csv(header=header))[0], boxes.grey())


def test_columns_that_are_no_pixels_are_told():
    rows = [[f"p{number}", *row.tolist()] for number, row in enumerate(boxes.grey().reshape(12, -1))]
    header = ",".join(["label", "patient", *(f"pixel{place}" for place in range(64))])
    found, said = pictures(boxes.csv(rows, header=header))
    assert same(found, boxes.grey())
    assert "patient" in said[0]
    assert pictures(boxes.csv(rows, header=header), group="patient")[0][3].group == "p3"


def test_values_beyond_bytes_need_a_range():
    content = boxes.csv(np.round(boxes.grey().reshape(12, -1) / 255, 4))
    assert "range: [0, 1]" in refusal(lambda: pictures(content))
    found = pictures(content, range=(0, 1))[0]
    assert np.abs(found[0].values[..., 0] - boxes.grey()[0] / 255).max() < 1e-3


def test_the_line_of_a_fault_is_named(monkeypatch):
    monkeypatch.setattr(pixel_tables, "BLOCK", 600)
    lines = boxes.csv().split(b"\n")
    lines[9] = lines[9].replace(b",", b",x", 1)
    assert "line 10:" in refusal(lambda: pictures(b"\n".join(lines)))
