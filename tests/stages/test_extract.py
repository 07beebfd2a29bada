import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.intake import packing
from stages import extract, fetch
from tests import make


def run(project, content=None, name="archive.zip"):
    """Fetch an archive and extract it; returns images, index and classes."""
    if content is not None:
        project.archive(content, name)
    fetch.main()
    extract.main()
    index = pd.read_parquet(paths.INDEX, dtype_backend="numpy_nullable")
    return np.load(paths.IMAGES), index, json.loads(paths.CLASSES.read_text(encoding="utf-8"))


def refusal(project, content):
    project.archive(content)
    fetch.main()
    sentence = make.refusal(extract.main)
    assert sentence is not None
    assert make.is_one_line(sentence)
    assert not paths.DATA.exists()
    assert list(paths.DATA.parent.glob(".*")) == []
    return sentence


def outputs():
    return {path.name: path.read_bytes() for path in paths.DATA.iterdir()}


FILES = make.pictures(("cat", "dog"), each=6) | {"more/1.png": make.picture(99)}


def test_the_five_files_are_written(project, capsys):
    project.add(path="x", unlabeled="more")
    images, index, classes = run(project, make.zip_of(FILES))
    assert sorted(outputs()) == ["classes.json", "corrected.csv", "images.npy", "index.parquet", "rejected.csv"]
    assert images.shape == (13, 8, 8, 1)
    assert list(index) == ["row", "path", "label", "subset", "sha256", "width", "height", "channels"]
    assert index["row"].tolist() == list(range(13))
    assert classes == ["cat", "dog"]
    assert index["label"].tolist()[:12] == [0] * 6 + [1] * 6
    assert index["label"].isna().tolist() == [False] * 12 + [True]
    assert index["sha256"].str.fullmatch("[0-9a-f]{64}").all()
    assert paths.REJECTED.read_text(encoding="utf-8") == "path,reason\n"
    out = capsys.readouterr().out
    assert "wrote data/images/images.npy (13 images) and data/images/index.parquet\nnext: dvc repro audit\n" in out


def test_rows_belong_to_their_images(project):
    project.add(path="x")
    images, index, _ = run(project, make.zip_of(FILES))
    seeds = {path: seed for seed, path in enumerate(FILES)}
    for image, path in zip(images, index["path"], strict=True):
        assert np.array_equal(image, make.pixels(seed=seeds[path]))


def test_the_same_bytes_from_every_shape_of_the_archive(project):
    """Flat, nested, with another order, another compression, as a tar, as a folder: one data set, one result."""
    inner = {path.removeprefix("train/"): content for path, content in FILES.items() if path.startswith("train/")}
    flat = {f"set/train/{path}": content for path, content in inner.items()}
    project.add(path="x", train="set/train")
    run(project, make.zip_of(flat))
    first = outputs()
    shapes = {
        "reversed.zip": make.zip_of(dict(reversed(flat.items())), zipfile.ZIP_STORED),
        "nested.zip": make.zip_of({"set/train.tar.gz": make.tar_of(inner, "gz")}),
        "doubled.zip": make.zip_of({"set.zip": make.zip_of({f"train/{path}": c for path, c in inner.items()})}),
        "flat.tar.xz": make.tar_of(flat, "xz"),
    }
    for name, content in shapes.items():
        run(project, content, name)
        assert outputs() == first, name
    for path, content in flat.items():
        place = project.folder / "folder" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    project.set(fetch__archive=str(project.folder / "folder"))
    run(project)
    assert outputs() == first


@pytest.mark.parametrize("threads", [1, 5])
def test_the_number_of_threads_changes_nothing(project, threads):
    project.add(path="x")
    run(project, make.zip_of(FILES))
    first = outputs()
    project.set(extract__threads=threads)
    run(project)
    assert outputs() == first


