"""Every entry on the pages of data sets reads an archive as the page says."""

import re

import pytest

from darkroom.config import catalogue
from darkroom.config.params import load
from darkroom.config.yaml_files import dump, read_yaml
from darkroom.intake import extraction
from tests import make, public_sets
from tests.conftest import ROOT


def each(*paths):
    """A picture at each path."""
    return {path: make.picture(number) for number, path in enumerate(paths)}


def csv(*lines):
    return "\n".join(lines).encode()


NUMBERS = range(3)
# Of each entry: the files of an archive, and what becomes of them: path, class, subset, group.
ARCHIVES = {
    "flowers": (each("rose/1.jpg", "tulip/2.jpg"), {"rose/1.jpg": "rose train", "tulip/2.jpg": "tulip train"}),
    "animals": (
        each("animals/cat/indoor/1.jpg", "animals/cat/outdoor/1.jpg", "animals/dog/indoor/1.jpg"),
        {
            "animals/cat/indoor/1.jpg": "cat train",
            "animals/cat/outdoor/1.jpg": "cat train",
            "animals/dog/indoor/1.jpg": "dog train",
        },
    ),
    "pets": (
        each("images/american_bulldog_12.jpg", "images/Bengal_3.jpg", "masks/Bengal_3.jpg"),
        {"images/american_bulldog_12.jpg": "american_bulldog train", "images/Bengal_3.jpg": "Bengal train"},
    ),
    "faces": (each("25_1_2017.jpg", "7_0_2018.jpg"), {"25_1_2017.jpg": "woman train", "7_0_2018.jpg": "man train"}),
    "breeds": (
        each("train/a.jpg", "train/b.jpg", "test/c.jpg") | {"labels.csv": csv("id,breed", "a,boxer", "b,pug")},
        {"train/a.jpg": "boxer train", "train/b.jpg": "pug train", "test/c.jpg": " unlabeled"},
    ),
    "skin": (
        each("images_part_1/i1.jpg", "images_part_2/i2.jpg")
        | {"metadata.csv": csv("lesion,image_id,dx,age", "l1,i1,nv,30", "l2,i2,mel,40")},
        {"images_part_1/i1.jpg": "nv train", "images_part_2/i2.jpg": "mel train"},
    ),
    "lesions": (
        each("images/1.jpg", "images/2.jpg") | {"truth.csv": csv("image,MEL,NV,BCC", "1,0.0,1.0,0.0", "2,1.0,0.0,0.0")},
        {"images/1.jpg": "NV train", "images/2.jpg": "MEL train"},
    ),
    "synsets": (
        each("train/n1/a.jpg", "train/n2/b.jpg", "val/v1.jpg")
        | {"val.csv": csv("ImageId,PredictionString", "v1,n2 1 2 30 40 ")},
        {"train/n1/a.jpg": "n1 train", "train/n2/b.jpg": "n2 train", "val/v1.jpg": "n2 val"},
    ),
    "scans": (
        each("scans/train/ill/1.png", "scans/train/well/2.png", "scans/val/ill/3.png", "scans/test/well/4.png"),
        {
            "scans/train/ill/1.png": "ill train",
            "scans/train/well/2.png": "well train",
            "scans/val/ill/3.png": "ill val",
            "scans/test/well/4.png": "well test",
        },
    ),
    "listed": (
        each("images/cat_1.jpg", "images/dog_1.jpg", "images/cat_2.jpg")
        | {"annotations/trainval.txt": csv("cat_1 1 1", "dog_1 2 1"), "annotations/test.txt": csv("cat_2 1 1")},
        {"images/cat_1.jpg": "cat train", "images/dog_1.jpg": "dog train", "images/cat_2.jpg": "cat test"},
    ),
    "emotions": (
        each("pictures/1.png", "pictures/2.png", "pictures/3.png", "pictures/4.png")
        | {
            "emotions.csv": csv(
                "file,emotion,usage", "1.png,sad,Training", "2.png,happy,Training", "3.png,sad,PublicTest",
                "4.png,sad,PrivateTest",
            )
        },
        {
            "pictures/1.png": "sad train",
            "pictures/2.png": "happy train",
            "pictures/3.png": "sad val",
            "pictures/4.png": "sad test",
        },
    ),
    "patients": (
        each("xray/ill/p1_1.png", "xray/ill/p1_2.png", "xray/well/p2_1.png"),
        {
            "xray/ill/p1_1.png": "ill train p1",
            "xray/ill/p1_2.png": "ill train p1",
            "xray/well/p2_1.png": "well train p2",
        },
    ),
    "drivers": (
        each("imgs/train/c0/1.jpg", "imgs/train/c1/2.jpg")
        | {"drivers.csv": csv("subject,classname,img", "p002,c0,1.jpg", "p012,c1,2.jpg")},
        {"imgs/train/c0/1.jpg": "c0 train p002", "imgs/train/c1/2.jpg": "c1 train p012"},
    ),
    "leaves": (
        each(*(f"leaves/{label}/{n}.png" for label in ("Healthy", "healthy ", "rust", "unknown") for n in NUMBERS))
        | {f"leaves/rare/{n}.png": make.picture(99) for n in NUMBERS},
        {f"leaves/{label}/{n}.png": "healthy train" for label in ("Healthy", "healthy ") for n in NUMBERS}
        | {f"leaves/rust/{n}.png": "rust train" for n in NUMBERS},
    ),
    "digit_tables": public_sets.digit_recognizer(),
    "blood_cells": (
        {"cells.npz": public_sets.npz(train=(0, 1), val=(1,), test=(0,))},
        {
            "cells.npz#train/0": "0 train",
            "cells.npz#train/1": "1 train",
            "cells.npz#val/0": "1 val",
            "cells.npz#test/0": "0 test",
        },
    ),
    "faces_48": (
        {
            "fer2013.csv": public_sets.fer2013(
                ("0", "Training"), ("3", "Training"), ("3", "PublicTest"), ("0", "PrivateTest")
            )
        },
        {
            "fer2013.csv#0": "0 train",
            "fer2013.csv#1": "3 train",
            "fer2013.csv#2": "3 val",
            "fer2013.csv#3": "0 test",
        },
    ),
    "competition_leaves": (
        each("train/1.jpg", "train/2.jpg", "test/3.jpg")
        | {"labels.csv": csv("id,species", "1,oak", "2,elm"), "sample_submission.csv": csv("id,elm,oak", "3,0.5,0.5")},
        {"train/1.jpg": "oak train", "train/2.jpg": "elm train", "test/3.jpg": " unlabeled"},
    ),
    "plates": (each("plates/a/1.png", "plates/b/2.png"), {"plates/a/1.png": "a train", "plates/b/2.png": "b train"}),
}  # fmt: skip


