import numpy as np
import pandas as pd
import pytest

from darkroom import dataset, paths
from darkroom.files import write_json, write_parquet
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
    images = dataset.load_images()
    assert isinstance(images, np.memmap)
    assert np.array_equal(images, stored)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_labels_survive_the_table(stored):
    index = dataset.load_index()
    assert index["label"].isna().sum() == 2
    assert dataset.labels_of(index, np.array([9, 1, 2])).tolist() == [0, 1, -1]
    assert dataset.load_classes() == ["ä", "b"]


def test_the_rows_of_a_split(stored):
    assert dataset.load_split("train").tolist() == [0, 3, 5]
    assert dataset.load_split("val").tolist() == [1]
    assert dataset.load_split("test").dtype == np.int64


@pytest.mark.parametrize("size", [1, 100, 48 * 3, 10**9])
@pytest.mark.parametrize("rows", [None, [7, 1, 1, 3], []])
def test_chunks_go_through_all_rows_in_order(stored, monkeypatch, size, rows):
    monkeypatch.setattr(dataset, "CHUNK_BYTES", size)
    chosen = None if rows is None else np.array(rows, np.int64)
    parts = list(dataset.chunks(dataset.load_images(), chosen))
    assert all(part.nbytes <= max(size, stored[0].nbytes) for _, part in parts)
    seen = [row for part, _ in parts for row in part.tolist()]
    assert seen == (list(range(10)) if rows is None else rows)
    for part, images in parts:
        assert np.array_equal(images, stored[part])


def test_chunks_of_no_images():
    assert list(dataset.chunks(np.empty((0, 4, 4, 1), np.uint8))) == []
