"""What the files of an archive become: which are taken, what is said of the others, how they are numbered."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from darkroom.base import paths
from darkroom.base.files import read_json
from darkroom.config.catalogue import Layout
from darkroom.config.params import load
from darkroom.intake import extraction
from tests import make
from tests.intake.fetched import names, refusal

FILES = make.pictures(("cat", "dog"), each=6) | {"more/1.png": make.picture(99)}


@pytest.fixture
def extract(project):
    """Extracts files, with these settings of an entry; the outputs lie in `out`."""

    def run(files, **settings):
        source = project.folder / "archive.zip"
        source.write_bytes(make.zip_of(files))
        out = project.folder / "out"
        out.mkdir(exist_ok=True)
        return extraction.extract(source, make.entry(**settings), load()[0].extract, out, "mine")

    return run


def index():
    return pd.read_parquet("out/index.parquet", dtype_backend="numpy_nullable")


def classes():
    return read_json(Path("out/classes.json"))


def table(name):
    return pd.read_csv(f"out/{name}.csv", keep_default_na=False).to_dict("list")


def correct(*lines):
    paths.CORRECTIONS.parent.mkdir(exist_ok=True)
    paths.CORRECTIONS.write_text("\n".join(["dataset,path,action,label", *lines, ""]), encoding="utf-8")


# The sieve.


def sieve(to_drop=(), **settings):
    return extraction.Sieve(Layout(make.entry(**settings)), set(to_drop))


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("train/cat/1.png", True),
        ("train/cat/1.JPG", True),
        ("more/1.png", True),
        ("train/loose.png", True),  # to be rejected with a reason
        ("other/cat/1.png", False),
        ("1.png", False),
        ("train/cat/notes.txt", False),
        ("train/cat/.hidden.png", False),
        ("__MACOSX/train/cat/._1.png", False),
    ],
)
def test_pictures_of_a_subset_are_part_of_the_data(path, part):
    assert sieve(unlabeled="more")(path) is part


def test_files_among_the_data_that_are_no_pictures_are_counted_by_their_ending():
    ours = sieve()
    for path in ("train/cat/a.HEIC", "train/dog/b.heic", "train/cat/notes", "train/dog/x.averylongending"):
        assert not ours(path)
    for path in ("train/cat/.DS_Store", "__MACOSX/train/cat/._1.txt", "other/c.heic", "train/cat/1.png"):
        ours(path)
    assert ours.others == {".heic": 2, "without an ending": 1, ".averylong": 1}


def test_some_folders_of_pictures_that_belong_to_no_subset_are_noted():
    ours = sieve()
    for number in range(9):
        assert not ours(f"Train/{number}/1.png")
    assert ours.elsewhere == {f"Train/{number}" for number in range(extraction.FOLDERS_NAMED)}
    ours = sieve()
    ours("alone.png")
    assert ours.elsewhere == {"alone.png"}


def test_dropped_pictures_are_kept_with_their_labels_where_the_archive_has_them():
    ours = sieve(["train/cat/1.png", "train/dog/9.png", "more/1.png"], unlabeled="more")
    passed = [path for path in ("train/cat/1.png", "train/cat/2.png", "more/1.png") if ours(path)]
    assert passed == ["train/cat/2.png"]
    assert ours.dropped == {"train/cat/1.png": "cat", "more/1.png": None}


# What comes of the files.


def test_the_files_that_are_written(extract, project):
    found = extract(FILES, unlabeled="more")
    assert names(project.folder / "out") == [
        "classes.json", "corrected.csv", "images.npy", "index.parquet", "rejected.csv",
    ]  # fmt: skip
    assert len(found.index) == len(index()) == 13
    assert (found.rejected, found.in_words()) == ([], "")
    assert table("rejected") == {"path": [], "reason": []}


def test_a_label_is_the_number_of_its_class(extract):
    extract(make.pictures(["10", "2", "b"], each=2), classes={"2": "two"})
    assert classes() == ["two", "10", "b"]
    numbers = {"2": 0, "10": 1, "b": 2}
    assert index()["label"].tolist() == [numbers[path.split("/")[1]] for path in index()["path"]]


def test_the_index_is_the_same_written_in_slices(extract, monkeypatch):
    extract(FILES)
    whole = index()
    monkeypatch.setattr(extraction, "SLICE", 5)
    extract(FILES)
    pd.testing.assert_frame_equal(index(), whole)
    assert whole["row"].tolist() == list(range(12))


def test_makers_test_images_keep_their_subset(extract):
    extract(FILES | make.pictures(("cat", "dog"), each=2, folder="test/", seed=5), test="test")
    assert index()["subset"].value_counts().to_dict() == {"train": 12, "test": 4}


def test_colour_and_size_are_those_of_the_catalogue(extract):
    extract(FILES, channels=3, image_size=[10, 12])
    assert np.load("out/images.npy").shape == (12, 10, 12, 3)


@pytest.mark.parametrize("ending", ["jfif", "JPG", "pjpeg", "ppm"])
def test_pictures_under_less_usual_endings_are_read(extract, ending):
    form = "PPM" if ending == "ppm" else "JPEG"
    extract({f"train/{label}/1.{ending}": make.picture(seed, form=form) for seed, label in enumerate("ab")})
    assert len(index()) == 2


def test_files_that_do_not_end_like_pictures_are_told(extract):
    found = extract(FILES | {"train/cat/a.HEIC": b"1", "train/dog/b.heic": b"2", "train/cat/notes": b"3"})
    assert len(found.index) == 12
    assert found.in_words() == (
        "; 3 files that do not end like pictures were passed over (.heic 2, without an ending 1)"
    )


# Files that cannot be used.


def test_rejected_files_are_listed_and_told(extract, project):
    project.set(extract__max_rejected=0.2)
    found = extract(FILES | {"train/cat/bad.png": b"text", "train/loose.png": make.picture(50)})
    assert len(index()) == 12
    assert table("rejected") == {
        "path": ["train/cat/bad.png", "train/loose.png"],
        "reason": ["it is no picture of a known format", "it lies in no class folder"],
    }
    assert found.in_words() == "; 2 files were rejected, see data/images/rejected.csv"


def test_too_many_rejected_files_are_refused_with_examples(extract, project):
    project.set(extract__max_rejected=0.1)
    said = refusal(lambda: extract(FILES | {"train/cat/bad.png": b"x", "train/dog/bad.png": b"x"}))
    assert said.startswith(f"2 of 14 files in {project.folder / 'archive.zip'} cannot be used, more than")
    assert "extract.max_rejected (10.0" in said
    assert "train/cat/bad.png: it is no picture of a known format" in said


def test_no_rejected_file_is_too_many_where_none_is_allowed(extract, project):
    project.set(extract__max_rejected=0)
    assert len(extract(FILES).index) == 12


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (
            {"Train/cat/1.png": b"x", "Train/dog/1.png": b"x"},
            "pictures lie in Train/cat, Train/dog: correct the folders",
        ),
        ({"1.png": b"x"}, "has no picture under train: train; pictures lie in 1.png"),
        ({"more/cat/1.txt": b"x"}, "it holds no pictures: correct"),
        ({"train/cat/1.txt": b"x"}, "it holds no pictures, but 1 files of other kinds there (.txt): correct"),
        ({}, "it holds no pictures"),
        ({"train/cat/1.png": make.picture(1)}, "has labelled pictures of 1 class under train: train, and at least two"),
    ],
)
def test_an_archive_without_usable_data_says_what_is_there(extract, files, says):
    assert says in refusal(lambda: extract(files))


def test_only_unlabelled_pictures_are_no_training_set(extract):
    said = refusal(lambda: extract({"more/1.png": make.picture(1)}, unlabeled="more"))
    assert "labelled pictures of 0 classes" in said


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("max_members", 5, "raise extract.max_members"),
        ("max_bytes", 500, "raise extract.max_bytes"),
        ("max_pixels", 63, "more than extract.max_pixels allows"),
    ],
)
def test_the_limits_of_the_parameters_hold(extract, project, key, value, says):
    make.edit(project.params, {f"extract.{key}": value})
    assert says in refusal(lambda: extract(FILES))


# Corrections.


def test_corrections_are_honoured_and_told(extract):
    correct("mine,train/cat/1.png,relabel,dog", "other,train/cat/2.png,drop,", "mine,train/cat/0.png,drop,")
    found = extract(FILES, unlabeled="more")
    by_path = index().set_index("path")
    assert "train/cat/0.png" not in by_path.index
    assert classes()[by_path["label"]["train/cat/1.png"]] == "dog"
    images = np.load("out/images.npy")
    assert len(images) == len(by_path) == len(FILES) - 1
    assert by_path["row"].tolist() == list(range(len(by_path)))
    seeds = {path: seed for seed, path in enumerate(FILES)}
    assert np.array_equal(images[by_path["row"]["train/cat/1.png"]], make.pixels(seed=seeds["train/cat/1.png"]))
    assert table("corrected") == {
        "path": ["train/cat/1.png", "train/cat/0.png"],
        "action": ["relabel", "drop"],
        "was": ["cat", ""],
        "now": ["dog", ""],
    }
    assert found.in_words() == "; 2 corrections applied (1 relabelled, 1 dropped), see data/images/corrected.csv"


@pytest.mark.parametrize("named", [{}, {"emu": "Dromaius", "cat": "Felis"}])
@pytest.mark.parametrize("action", ["drop,", "relabel,dog"])
def test_a_class_that_loses_its_last_picture_is_none(extract, action, named):
    """The catalogue may name it all the same."""
    correct(f"mine,train/emu/1.png,{action}")
    extract(FILES | {"train/emu/1.png": make.picture(77)}, classes=named)
    assert classes() == [named.get("cat", "cat"), "dog"]
    assert index()["label"].tolist() == [0] * 6 + [1] * (7 if action == "relabel,dog" else 6)


def test_corrections_that_leave_one_class_are_refused(extract):
    correct(*(f"mine,{path},relabel,dog" for path in FILES if "/cat/" in path))
    said = refusal(lambda: extract(FILES))
    assert said.startswith("data/corrections.csv leaves labelled pictures of 1 class, and at least two are needed")


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("mine,train/cat/77.png,drop,", "line 2: the data set has no usable picture 'train/cat/77.png'"),
        ("mine,train/cat/1.png,relabel,dgo", "line 2: there is no class 'dgo': did you mean dog?"),
    ],
)
def test_a_wrong_correction_is_refused(extract, line, named):
    correct(line)
    assert named in refusal(lambda: extract(FILES))