def test_samples_and_other_files_beside_the_data_are_ignored(project):
    project.add(path="x", train="trainingSet/trainingSet", unlabeled="testSet")
    files = {
        f"trainingSet/trainingSet/{label}/{number}.jpg": make.picture(10 * label + number, form="JPEG")
        for label in (0, 1)
        for number in (1, 2)
    }
    extra = {
        "trainingSample/trainingSample/0/1.jpg": files["trainingSet/trainingSet/0/1.jpg"],
        "testSample.zip": b"never opened",
        "testSet/testSet/1.jpg": make.picture(30, form="JPEG"),
        "trainingSet/trainingSet/0/Thumbs.db": b"x",
        "__MACOSX/trainingSet/trainingSet/0/._1.jpg": b"x",
        "trainingSet/trainingSet/0/.hidden.jpg": b"x",
        "README.md": b"x",
    }
    _, index, _ = run(project, make.zip_of(files | extra))
    assert index["path"].tolist() == [*sorted(files), "testSet/testSet/1.jpg"]


def test_makers_test_images_keep_their_subset(project):
    project.add(path="x", test="test")
    files = FILES | make.pictures(("cat", "dog"), each=2, folder="test/", seed=5)
    _, index, _ = run(project, make.zip_of(files))
    assert index["subset"].value_counts().to_dict() == {"train": 12, "test": 4}


def test_classes_stand_in_natural_order(project):
    project.add(path="x")
    labels = ["10", "2", "1", "b", "a", "1a", "A"]
    _, index, classes = run(project, make.zip_of(make.pictures(labels, each=1)))
    assert classes == ["1", "1a", "2", "10", "A", "a", "b"]
    assert [classes[label] for label in index["label"]] == [path.split("/")[1] for path in index["path"]]


def test_a_label_of_endless_digits_is_a_name(project):
    project.add(path="x")
    assert run(project, make.zip_of(make.pictures(("cat", "9" * 5000, "10"), each=1)))[2] == ["10", "9" * 5000, "cat"]


def test_classes_get_the_names_of_the_catalogue(project):
    project.add(path="x", classes={"cat": "Felis catus"})
    assert run(project, make.zip_of(FILES))[2] == ["Felis catus", "dog"]


def test_a_name_for_a_label_that_is_not_there_is_refused(project):
    project.add(path="x", classes={"cow": "Bos taurus"})
    assert refusal(project, make.zip_of(FILES)) == (
        "datasets.yaml: mine.classes names 'cow', but the archive has no such label: known are cat, dog"
    )


def test_two_classes_of_one_name_are_refused(project):
    project.add(path="x", classes={"cat": "dog"})
    assert "datasets.yaml: mine.classes gives two labels the name 'dog'" in refusal(project, make.zip_of(FILES))


def test_colour_and_size_are_those_of_the_catalogue(project):
    project.add(path="x", channels=3, image_size=[10, 12])
    assert run(project, make.zip_of(FILES))[0].shape == (12, 10, 12, 3)


def test_rejected_files_are_listed(project, capsys):
    project.add(path="x")
    project.set(extract__max_rejected=0.2)
    bad = {"train/cat/bad.png": b"text", "train/loose.png": make.picture(50)}
    _, index, _ = run(project, make.zip_of(FILES | bad))
    assert len(index) == 12
    assert pd.read_csv(paths.REJECTED).to_dict("list") == {
        "path": ["train/cat/bad.png", "train/loose.png"],
        "reason": ["it is no picture of a known format", "it lies in no class folder"],
    }
    assert "2 files were rejected, see data/images/rejected.csv" in capsys.readouterr().out


def test_too_many_rejected_files_fail_and_leave_nothing(project):
    project.add(path="x")
    project.set(extract__max_rejected=0.1)
    sentence = refusal(project, make.zip_of(FILES | {"train/cat/bad.png": b"x", "train/dog/bad.png": b"x"}))
    assert sentence.startswith(
        "2 of 14 files in data/raw/archive.zip cannot be used, more than extract.max_rejected (10.0"
    )
    assert "train/cat/bad.png: it is no picture of a known format" in sentence


def test_no_rejected_file_is_too_many_where_none_is_allowed(project):
    project.add(path="x")
    project.set(extract__max_rejected=0)
    run(project, make.zip_of(FILES))


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
def test_an_archive_without_usable_data_says_what_is_there(project, files, says):
    project.add(path="x")
    assert says in refusal(project, make.zip_of(files))


