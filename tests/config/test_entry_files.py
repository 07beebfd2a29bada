"""Which key of an entry reaches which of the two files: so DVC knows what fetch and extract depend on."""

import pytest

from darkroom.base import paths
from darkroom.config import entry_files
from darkroom.config.catalogue import SOURCES, Entry
from darkroom.config.entry_files import FOR_FETCH, FOR_NEITHER, EntryLayout, EntrySource
from darkroom.config.params import load
from darkroom.config.yaml_files import read_yaml
from tests import make
from tests.conftest import ROOT

BEFORE = {"path": "a.zip", "train": "train", "channels": 1, "image_size": 8}
# A value of each key other than BEFORE's.
OTHER = {
    "title": "Mine",
    "license": "CC0",
    "bundled": "digits",
    "kaggle": "owner/set",
    "competition": "dog-breed",
    "huggingface": f"owner/set@{'0' * 40}",
    "url": "https://example.com/a.zip",
    "path": "b.zip",
    "sha256": "0" * 64,
    "train": "pictures",
    "test": "test",
    "unlabeled": "new",
    "val": "val",
    "labels": "labels.csv",
    "min_images": 3,
    "resize": "crop",
    "range": [0, 4095],
    "channels": 3,
    "image_size": [8, 9],
    "classes": {"0": "zero"},
    "submission": {"id": "Id", "label": "Label"},
    "recipe": {"train.epochs": 3},
}


@pytest.fixture
def files(project):
    """The two files, as they are written for an entry."""

    def written(content):
        make.edit(project.datasets, {"mine": content})
        project.set(dataset="mine")
        entry_files.write(*load())
        return paths.ENTRY_SOURCE.read_bytes(), paths.ENTRY_LAYOUT.read_bytes()

    return written


@pytest.mark.parametrize("key", Entry.model_fields)
def test_a_key_reaches_one_of_the_files_or_is_known_to_decide_neither(files, key):
    kept = {name: value for name, value in BEFORE.items() if not (key in SOURCES and name == "path")}
    before, after = files(BEFORE), files(kept | {key: OTHER[key]})
    changed = [name for name, was, now in zip(("source", "layout"), before, after, strict=True) if was != now]
    assert changed == ([] if key in FOR_NEITHER else ["source"] if key in FOR_FETCH else ["layout"])


def test_extract_reads_the_entry_of_the_catalogue_but_for_what_is_not_its_business(project):
    for name in read_yaml(ROOT / "datasets.yaml"):
        project.set(dataset=name)
        params, entry = load()
        entry_files.write(params, entry)
        read = EntryLayout.read(paths.ENTRY_LAYOUT).entry
        other = {*FOR_FETCH, *FOR_NEITHER}
        assert read.model_dump(exclude=other) == entry.model_dump(exclude=other)
        assert EntrySource.read(paths.ENTRY_SOURCE) == EntrySource.of(params, entry)
    assert "recipe" not in paths.ENTRY_LAYOUT.read_text(encoding="utf-8")


def test_the_users_archive_takes_the_place_of_the_source_and_of_its_checksum(files, project):
    files(BEFORE | {"sha256": "0" * 64})
    assert EntrySource.read(paths.ENTRY_SOURCE).model_dump() == {
        "source": "path", "place": "a.zip", "sha256": "0" * 64
    }  # fmt: skip
    project.use("/abs/x.zip")
    entry_files.write(*load())
    assert EntrySource.read(paths.ENTRY_SOURCE).model_dump() == {
        "source": "path", "place": "/abs/x.zip", "sha256": None
    }  # fmt: skip


def test_an_archive_for_another_entry_changes_neither(files, project):
    before = files(BEFORE)
    project.set(fetch__archive={"mnist": "/abs/x.zip"})
    assert files(BEFORE) == before
