"""What the files of an archive become: which are taken, what is said of the others, how they are numbered."""

import functools
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from darkroom.base import paths
from darkroom.base.files import read_json, replacing_folder
from darkroom.config.params import load
from darkroom.intake import extraction
from tests import make
from tests.intake.fetched import names, refusal

FILES = make.pictures(("cat", "dog"), each=6) | {"more/1.png": make.picture(99)}


@pytest.fixture
def extract(project, monkeypatch):
    """Extracts files, with these settings of an entry; the outputs lie in `out`. `run.decoded` counts decodings."""

    pack = extraction.pack

    def counted(*arguments, **options):
        run.decoded += 1
        return pack(*arguments, **options)

    def run(files, **settings):
        source = project.folder / "archive.zip"
        source.write_bytes(make.zip_of(files))
        with replacing_folder(project.folder / "out") as out:
            return extraction.extract(source, make.entry(**settings), load()[0].extract, out, "mine")

    run.decoded = 0
    monkeypatch.setattr(extraction, "pack", counted)
    return run


def index():
    return pd.read_parquet("out/index.parquet", dtype_backend="numpy_nullable")


def classes():
    return read_json(Path("out/classes.json"))


def table(name):
    return pd.read_csv(f"out/{name}.csv", keep_default_na=False).to_dict("list")


def outputs():
    return {path.name: path.read_bytes() for path in Path("out").iterdir()}


def correct(*lines):
    paths.CORRECTIONS.parent.mkdir(exist_ok=True)
    paths.CORRECTIONS.write_text("\n".join(["dataset,path,action,label", *lines, ""]), encoding="utf-8")


# What comes of the files.


def test_the_files_that_are_written(extract, project):
    found = extract(FILES, unlabeled="more")
    assert names(project.folder / "out") == [
        "classes.json", "corrected.csv", "images.npy", "index.parquet", "passed_over.csv", "rejected.csv",
        "sample_submission.csv",
    ]  # fmt: skip
    assert len(found.index) == len(index()) == 13
    assert found.understood == [
        "2 classes: cat 6, dog 6 (labels from the folder in which each picture lies)",
        "subsets: train 12, unlabeled 1",
    ]
    assert found.warnings == []
    assert table("rejected") == {"path": [], "reason": []}
    assert table("passed_over") == {"folder": [], "reason": [], "files": [], "example": []}


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


def test_makers_validation_images_keep_their_subset_too(extract):
    more = make.pictures(("cat", "dog"), each=2, folder="v/", seed=5)
    extract(FILES | more, val="v")
    assert index()["subset"].value_counts().to_dict() == {"train": 12, "val": 4}


def test_what_is_passed_over_is_listed_and_told(extract):
    more = {"train/cat/a.CR2": b"1", "train/dog/b.cr2": b"2", "train/cat/.x": b"", "z/1.png": b"", "z.zip": b""}
    found = extract(FILES | more)
    assert len(found.index) == 12
    kind = "not read as a picture: .cr2"
    rows = list(zip(*table("passed_over").values(), strict=True))
    assert rows == [
        (".", "an archive that no pattern reaches", 1, "z"),
        ("more", "a picture that no pattern reaches", 1, "more/1.png"),
        ("train/cat", "a hidden file", 1, "train/cat/.x"),
        ("train/cat", kind, 1, "train/cat/a.CR2"),
        ("train/dog", kind, 1, "train/dog/b.cr2"),
        ("z", "a picture that no pattern reaches", 1, "z/1.png"),
    ]
    assert found.understood[-1] == (
        "5 files passed over, see data/images/passed_over.csv: a picture that no pattern reaches (2); not read as "
        "a picture: .cr2 (2); an archive that no pattern reaches (1)"
    )
    assert [line[:31] for line in found.warnings] == ["no pattern reaches 2 pictures ("]


def test_groups_and_hashes_of_files_are_in_the_index(extract):
    files = {f"{label}/{person}-{at}.png": make.picture(at + 9 * len(label + person))
             for label in ("cat", "wolf") for person in ("p", "qq") for at in (1, 2)}  # fmt: skip
    found = extract(files, train="{label}/{group}-*")
    by_path = index().set_index("path")
    assert by_path["group"]["cat/qq-1.png"] == "qq"
    assert by_path["file_sha256"]["cat/p-1.png"] == hashlib.sha256(files["cat/p-1.png"]).hexdigest()
    assert found.understood[1].endswith("; 2 groups, none of which is torn apart later")


# Tables and lists.

HEAD = "image,dx,who,side\n"
LINES = [f"{number},{'cat' if number % 2 else 'dog'},p{number // 4},{number % 3}\n" for number in range(12)]
PLAIN = {f"part_{number % 2}/{number}.png": make.picture(number) for number in range(13)}
TABLE = {"labels.csv": (HEAD + "".join(LINES) + "77,cat,p9,0\n").encode()}


