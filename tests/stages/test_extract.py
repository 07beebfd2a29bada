import json
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.config.stage_tables import INDEX
from darkroom.intake import decoding_pool, scratch
from stages import entry, extract, fetch
from tests import make


def run(project, content=None, name="archive.zip"):
    """Fetch an archive and extract it; returns images, index and classes."""
    if content is not None:
        project.archive(content, name)
    entry.main()
    fetch.main()
    extract.main()
    index = pd.read_parquet(paths.INDEX, dtype_backend="numpy_nullable")
    return np.load(paths.IMAGES), index, json.loads(paths.CLASSES.read_text(encoding="utf-8"))


def refusal(project, content):
    project.archive(content)
    entry.main()
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


def test_the_seven_files_are_written(project, capsys):
    project.add(path="x", unlabeled="more")
    images, index, classes = run(project, make.zip_of(FILES))
    assert sorted(outputs()) == [
        "classes.json", "corrected.csv", "images.npy", "index.parquet", "passed_over.csv", "rejected.csv",
        "sample_submission.csv",
    ]  # fmt: skip
    assert images.shape == (13, 8, 8, 1)
    assert tuple(index) == INDEX.columns
    assert index["row"].tolist() == list(range(13))
    assert classes == ["cat", "dog"]
    assert index["label"].tolist()[:12] == [0] * 6 + [1] * 6
    assert index["label"].isna().tolist() == [False] * 12 + [True]
    assert index["sha256"].str.fullmatch("[0-9a-f]{64}").all()
    assert index["file_sha256"].str.fullmatch("[0-9a-f]{64}").all()
    assert paths.REJECTED.read_text(encoding="utf-8") == "path,reason\n"
    assert paths.PASSED_OVER.read_text(encoding="utf-8") == "folder,reason,files,example\n"
    out = capsys.readouterr().out
    assert "wrote data/images/images.npy (13 images) and data/images/index.parquet\nnext: dvc repro audit\n" in out


def test_what_was_understood_and_what_looks_unlikely_is_told(project, capsys):
    project.add(path="x")
    run(project, make.zip_of(FILES | {"train/cat/notes.txt": b"1", "train/Dog/1.png": make.picture(50)}))
    out = capsys.readouterr().out
    assert (
        "3 classes: Dog 1, cat 6, dog 6 (labels from the folder in which each picture lies)\n"
        "subsets: train 13\n"
        "2 files passed over, see data/images/passed_over.csv: a picture that no pattern reaches (1); not read as a "
        "picture: .txt (1)\n"
        "warning: no pattern reaches 1 picture (more 1): if they belong to the data, add their folder to train, val, "
        'test or unlabeled, as in train: [..., "more"]\n'
        "warning: 'dog', 'Dog' are 2 classes whose names hardly differ: if they are one, write classes: "
        '{"Dog": "dog"}\n'
        "wrote data/images/images.npy (13 images) and data/images/index.parquet\n"
    ) in out


def test_a_warning_is_one_printable_line(project, capsys):
    project.add(path="x")
    run(project, make.zip_of(FILES | {"train/a\nb\x1b[2J/masks/1.png": make.picture(50)}))
    lines = capsys.readouterr().out.splitlines()
    assert all(line.isprintable() for line in lines)
    assert len([line for line in lines if line.startswith("warning: ")]) == 2


def test_a_relabel_decodes_nothing_again(project, monkeypatch):
    project.add(path="x")
    run(project, make.zip_of(FILES))
    first = outputs()
    monkeypatch.setattr(decoding_pool, "decode", None)
    paths.CORRECTIONS.write_text("dataset,path,action,label\nmine,train/cat/1.png,relabel,dog\n", encoding="utf-8")
    _, index, _ = run(project)
    assert index.set_index("path")["label"]["train/cat/1.png"] == 1
    assert outputs()["images.npy"] == first["images.npy"]
    make.edit(project.datasets, {"mine.classes": {"cat": "Felis"}})
    assert run(project)[2] == ["Felis", "dog"]


