import io

import pytest

from darkroom.intake.archive import Budget, Limits
from darkroom.intake.container_look import Part, look
from tests import boxes


def seen(content, path, there=()):
    stream = io.BufferedReader(io.BytesIO(content))
    return look(path, stream, Budget(path, Limits()), lambda path: path in there)


GREY, COLOUR = (8, 8, 1), (8, 8, 3)


@pytest.mark.parametrize(
    ("content", "path", "part"),
    [
        (boxes.csv(), "t.csv", Part("", 12, GREY, "column label")),
        (boxes.csv(labels=None).rstrip(), "t.csv", Part("", 12, GREY, "")),
        (boxes.field_csv(), "t.csv", Part("", 12, GREY, "column emotion", columns=("Usage",))),
        (boxes.idx(boxes.grey()), "a-images.idx3-ubyte", Part("", 12, GREY, "a-labels.idx1-ubyte")),
        (boxes.npz(), "x.npz", Part("train", 12, GREY, "array train_labels")),
        (boxes.npy(boxes.grey()), "x.npy", Part("", 12, GREY, "")),
        (boxes.parquet(), "x.parquet", Part("", 12, None, "column label", ("cat", "dog"))),
        (boxes.batch(), "b/data_batch_1", Part("", 12, COLOUR, "key labels")),
    ],
)
def test_what_a_container_holds(content, path, part):
    assert seen(content, path, {"a-labels.idx1-ubyte"}).parts == (part,)


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (b"id,label\n1,2\n", "labels.csv"),
        (boxes.idx_files()["train-labels-idx1-ubyte"], "train-labels-idx1-ubyte"),
        (b"read me", "README"),
        (b"", "a.png"),
    ],
)
def test_other_files_are_none(content, path):
    assert seen(content, path) is None


def test_a_damaged_one_says_why():
    assert "cannot be read as Parquet" in seen(b"PAR1", "x.parquet").problem