def test_only_unlabelled_pictures_are_no_training_set(project):
    project.add(path="x", unlabeled="more")
    sentence = refusal(project, make.zip_of({"more/1.png": make.picture(1)}))
    assert "labelled pictures of 0 classes" in sentence


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("max_members", 5, "raise extract.max_members"),
        ("max_bytes", 500, "raise extract.max_bytes"),
        ("max_pixels", 63, "more than extract.max_pixels allows"),
    ],
)
def test_the_limits_of_the_parameters_hold(project, key, value, says):
    project.add(path="x")
    make.edit(project.params, {f"extract.{key}": value})
    assert says in refusal(project, make.zip_of(FILES))


def test_a_damaged_archive_fails_in_one_sentence(project):
    project.add(path="x")
    assert "is damaged or cut short" in refusal(project, make.zip_of(FILES)[:-50])


def test_a_failure_leaves_the_last_good_result(project):
    project.add(path="x")
    run(project, make.zip_of(FILES))
    first = outputs()
    project.archive(b"no archive")
    fetch.main()
    with pytest.raises(UserError):
        extract.main()
    assert outputs() == first


def test_a_large_set_waits_in_a_file_and_is_the_same(project, monkeypatch):
    project.add(path="x")
    run(project, make.zip_of(FILES))
    first = outputs()
    monkeypatch.setattr(packing, "SCRATCH", 200)
    run(project)
    assert outputs() == first


def test_labels_in_two_spellings_of_unicode_are_one(project):
    project.add(path="x")
    files = make.pictures(("caf\u00e9", "tea"), each=2) | make.pictures(("cafe\u0301",), each=2, seed=3)
    _, index, classes = run(project, make.zip_of(files))
    assert classes == ["caf\u00e9", "tea"]
    assert len(index) == 6


def test_the_bundled_digits(project):
    images, index, classes = run(project)
    assert images.shape == (1797, 8, 8, 1)
    assert classes == [str(digit) for digit in range(10)]
    from sklearn.datasets import load_digits

    digits = load_digits()
    numbers = index["path"].str.extract(r"(\d+)\.png")[0].astype(int).to_numpy()
    assert np.array_equal(index["label"].to_numpy(int), digits.target[numbers])
    assert np.array_equal(images[..., 0], (digits.images[numbers] * 255 / 16).round().astype(np.uint8))


@pytest.mark.slow
def test_mnist_nested_and_flat_give_the_same_bytes(project, archives):
    project.set(dataset="mnist", fetch__archive=str(archives / "mnistasjpg.zip"))
    images, index, classes = run(project)
    assert images.shape == (70_000, 28, 28, 1)
    assert index["subset"].value_counts().to_dict() == {"train": 42_000, "unlabeled": 28_000}
    assert classes == [str(digit) for digit in range(10)]
    assert index["label"].notna().sum() == 42_000
    nested = outputs()

    from darkroom.intake.archive import Limits, files

    def everything():
        source = archives / "mnistasjpg.zip"
        for file in files(source, wanted=lambda _: True, may_hold=lambda _: True, limits=Limits()):
            yield file.path, file.read()

    content = make.zip_of(sorted(everything(), reverse=True), zipfile.ZIP_STORED)
    _, _, _ = run(project, content, "flat.zip")
    assert outputs() == nested


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "entry", "counts"),
    [
        ("fashion-mnist.zip", {"train": "train", "test": "test", "image_size": 28}, {"train": 60_000, "test": 10_000}),
        ("stamps.zip", {"train": "stamps/train", "test": "stamps/test", "channels": 3, "image_size": 160}, None),
    ],
)
def test_other_real_archives(project, archives, name, entry, counts):
    project.add(path=str(archives / name), **entry)
    images, index, classes = run(project)
    assert len(index) == sum(counts.values()) if counts else 240
    assert len(classes) == (10 if counts else 6)
    assert pd.read_csv(paths.REJECTED).empty
    assert images.shape[1:3] == (entry["image_size"],) * 2
    if counts:
        assert index["subset"].value_counts().to_dict() == counts


def correct(project, *lines):
    paths.CORRECTIONS.parent.mkdir(exist_ok=True)
    paths.CORRECTIONS.write_text("\n".join(["dataset,path,action,label", *lines, ""]))


