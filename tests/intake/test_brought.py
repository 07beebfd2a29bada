import pytest

from darkroom.intake.brought import damage, holds_pictures, may_stand_in_list
from darkroom.intake.containers import kind_by_name
from tests.intake.fetched import ARCHIVE


@pytest.mark.parametrize(
    "name",
    [
        "a.csv", "A.CSV", "a.parquet", "a.npz", "a.npy", "a.idx", "a.idx.gz",
        "train-images-idx3-ubyte", "train-images-idx3-ubyte.gz", "train-images.idx3-ubyte", "t10k-labels-idx1-ubyte",
    ],
)  # fmt: skip
def test_a_file_of_pictures_is_known_by_its_name(name):
    assert holds_pictures(name)
    assert kind_by_name(name) not in (None, "CIFAR batch")
    assert may_stand_in_list(name)


@pytest.mark.parametrize(
    "name", ["a.zip", "a.tar.gz", "a.gz", "a.png", "csv", "a.csv.bak", "a.html", "", "a-ubyte", "a.tsv", "a.csv.gz"]
)
def test_no_other_is(name):
    assert not holds_pictures(name)


@pytest.mark.parametrize(
    "name", ["a.zip", "a.tgz", "labels.txt", "labels.json", "a.jsonl", "imagelabels.mat", "a.tsv", "a.csv.gz"]
)
def test_archives_and_labels_may_stand_beside_one_another(name):
    assert may_stand_in_list(name)
    assert not may_stand_in_list(f"{name}.html")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.zip", ARCHIVE, None),
        ("a.zip", ARCHIVE[:500], "it has no directory at its end"),
        ("a.csv", b"label,pixel0\n1,2\n", None),
        ("a.csv", b"", "it is empty"),
        ("a.csv", b"\n <html>", "it begins otherwise"),
        ("a.csv.gz", b"\x1f\x8b\x08", None),
        ("a.csv.gz", b"label,pixel0", "it begins otherwise"),
        ("a.parquet", b"PAR1....", None),
        ("a.parquet", b"PK\3\4", "it begins otherwise"),
        ("a.npz", b"PK\3\4", None),
        ("a.npy", b"\x93NUMPY\1", None),
        ("a.npy", b"PK\3\4", "it begins otherwise"),
        ("a-idx3-ubyte", b"\0\0\x08\3", None),
        ("a-idx3-ubyte", b"\x1f\x8b\x08", "it begins otherwise"),
        ("a.mat", b"MATLAB 5.0", None),
    ],
)
def test_damage_is_seen_by_the_beginning(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    assert damage(tmp_path / name) == reason
