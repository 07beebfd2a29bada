import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from darkroom.base import paths
from darkroom.base.files import write_json, write_parquet
from darkroom.dataset import packed
from tests import make


@pytest.fixture
def stored(project):
    images = np.stack([make.pixels(4, 4, 3, seed) for seed in range(10)])
    paths.DATA.mkdir(parents=True)
    np.save(paths.IMAGES, images)
    write_parquet(paths.INDEX, make.index_of([0, 1, None, 1, 0, 0, 1, None, 1, 0]))
    write_json(paths.CLASSES, ["ä", "b"])
    table = {"row": [0, 1, 3, 4, 5, 6], "split": ["train", "val", "train", "test", "train", "test"]}
    write_parquet(paths.SPLIT, pd.DataFrame(table))
    return images


def test_images_are_mapped_and_cannot_be_changed(stored):
    images = packed.load_images()
    assert isinstance(images, np.memmap)
    assert np.array_equal(images, stored)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_labels_survive_the_table(stored):
    index = packed.load_index()
    assert index["label"].isna().sum() == 2
    assert packed.labels_of(index, np.array([9, 1, 2])).tolist() == [0, 1, -1]
    assert packed.load_classes() == ["ä", "b"]


def test_the_rows_of_a_split(stored):
    assert packed.load_split("train").tolist() == [0, 3, 5]
    assert packed.load_split("val").tolist() == [1]
    assert packed.load_split("test").dtype == np.int64


@pytest.mark.parametrize("size", [1, 100, 48 * 3, 10**9])
@pytest.mark.parametrize("rows", [None, [7, 1, 1, 3], []])
def test_chunks_go_through_all_rows_in_order(stored, monkeypatch, size, rows):
    monkeypatch.setattr(packed, "CHUNK_BYTES", size)
    chosen = None if rows is None else np.array(rows, np.int64)
    parts = list(packed.chunks(packed.load_images(), chosen))
    assert all(part.nbytes <= max(size, stored[0].nbytes) for _, part in parts)
    seen = [row for part, _ in parts for row in part.tolist()]
    assert seen == (list(range(10)) if rows is None else rows)
    for part, images in parts:
        assert np.array_equal(images, stored[part])


def test_chunks_of_no_images():
    assert list(packed.chunks(np.empty((0, 4, 4, 1), np.uint8))) == []


def test_a_walk_through_a_large_set_keeps_none_of_its_pages(tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "CHUNK_BYTES", 2**20)
    np.lib.format.open_memmap(tmp_path / "images.npy", "w+", np.uint8, (64, 1024, 1024, 1)).flush()
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    before = mapped_bytes()
    assert max(mapped_bytes() - before for _ in packed.chunks(images)) < 2**24


def mapped_bytes():
    """Bytes of files that this process holds in memory through maps."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("only Linux tells")
    return 1024 * int(re.search(r"RssFile:\s+(\d+)", status.read_text())[1])


def test_sample_draws_rows_once_each_in_order():
    rows = np.arange(100, 200)
    assert np.array_equal(packed.sample(rows, 100, 0), rows)
    some = packed.sample(rows, 30, 0)
    assert len(set(some.tolist())) == 30
    assert set(some) <= set(rows)
    assert (np.diff(some) > 0).all()
    assert np.array_equal(some, packed.sample(rows, 30, 0))
    assert not np.array_equal(some, packed.sample(rows, 30, 1))
