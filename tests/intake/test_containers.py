import io

import pytest

from darkroom.config.patterns import Pattern
from darkroom.intake.containers import asked, kind_by_name, kind_of, names_container, own_tables
from tests import boxes, make
from tests.intake.fetched import refusal


@pytest.mark.parametrize(
    ("pattern", "path", "named"),
    [
        ("train.csv", "train.csv", True),
        ("data/train-*.parquet", "data/train-00000-of-00001.parquet", True),
        ("x.npz#train", "x.npz", True),
        ("x.npz#train/*", "x.npz", True),
        ("b/data_batch_*", "b/data_batch_1", True),
        ("b/test_batch", "b/test_batch", True),
        ("{label}.npy", "cat.npy", True),
        ("t10k-images.idx3-ubyte", "t10k-images.idx3-ubyte", True),
        ("*.gz", "t10k-images-idx3-ubyte.gz", False),
        ("train", "train/metadata.csv", False),  # a folder of pictures, with a table among them
        ("train/*", "train/metadata.csv", False),
        ("train/{label}_*", "train/all_labels.csv", False),
        ("**", "README", False),
        ("train", "train/README", False),
        ("train/*", "train/README", False),
        ("C#", "C", True),  # its first bytes then say that it is none
        ("train.csv", "test.csv", False),
        ("train.jpg", "train.jpg", False),
    ],
)
def test_a_pattern_that_means_a_file_and_not_its_folder(pattern, path, named):
    assert names_container(Pattern(pattern), path) == named


def test_first_bytes_tell_a_batch():
    for content, kind in ((boxes.batch(), "CIFAR batch"), (b"read me", None), (b"", None)):
        assert kind_of("a/data_batch_1", io.BufferedReader(io.BytesIO(content))) == kind
    assert kind_by_name("a/x.jpg") is None


def test_a_table_whose_rows_are_pictures_is_no_table_of_labels():
    table = {"file": "fer2013.csv", "label": "emotion", "split": "Usage", "splits": {"val": ["PublicTest"]}}
    entry = make.entry(train="data/fer2013.csv", labels=table)
    assert [one.file for one in own_tables(entry)] == ["fer2013.csv"]
    found = asked("data/fer2013.csv", entry, wants_labels=True)
    assert (found.label, found.split, found.splits) == ("emotion", "Usage", {"val": ["PublicTest"]})
    assert not own_tables(make.entry(train="train", labels="labels.csv"))
    assert not own_tables(make.entry(train="train.csv", labels={"file": "train.csv", "image": "id"}))


def test_labels_of_a_container_stand_in_one_column():
    entry = make.entry(train="t.csv", labels={"file": "t.csv", "label": ["a", "b"]})
    assert "one column" in refusal(lambda: asked("t.csv", entry, wants_labels=True))
