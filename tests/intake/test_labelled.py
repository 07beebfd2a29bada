from pathlib import Path

import pyarrow as pa
import pytest

from darkroom.intake.corrections import Correction
from darkroom.intake.decoded import Decoded
from darkroom.intake.labelled import label
from tests import make
from tests.intake.fetched import refusal

# Path, label, and what stands for the pixels.
ROWS = [
    ("train/cat/1.png", "cat", b"1"),
    ("train/cat/2.png", "cat", b"2"),
    ("train/dog/1.png", "dog", b"3"),
    ("train/dog/2.png", "dog", b"3"),
    ("train/junk/1.png", "junk", b"4"),
    ("train/junk/2.png", "junk", b"5"),
    ("more/1.png", None, b"6"),
]


def found(rows=ROWS, rejected=()):
    paths, labels, hashes = zip(*rows, strict=True)
    subsets = ["unlabeled" if label is None else "train" for label in labels]
    table = pa.table(
        {
            "path": pa.chunked_array([pa.array(paths)]),
            "label": pa.chunked_array([pa.array(labels, pa.string())]),
            "subset": subsets,
            "sha256": pa.array(hashes, pa.binary()),
        }
    )
    return Decoded(Path("images.npy"), table, list(rejected), [], "folders", labels_are_folders=True)


def labelled(*corrections, decoded=None, **settings):
    wrong = [Correction(f"line {at}", path, now) for at, (path, now) in enumerate(corrections, 2)]
    return label(decoded or found(), make.entry(**settings), wrong, "mine")


def labels(result):
    return dict(zip(result.index["path"].to_pylist(), result.index["label"].to_pylist(), strict=True))


def test_without_more_all_pictures_keep_their_labels():
    result = labelled()
    assert labels(result) == {path: label for path, label, _ in ROWS}
    assert result.rows.tolist() == list(range(len(ROWS)))
    assert result.classes == ["cat", "dog", "junk"]
    assert (result.rejected, result.left_out, len(result.applied)) == ([], [], 0)


def test_classes_are_renamed_and_merged():
    result = labelled(classes={"cat": "pet", "dog": "pet"})
    assert result.classes == ["pet", "junk"]
    assert labels(result)["train/dog/1.png"] == "pet"
    assert labels(result)["more/1.png"] is None


def test_a_class_is_dropped_and_counted_by_folder():
    result = labelled(classes={"junk": None})
    assert result.classes == ["cat", "dog"]
    assert result.rows.tolist() == [0, 1, 2, 3, 6]
    assert result.left_out == [("train/junk", "a picture of a class that the entry drops", 2, "train/junk/1.png")]


def test_classes_of_too_few_different_pictures_are_left_out():
    result = labelled(min_images=2)
    assert result.classes == ["cat", "junk"]  # dog has one picture twice
    assert result.left_out == [
        ("train/dog", "a picture of a class with fewer than 2 different pictures", 2, "train/dog/1.png")
    ]
    assert "more/1.png" in labels(result)


def test_small_classes_are_counted_as_they_are_merged():
    assert labelled(min_images=3, classes={"cat": "pet", "dog": "pet"}).classes == ["pet"]


# Corrections on top of these.


def test_a_correction_uses_the_names_of_classes():
    result = labelled(("train/cat/1.png", "Canis"), classes={"dog": "Canis"})
    assert labels(result)["train/cat/1.png"] == "Canis"
    assert result.applied.to_pylist() == [
        {"path": "train/cat/1.png", "action": "relabel", "was": "cat", "now": "Canis"}
    ]


def test_a_correction_counts_before_small_classes_are_left_out():
    assert labelled(("train/cat/1.png", "dog"), min_images=2).classes == ["dog", "junk"]
    assert labelled(("train/cat/1.png", None), min_images=2).classes == ["junk"]


def test_a_correction_saves_a_picture_of_a_dropped_class():
    result = labelled(("train/junk/1.png", "cat"), classes={"junk": None})
    assert labels(result)["train/junk/1.png"] == "cat"
    assert "train/junk/2.png" not in labels(result)
    assert result.applied["was"].to_pylist() == ["junk"]
    assert [count for _, _, count, _ in result.left_out] == [1]


def test_a_correction_into_a_dropped_class_drops_the_picture():
    result = labelled(("train/cat/1.png", "junk"), classes={"junk": None})
    assert "train/cat/1.png" not in labels(result)
    assert result.classes == ["cat", "dog"]


def test_a_class_of_the_name_of_a_dropped_label_is_the_one_that_is_meant():
    result = labelled(("train/cat/1.png", "junk"), classes={"junk": None, "dog": "junk"})
    assert labels(result)["train/cat/1.png"] == "junk"
    assert result.classes == ["cat", "junk"]


def test_a_correction_may_make_a_class_that_the_catalogue_names():
    result = labelled(("train/cat/1.png", "Bos"), classes={"cow": "Bos"})
    assert result.classes == ["cat", "Bos", "dog", "junk"]


def test_dropped_pictures_are_gone_and_told_as_corrections_alone():
    result = labelled(("train/junk/1.png", None), ("train/junk/2.png", None), classes={"junk": None})
    assert (len(result.applied), result.left_out) == (2, [])


def test_a_file_that_cannot_be_read_may_be_dropped():
    decoded = found(rejected=[("train/cat/bad.png", "it is empty"), ("train/dog/bad.png", "it is empty")])
    result = labelled(("train/cat/bad.png", None), decoded=decoded)
    assert result.rejected == [("train/dog/bad.png", "it is empty")]


@pytest.mark.parametrize(
    ("correction", "says"),
    [
        (("train/cat/9.png", None), "line 2: the data set has no usable picture 'train/cat/9.png'"),
        (("train/cat/1.png", "dgo"), "line 2: there is no class 'dgo': did you mean dog?"),
        (("more/1.png", "dog"), "is one of the unlabelled pictures"),
    ],
)
def test_a_wrong_correction_is_refused(correction, says):
    assert says in refusal(lambda: labelled(correction))