PAGES = {"datasets.md": ARCHIVES, "public-sets.md": public_sets.SETS}
COMMIT = "0123456789" * 4  # in the place of a commit of Hugging Face


def entries(page, tmp_path):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    path = tmp_path / "page.yaml"
    path.write_text("\n".join(blocks).replace("@COMMIT", f"@{COMMIT}"), encoding="utf-8")
    return read_yaml(path)


@pytest.mark.parametrize("page", PAGES)
def test_the_page_has_entries_for_these_archives(page, tmp_path):
    assert set(entries(page, tmp_path)) == set(PAGES[page])


@pytest.mark.parametrize(("page", "name"), [(page, name) for page, archives in PAGES.items() for name in archives])
def test_an_entry_reads_an_archive_as_the_page_says(project, page, name, tmp_path):
    files, expected = PAGES[page][name]
    source = project.folder / f"{name}.zip"
    source.write_bytes(make.zip_of(files))
    settings = load()[0].extract
    catalogue_file = tmp_path / "datasets.yaml"
    catalogue_file.write_text(dump(entries(page, tmp_path)), encoding="utf-8")
    entry = catalogue.load(name, catalogue_file)
    out = project.folder / "out"
    out.mkdir()
    found = extraction.extract(source, entry, settings, out, name).index.to_pylist()
    said = {
        row["path"]: " ".join([row["label"] or "", row["subset"], *([row["group"]] if row["group"] else [])])
        for row in found
    }
    assert said == expected