def test_labels_groups_and_subsets_come_from_a_table(extract, project):
    project.set(extract__max_rejected=0.2)
    labels = {
        "file": "labels.csv", "image": "image", "label": "dx", "group": "who",
        "split": "side", "splits": {"train": [0, 1], "test": [2]},
    }  # fmt: skip
    found = extract(PLAIN | TABLE, train="part_*/*", labels=labels)
    by_path = index().set_index("path")
    assert classes() == ["cat", "dog"]
    assert by_path["label"]["part_1/5.png"] == 0
    assert (by_path["group"]["part_1/5.png"], by_path["subset"]["part_1/5.png"]) == ("p1", "test")
    assert found.understood[0] == "2 classes: cat 6, dog 6 (labels from labels.csv, column dx)"
    assert table("rejected") == {"path": ["part_0/12.png"], "reason": ["labels.csv has no row for it"]}
    assert found.warnings == ["1 row of labels.csv names no picture of the data, the first being '77' in line 14"]


def test_a_table_tells_labelled_from_unlabelled_pictures_in_one_folder(extract):
    labels = {"file": "labels.csv", "image": "image", "label": "dx"}
    extract(PLAIN | TABLE, train=["part_*/*"], unlabeled="part_*/*", labels=labels)
    assert index()["subset"].value_counts().to_dict() == {"train": 12, "unlabeled": 1}


def test_lists_decide_the_subsets(extract):
    files = {f"images/{label}_{at}.png": make.picture(at + 10 * len(label)) for label in "ab" for at in range(4)}
    lists = {"meta/train.txt": b"a_0\na_1\nb_0\nb_1\n", "meta/test.txt": b"a_2\nb_2\n"}
    found = extract(files | lists, train=["images/{label}_*", "@meta/train.txt"], test="@meta/test.txt")
    by_path = index().set_index("path")
    assert by_path["subset"].to_dict() == {
        f"images/{label}_{at}.png": "test" if at == 2 else "train" for label in "ab" for at in range(3)
    }
    assert table("passed_over")["example"] == ["images/a_3.png"]
    assert found.warnings == []


def test_an_old_pattern_is_refused_with_the_one_to_write(extract):
    said = refusal(lambda: extract(FILES, train="train/*"))
    assert said.startswith("datasets.yaml: the pattern 'train/*' reaches no picture")
    assert said.endswith("to reach train/cat/0.png, write train/**")
    assert len(extract(FILES, train="train/**").index) == 12


def test_a_pattern_that_would_run_for_ever_is_refused(extract):
    name = f"train/cat/{'a' * 60}c.png"
    said = refusal(lambda: extract(FILES | {name: b""}, train=["train", "train/cat/{x:(a|aa)+}{y:[b]}"]))
    assert "use fewer wildcards" in said


# Kept pictures.


def test_other_names_and_corrections_decode_nothing_again(extract):
    plain = extract(FILES)
    first = outputs()
    assert extract.decoded == 1
    extract(FILES, classes={"cat": "Felis"}, title="new", recipe={"train.lr": 1}, license="MIT", min_images=2)
    assert classes() == ["Felis", "dog"]
    correct("mine,train/cat/1.png,relabel,dog")
    extract(FILES)
    assert index()["label"].tolist() == [0, 1, 0, 0, 0, 0] + [1] * 6
    assert outputs()["images.npy"] == first["images.npy"]
    correct()
    again = extract(FILES)
    assert extract.decoded == 1
    assert outputs() == first
    assert (again.understood, again.warnings) == (plain.understood, plain.warnings)


def test_what_decides_the_pixels_decodes_anew(extract, project):
    extract(FILES)
    extract(FILES, image_size=9)
    extract(FILES | {"train/cat/9.png": make.picture(77)}, image_size=9)
    project.set(extract__max_pixels=1000)
    extract(FILES | {"train/cat/9.png": make.picture(77)}, image_size=9)
    assert extract.decoded == 4


def test_a_dropped_class_gives_the_bytes_that_an_archive_without_it_gives(extract):
    more = make.pictures(("eel",), each=3, seed=4)
    extract({path: content for path, content in (FILES | more).items() if "dog" not in path})
    alone = outputs()
    found = extract(FILES | more, classes={"dog": None})
    del alone["passed_over.csv"]
    assert {name: content for name, content in outputs().items() if name in alone} == alone
    assert "a picture of a class that the entry drops (6)" in found.understood[-1]


def test_small_classes_are_left_out_and_told(extract):
    found = extract(FILES | {"train/eel/1.png": make.picture(50)}, min_images=2)
    assert classes() == ["cat", "dog"]
    assert "a picture of a class with fewer than 2 different pictures (1)" in found.understood[-1]


def test_merged_classes_are_one(extract):
    extract(FILES | make.pictures(("eel",), each=3, seed=4), classes={"cat": "pet", "dog": "pet"})
    assert classes() == ["pet", "eel"]
    assert index()["label"].value_counts().to_dict() == {0: 12, 1: 3}


