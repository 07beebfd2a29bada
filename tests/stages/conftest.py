"""What several stages are tested on: a folder in which those before them have run."""

import contextlib
import shutil

import pytest

from stages import audit, baseline, entry, evaluate, extract, fetch, pretrained, split, stats, train
from tests import hostile, make
from tests.conftest import ROOT, Project

QUICK = {"train__epochs": 3, "train__portable": True, "train__threads": 1, "tracking__enabled": False}


def files():
    """Dark and light pictures; a near-copy, and one picture under two labels."""
    found = {}
    for number in range(24):
        for label, level in (("dark", 40), ("light", 170)):
            image = make.pixels(16, 16, 1, seed=number + 100 * len(label)) // 4 + level
            found[f"train/{label}/{number:02}.png"] = make.encode(image)
            if label == "dark":
                found[f"train/{label}/{number:02}-near.png"] = make.encode(image + 2)
    found["train/light/dark.png"] = found["train/dark/03.png"]
    return found


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """A folder in which all stages up to `evaluate` have run."""
    folder = tmp_path_factory.mktemp("evaluated")
    for name in ("params.yaml", "datasets.yaml"):
        shutil.copy(ROOT / name, folder)
    project = Project(folder)
    project.add(path="x", image_size=16)
    project.archive(make.zip_of(files()))
    project.set(model__layers="4P-8", **QUICK)
    with contextlib.chdir(folder):
        for stage in (entry, fetch, extract, audit, split, stats, pretrained, baseline, train, evaluate):
            stage.main()
    return folder


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A folder in which the stages that read data have run on a good archive; each hostile case gets a copy."""
    folder = tmp_path_factory.mktemp("prepared")
    hostile.prepare(folder)
    return folder


@pytest.fixture
def copy_of(tmp_path, monkeypatch):
    """A function that makes a copy of a folder the working folder."""

    def enter(folder):
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return enter


@pytest.fixture
def hostile_place(prepared, copy_of):
    """A copy of that folder, as the working folder."""
    return copy_of(prepared)