def test_corrections_are_honoured_and_told(project, capsys):
    project.add(path="x", unlabeled="more")
    correct(project, "mine,train/cat/1.png,relabel,dog", "other,train/cat/2.png,drop,", "mine,train/cat/0.png,drop,")
    images, index, classes = run(project, make.zip_of(FILES))
    by_path = index.set_index("path")
    assert "train/cat/0.png" not in by_path.index
    assert classes[by_path["label"]["train/cat/1.png"]] == "dog"
    assert len(images) == len(index) == len(FILES) - 1
    assert index["row"].tolist() == list(range(len(index)))
    seeds = {path: seed for seed, path in enumerate(FILES)}
    assert np.array_equal(images[by_path["row"]["train/cat/1.png"]], make.pixels(seed=seeds["train/cat/1.png"]))
    assert pd.read_csv(paths.CORRECTED, keep_default_na=False).to_dict("list") == {
        "path": ["train/cat/1.png", "train/cat/0.png"],
        "action": ["relabel", "drop"],
        "was": ["cat", ""],
        "now": ["dog", ""],
    }
    assert "2 corrections applied (1 relabelled, 1 dropped), see data/images/corrected.csv" in capsys.readouterr().out


def test_a_class_that_loses_its_last_picture_is_none(project):
    project.add(path="x")
    files = FILES | {"train/emu/1.png": make.picture(70)}
    correct(project, "mine,train/emu/1.png,relabel,dog")
    _, index, classes = run(project, make.zip_of(files))
    assert classes == ["cat", "dog"]
    assert index["label"].tolist() == [0] * 6 + [1] * 7


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("mine,train/cat/77.png,drop,", "line 2: the data set has no usable picture 'train/cat/77.png'"),
        ("mine,train/cat/1.png,relabel,dgo", "line 2: there is no class 'dgo': did you mean dog?"),
    ],
)
def test_a_wrong_correction_stops_the_stage(project, line, named):
    project.add(path="x")
    correct(project, line)
    project.archive(make.zip_of(FILES))
    fetch.main()
    sentence = make.refusal(extract.main)
    assert named in sentence
    assert make.is_one_line(sentence)
    assert not paths.DATA.exists()


def test_files_that_do_not_end_like_pictures_are_counted(project, capsys):
    project.add(path="x")
    other = {"train/cat/a.HEIC": b"1", "train/dog/b.heic": b"2", "train/cat/notes": b"3", "more/c.heic": b"4"}
    hidden = {"train/cat/.DS_Store": b"5", "__MACOSX/train/cat/._1.txt": b"6"}
    _, index, _ = run(project, make.zip_of(FILES | other | hidden))
    assert len(index) == 12
    told = "; 3 files that do not end like pictures were passed over (.heic 2, without an ending 1)\n"
    assert told in capsys.readouterr().out


@pytest.mark.parametrize("ending", ["jfif", "JPG", "pjpeg", "ppm"])
def test_pictures_under_less_usual_endings_are_read(project, ending):
    project.add(path="x")
    form = "PPM" if ending == "ppm" else "JPEG"
    _, index, _ = run(
        project, make.zip_of({f"train/{c}/1.{ending}": make.picture(n, form=form) for n, c in enumerate("ab")})
    )
    assert len(index) == 2


def corrected(project, *lines):
    paths.CORRECTIONS.parent.mkdir(exist_ok=True)
    paths.CORRECTIONS.write_text("\n".join(["dataset,path,action,label", *lines, ""]), encoding="utf-8")


@pytest.mark.parametrize("action", ["drop,", "relabel,dog"])
def test_a_class_that_the_catalogue_names_may_lose_its_last_picture(project, action):
    project.add(path="x", classes={"emu": "Dromaius", "cat": "Felis"})
    corrected(project, f"mine,train/emu/1.png,{action}")
    _, _, classes = run(project, make.zip_of(FILES | {"train/emu/1.png": make.picture(77)}))
    assert classes == ["Felis", "dog"]


def test_corrections_that_leave_one_class_are_refused(project):
    project.add(path="x")
    corrected(project, *(f"mine,{path},relabel,dog" for path in FILES if "/cat/" in path))
    assert "data/corrections.csv leaves labelled pictures of 1 class, and" in refusal(project, make.zip_of(FILES))
