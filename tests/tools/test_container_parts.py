import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from darkroom.base.errors import UserError
from darkroom.intake.archive import Limits
from darkroom.tools import container_parts
from darkroom.tools.draft_entry import draft
from darkroom.tools.survey_archive import survey
from tests.tools.drafting import OTHER, drafted


def pixels(count, label=True, extra=""):
    header = ",".join([*["label"] * label, *[extra] * bool(extra), *(f"pixel{n}" for n in range(64))])
    rows = [
        ",".join(
            [
                *[str(n % 3)] * label,
                *[("train", "test")[n % 4 == 3]] * bool(extra),
                *(str(n * 7 % 256) for _ in range(64)),
            ]
        )
        for n in range(count)
    ]
    return "\n".join([header, *rows]) + "\n"


def test_tables_of_pixels_are_subsets_by_their_names(tmp_path):
    found = drafted(tmp_path, {"train.csv": pixels(24), "test.csv": pixels(6, label=False)})
    assert found.entry == {
        "train": "train.csv", "unlabeled": "test.csv", "channels": 1, "image_size": 8, "resize": "squash"
    }  # fmt: skip
    assert found.pictures == 30


def test_the_same_file_twice_is_taken_once(tmp_path):
    found = drafted(tmp_path, {"set_train/set_train.csv": pixels(24), "set_train.csv": pixels(24)})
    assert found.entry["train"] == "set_train.csv"
    assert ("set_train/set_train.csv", "24 pictures: the same as set_train.csv") in found.unused


def test_a_column_of_subsets_divides(tmp_path):
    found = drafted(tmp_path, {"faces.csv": pixels(24, extra="usage")})
    assert found.entry["labels"] == {"file": "faces.csv", "label": "label", "split": "usage"}
    assert {sample.subset for sample in found.samples} == {"train", "test"}


def test_arrays_are_named_by_their_parts(tmp_path):
    file = io.BytesIO()
    images, labels = np.arange(24 * 64).reshape(24, 8, 8).astype(np.uint8), np.arange(24) % 3
    np.savez(file, train_images=images, train_labels=labels, test_images=images[:9], test_labels=labels[:9])
    found = drafted(tmp_path, {"set.npz": file.getvalue()})
    assert (found.entry["train"], found.entry["test"]) == ("set.npz#train", "set.npz#test")


def test_pictures_without_labels_are_refused(tmp_path):
    with pytest.raises(UserError, match="no labels of them"):
        drafted(tmp_path, {"train.csv": pixels(24, label=False)})


def test_containers_of_a_folder_are_found_too(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.csv").write_text(pixels(24), encoding="utf-8")
    assert draft(survey(tmp_path / "set", Limits()), {}).entry["train"] == "train.csv"


def test_why_none_can_be_read_is_said(tmp_path):
    with pytest.raises(UserError, match="rows of 63 numbers, which are no square picture"):
        drafted(tmp_path, {"train.csv": "".join(line.rpartition(",")[0] + "\n" for line in pixels(24).splitlines())})


def test_too_many_to_look_into_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(container_parts, "MOST", 2)
    with pytest.raises(UserError, match="3 files may be tables or arrays of pictures"):
        drafted(tmp_path, dict.fromkeys(("a.csv", "b.csv", "c.csv"), pixels(24)))


def test_the_same_pictures_in_another_form_are_taken_once(tmp_path):
    file = io.BytesIO()
    np.savez(file, train_images=np.zeros((24, 8, 8), np.uint8), train_labels=np.arange(24) % 3)
    found = drafted(tmp_path, {"a_train.csv": pixels(24), "b.npz": file.getvalue()})
    assert found.entry["train"] == "a_train.csv"
    assert [place for place, why in found.unused if "in another form" in why] == ["b.npz"]


def test_several_columns_of_labels_are_asked_about(tmp_path):
    file = io.BytesIO()
    content = {"img": [OTHER + bytes([n]) for n in range(12)], "fine_label": [n % 4 for n in range(12)],
               "coarse_label": [n % 2 for n in range(12)]}  # fmt: skip
    pq.write_table(pa.table(content), file)
    found = drafted(tmp_path, {"train.parquet": file.getvalue()})
    assert [choice.word for choice in found.questions[0].choices] == ["fine_label", "coarse_label"]
    chosen = drafted(tmp_path, {"train.parquet": file.getvalue()}, {"label": "coarse_label"})
    assert chosen.entry["labels"] == {"file": "train.parquet", "label": "coarse_label"}
    assert not chosen.questions