def test_pixels_are_the_same_file_as_the_kept_ones(project):
    """So they take no room of their own; the next run replaces the output, and leaves the kept file as it is."""
    project.add(path="x")
    run(project, make.zip_of(FILES))
    (kept,) = (project.folder / ".decoded").glob("*/images.npy")
    before = kept.read_bytes()
    assert kept.stat().st_ino == paths.IMAGES.stat().st_ino
    paths.IMAGES.chmod(0o444)  # as DVC leaves it where it links its cache
    make.edit(project.datasets, {"mine.classes": {"dog": "Canis"}})
    run(project)
    assert kept.read_bytes() == before == paths.IMAGES.read_bytes()


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
    project.use(project.folder / "folder")
    run(project)
    assert outputs() == first


@pytest.mark.parametrize("threads", [1, 5])
def test_the_number_of_threads_changes_nothing(project, threads):
    project.add(path="x")
    run(project, make.zip_of(FILES))
    first = outputs()
    project.set(extract__threads=threads)
    shutil.rmtree(".decoded")
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


def test_a_damaged_archive_fails_in_one_sentence(project):
    project.add(path="x")
    assert "is damaged or cut short" in refusal(project, make.zip_of(FILES)[:-50])


def test_a_failure_leaves_the_last_good_result(project):
    project.add(path="x")
    run(project, make.zip_of(FILES))
    first = outputs()
    project.archive(b"no archive")
    entry.main()
    fetch.main()
    with pytest.raises(UserError):
        extract.main()
    assert outputs() == first


def test_a_large_set_waits_in_a_file_and_is_the_same(project, monkeypatch):
    project.add(path="x")
    run(project, make.zip_of(FILES))
    first = outputs()
    monkeypatch.setattr(scratch, "SCRATCH", 200)
    shutil.rmtree(".decoded")
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
    project.set(dataset="mnist", fetch__archive={"mnist": str(archives / "mnistasjpg.zip")})
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


def test_links_that_lead_to_nothing_are_rejected_a_whole_class_included(project, capsys):
    """Half the pictures of a class, and a whole class, lie on a disk that is not there."""
    folder = project.folder / "set"
    for path, content in make.pictures(("a", "b"), each=6).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    for number in range(3):
        (folder / f"train/b/{number}.png").unlink()
        (folder / f"train/b/{number}.png").symlink_to(f"/nowhere/{number}.png")
    (folder / "train/c").symlink_to("/nowhere/c")
    (folder / "notes").symlink_to("/nowhere/notes")
    (folder / "train/notes.txt").symlink_to("/nowhere/notes.txt")
    (folder / "train/.#lock").symlink_to("someone@somewhere")
    project.add(path=str(folder))
    entry.main()
    fetch.main()
    with pytest.raises(UserError, match=r"4 of 13 files .* train/b/0.png: it is a link whose target is not there"):
        extract.main()
    project.set(extract__max_rejected=1)
    extract.main()
    assert paths.REJECTED.read_text() == "path,reason\n" + "".join(
        f"train/{name},it is a link whose target is not there\n" for name in ("b/0.png", "b/1.png", "b/2.png", "c")
    )
    assert "not read as a picture: .txt (1)" in capsys.readouterr().out


def test_a_correction_finds_its_picture_in_either_form_and_may_make_a_class(project):
    """As on macOS, whose file names are decomposed, while people and Git write them composed."""
    files = make.pictures(("cafe\u0301", "the"), each=4)
    project.add(path="x", classes={"rooibos": "Rooibos"})
    project.archive(make.zip_of(files))
    paths.CORRECTIONS.parent.mkdir(exist_ok=True)
    paths.CORRECTIONS.write_text(
        "dataset,path,action,label\n"
        "mine,train/caf\u00e9/0.png,drop,\nmine,train/caf\u00e9/1.png,relabel,the\nmine,train/the/0.png,relabel,Rooibos\n"
    )
    entry.main()
    fetch.main()
    extract.main()
    assert json.loads(paths.CLASSES.read_text()) == ["caf\u00e9", "Rooibos", "the"]
    index = pd.read_parquet(paths.INDEX)
    assert index.groupby("label").size().tolist() == [2, 1, 4]
    assert len(index) == 7
