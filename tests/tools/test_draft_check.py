import pytest

from darkroom.base.errors import UserError
from darkroom.tools.draft_check import tried
from tests.tools.drafting import pictures, surveyed, table, with_tables

FACTS = {"channels": 3, "image_size": 8}


def test_counts_as_the_pipeline_will(tmp_path):
    seen = surveyed(tmp_path, [*pictures("train/a", "train/b"), "train/top.png", "x/1.png"])
    found = tried({"train": "train", **FACTS}, seen)
    assert found.counts == {("train", "a"): 6, ("train", "b"): 6}
    assert found.problems == {"it lies in no class folder": 1}
    assert [passed.files for (folder, _), passed in found.sieve.passed.items() if folder == "x"] == [1]
    assert found.samples()[0].names == ("train/a/0.png", "train/a/1.png", "train/a/2.png")


def test_warns_of_unlikely_classes(tmp_path):
    found = tried({"train": "d", **FACTS}, surveyed(tmp_path, pictures("d/images", "d/masks")))
    assert "names that makers give to folders" in found.warnings[0]


def test_refuses_what_the_pipeline_refuses(tmp_path):
    rows = ["0.png,a", "0.png,b"]
    seen = surveyed(tmp_path, with_tables(pictures("d"), labels_csv=table(rows, "image,label")))
    with pytest.raises(UserError, match="several labels a picture"):
        tried({"train": "d", "labels": {"file": "labels.csv", "image": "image", "label": "label"}, **FACTS}, seen)
