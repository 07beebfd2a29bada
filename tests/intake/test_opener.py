"""Containers in archives, through all that reads them."""

import gzip
import hashlib

import pandas as pd
import pytest

from darkroom.base.files import replacing_folder
from darkroom.config.params import load
from darkroom.intake import extraction
from tests import boxes, make
from tests.intake.fetched import refusal

CIFAR = {
    "b/data_batch_1": boxes.batch(),
    "b/test_batch": boxes.batch(labels=boxes.LABELS[::-1]),
    "b/batches.meta": boxes.meta(),
}


@pytest.fixture
def extract(project):
    def run(files, pack=make.zip_of, name="archive.zip", **settings):
        source = project.folder / name
        source.write_bytes(pack(files))
        with replacing_folder(project.folder / "out") as out:
            run.found = extraction.extract(source, make.entry(**settings), load()[0].extract, out, "mine")
        run.passed = pd.read_csv("out/passed_over.csv", keep_default_na=False).to_dict("records")
        return run.found.index.to_pandas()

    return run


SETS = {
    "csv": ({"train.csv": boxes.csv()}, {"train": "train.csv"}, "train.csv#"),
    "field": (
        {"d/f.csv": boxes.field_csv()},
        {"train": "d/f.csv", "labels": {"file": "f.csv", "label": "emotion"}},
        "d/f.csv#",
    ),
    "idx": (boxes.idx_files(), {"train": "train-images-idx3-ubyte"}, "train-images-idx3-ubyte#"),
    "idx.gz": (boxes.idx_files(packed=True), {"train": "train-images-idx3-ubyte.gz"}, "train-images-idx3-ubyte.gz#"),
    "npz": ({"x.npz": boxes.npz()}, {"train": "x.npz#train"}, "x.npz#train/"),
    "npz by star": ({"x.npz": boxes.npz(packed=True)}, {"train": "x.npz#train/*"}, "x.npz#train/"),
    "parquet": ({"d/train-0.parquet": boxes.parquet()}, {"train": "d/train-*.parquet"}, "d/train-0.parquet#"),
    "cifar": (CIFAR, {"train": "b/data_batch_*"}, "b/data_batch_1#"),
}


@pytest.mark.parametrize("nesting", ["plain", "in a zip", "in a tar"])
@pytest.mark.parametrize("kind", SETS)
def test_each_kind_with_its_own_labels(extract, kind, nesting):
    files, entry, before = SETS[kind]
    if nesting == "in a zip":
        files, before = {"in.zip": make.zip_of(files)}, f"in/{before}"
        entry = entry | {"train": f"in/{entry['train']}"}
    pack, name = (
        (lambda files: make.tar_of(files, "gz"), "a.tar.gz") if nesting == "in a tar" else (make.zip_of, "a.zip")
    )
    index = extract(files, pack, name, **entry)
    assert sorted(index["path"]) == sorted(f"{before}{number}" for number in range(12))
    labels = dict(zip(index["path"], index["label"], strict=True))
    names = boxes.NAMES if kind in ("parquet", "cifar") else ["0", "1"]
    assert [labels[f"{before}{number}"] for number in range(12)] == [names[label] for label in boxes.LABELS]
    assert "labels from" in extract.found.understood[0]
    assert "folder" not in extract.found.understood[0]
    assert all("Usage" in one for one in extract.found.warnings)


def test_the_hash_of_a_file_is_that_of_its_values(extract):
    index = extract({"train.csv": boxes.csv()}, train="train.csv").set_index("path")
    assert index["file_sha256"]["train.csv#3"] == hashlib.sha256(boxes.grey()[3].tobytes()).digest()
    assert tuple(index.loc["train.csv#3", ["width", "height", "channels"]]) == (8, 8, 1)


def test_parts_of_an_array_file_are_subsets_and_the_rest_is_counted(extract):
    arrays = {
        f"{part}_{what}": one
        for part in ("train", "val", "test")
        for what, one in (("images", boxes.grey(seed=hash(part) % 7)), ("labels", boxes.LABELS))
    }
    index = extract({"x.npz": boxes.npz(**arrays)}, train="x.npz#train", val="x.npz#val/*")
    assert index["subset"].value_counts().to_dict() == {"train": 12, "val": 12}
    assert [(one["folder"], one["files"]) for one in extract.passed] == [("x.npz#test", 12)]


def test_rows_tell_their_subset(extract):
    labels = {
        "file": "f.csv",
        "label": "emotion",
        "split": "Usage",
        "splits": {"val": ["PublicTest"], "test": ["PrivateTest"]},
    }
    index = extract({"f.csv": boxes.field_csv()}, train="f.csv", labels=labels)
    assert index["subset"].value_counts().to_dict() == {"train": 6, "val": 3, "test": 3}


def test_a_container_for_unlabelled_pictures_and_one_that_no_pattern_names(extract):
    files = {"train.csv": boxes.csv(), "test.csv": boxes.csv(labels=None), "other.csv": boxes.csv()}
    index = extract(files, train="train.csv", unlabeled="test.csv")
    assert index["subset"].value_counts().to_dict() == {"train": 12, "unlabeled": 12}
    assert [one["first"] if "first" in one else one["example"] for one in extract.passed] == ["other.csv"]


def test_labels_beside_are_used_and_copies_are_counted(extract):
    copies = {f"{path}.gz": gzip.compress(one) for path, one in boxes.idx_files().items()}
    extract(boxes.idx_files() | copies, train="train-images-idx3-ubyte")
    assert sum(one["files"] for one in extract.passed) == 2


def test_the_pattern_names_labels_of_an_array_without_any(extract):
    files = {"cat.npy": boxes.npy(boxes.grey()), "dog.npy": boxes.npy(boxes.grey(seed=1))}
    assert set(extract(files, train="{label}.npy")["label"]) == {"cat", "dog"}


def test_a_list_and_a_table_name_rows(extract):
    table = "image,kind\n" + "".join(f"x.npy#{number},{'cat' if number < 4 else 'dog'}\n" for number in range(8))
    files = {"x.npy": boxes.npy(boxes.grey()), "t.csv": table}
    labels = {"file": "t.csv", "image": "image", "label": "kind"}
    index = extract(files, train="x.npy", unlabeled="x.npy", labels=labels)
    assert index["label"].value_counts().to_dict() == {"dog": 4, "cat": 4}
    assert index["subset"].value_counts().to_dict() == {"train": 8, "unlabeled": 4}


def test_dark_numbers_are_warned_of(extract):
    extract({"train.csv": boxes.csv(boxes.grey().reshape(12, -1) // 16)}, train="train.csv")
    assert "range: [0, 15]" in extract.found.warnings[0]


def test_a_number_sign_in_a_folder_means_nothing(extract):
    files = {f"C#/{label}/{number}.png": make.picture(number) for number, label in enumerate(["a", "b"] * 3)}
    assert len(extract(files, train="C#")) == 6


def test_the_limits_count_pictures_and_bytes(extract, project):
    project.set(extract__max_members=5)
    assert "more than 5 files" in refusal(lambda: extract({"train.csv": boxes.csv()}, train="train.csv"))