def test_a_damaged_copy_of_the_pixels_is_not_used(extract, project):
    extract(FILES)
    first = outputs()
    (kept,) = (project.folder / ".decoded").glob("*/images.npy")
    kept.write_bytes(b"")
    extract(FILES, classes={"cat": "Felis"})
    assert outputs()["images.npy"] == first["images.npy"]


# Files that cannot be used.


def test_rejected_files_are_listed_and_told(extract, project):
    project.set(extract__max_rejected=0.2)
    found = extract(FILES | {"train/cat/bad.png": b"text", "train/loose.png": make.picture(50)})
    assert len(index()) == 12
    assert table("rejected") == {
        "path": ["train/cat/bad.png", "train/loose.png"],
        "reason": ["it is no picture of a known format", "it lies in no class folder"],
    }
    assert (
        "2 files rejected, see data/images/rejected.csv: it is no picture of a known format (1); it lies in no class "
        "folder (1)"
    ) in found.understood


def test_too_many_rejected_files_are_refused_with_examples(extract, project):
    project.set(extract__max_rejected=0.1)
    said = refusal(lambda: extract(FILES | {"train/cat/bad.png": b"x", "train/dog/bad.png": b"x"}))
    assert said.startswith(f"2 of 14 files in {project.folder / 'archive.zip'} cannot be used, more than")
    assert "extract.max_rejected (10.0" in said
    assert "train/cat/bad.png: it is no picture of a known format" in said
    assert "train/dog/bad.png" not in said  # of each reason one


def test_no_rejected_file_is_too_many_where_none_is_allowed(extract, project):
    project.set(extract__max_rejected=0)
    assert len(extract(FILES).index) == 12


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (
            {"Train/cat/1.png": b"x", "Train/dog/1.png": b"x"},
            "pictures lie in Train/cat, Train/dog: correct the patterns",
        ),
        ({"1.png": b"x"}, "has no picture under train: train; pictures lie in the archive's own top, outside of"),
        (
            {"train/cat/1.txt": b"x"},
            "it holds no pictures, but 1 other file (not read as a picture: .txt)",
        ),
        ({}, "it holds no pictures"),
        (
            {"train/cat/1.png": make.picture(1)},
            "has training pictures of 1 class (cat), and at least two are needed to learn to tell them apart (labels "
            "from the folder in which each picture lies): correct `train` or `labels` in datasets.yaml",
        ),
    ],
)
def test_an_archive_without_usable_data_says_what_is_there(extract, files, says):
    assert says in refusal(lambda: extract(files))


def test_only_unlabelled_pictures_are_no_training_set(extract):
    said = refusal(lambda: extract({"more/1.png": make.picture(1)}, unlabeled="more"))
    assert "has no picture to train on under train: train, unlabeled: more; it holds no other pictures: correct" in said


def test_classes_that_stand_in_other_subsets_alone_are_named(extract):
    files = {path.replace("train/dog", "test/dog"): content for path, content in FILES.items()}
    said = refusal(lambda: extract(files, test="test"))
    assert "training pictures of 1 class (cat); dog stands in other subsets alone, and at least two" in said


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
    assert found.understood[-1] == "2 corrections applied (1 relabelled, 1 dropped), see data/images/corrected.csv"


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
    assert said.startswith("data/corrections.csv leaves training pictures of 1 class (dog), and at least two are")


def test_classes_that_the_entry_leaves_out_until_one_is_left_are_refused(extract):
    correct("mine,train/cat/1.png,relabel,dog")
    said = refusal(lambda: extract(FILES, classes={"cat": None}))
    assert said.startswith(
        "data/corrections.csv and datasets.yaml (classes, min_images) leave training pictures of 1 class (dog)"
    )


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


# The sample of a submission.

SAMPLE = {"sample.csv": b"id,label\n1,cat\n"}


def test_a_sample_is_kept_as_it_is_and_decodes_nothing_again(extract):
    files = FILES | SAMPLE | {"other.csv": b"id,p\n1,0.5\n"}
    plain = extract(files, unlabeled="more")
    assert outputs()["sample_submission.csv"] == b""
    assert plain.understood[-1].startswith("2 files passed over")
    found = extract(files, unlabeled="more", submission="sample.csv")
    assert outputs()["sample_submission.csv"] == SAMPLE["sample.csv"]
    assert found.understood[2].startswith("submission as sample.csv: 1 row; one label a picture; its ids are")
    assert found.understood[3].startswith("1 file passed over")
    extract(files, unlabeled="more", submission={"sample": "other.csv", "probability": "dog"})
    assert outputs()["sample_submission.csv"] == b"id,p\n1,0.5\n"
    assert extract.decoded == 1


def test_a_sample_that_does_not_fit_is_told_before_any_training(extract):
    for asked, more, says in (
        ("sample.csv", {"unlabeled": None}, "no picture is without a label"),
        ("other.csv", {}, "sample.csv"),
        ({"sample": "sample.csv", "probability": "cow"}, {}, "'cow', which is no class"),
    ):
        settings = {"unlabeled": "more", "submission": asked} | more
        assert says in refusal(functools.partial(extract, FILES | SAMPLE, **settings))
