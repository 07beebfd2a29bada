"""Pictures as the page gets them."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from darkroom.base import paths
from darkroom.base.files import write_parquet
from darkroom.pictures.notes import BadImage
from darkroom.tools import review_pictures
from darkroom.tools.review_pictures import Pictures, content_of, for_page
from tests import make
from tests.tools import reviewing

BIG = make.picture(1, 40, 60, 3)


def opened(content):
    return Image.open(io.BytesIO(content))


@pytest.fixture
def site(project):
    """Pictures of 60x40 in an archive, packed as 8x8, except the first, which was 8x8 itself."""
    reviewing.site()
    index = pd.read_parquet(paths.INDEX)
    index.loc[1:, ["width", "height", "channels"]] = (60, 40, 3)
    write_parquet(paths.INDEX, index)
    paths.RAW.mkdir()
    source = {"archive": "a.zip", "origin": "here", "sha256": "0", "bytes": 1}
    paths.SOURCE.write_text(json.dumps(source))
    files = {"train/0.png": make.picture(), "train/1.png": BIG, "train/2.png": b"no picture"}
    (paths.RAW / "a.zip").write_bytes(make.zip_of(files))


def test_the_original_is_shown_where_it_has_more_than_the_packed_pixels(site):
    pictures = Pictures()
    assert [pictures.has_more(row) for row in (0, 1)] == [False, True]
    assert pictures.original(0) is None
    assert opened(pictures.original(1)).size == (60, 40)
    assert np.array_equal(np.asarray(opened(pictures.packed(1))), pictures.images[1, :, :, 0])


@pytest.mark.parametrize("row", [2, 3], ids=["damaged", "not in the archive"])
def test_an_original_that_cannot_be_read_is_none(site, row):
    assert Pictures().original(row) is None


def test_without_an_archive_there_is_no_original(site):
    (paths.RAW / "a.zip").unlink()
    assert not Pictures().has_more(1)
    paths.SOURCE.unlink()
    assert Pictures().original(1) is None


def test_an_archive_that_takes_long_is_not_looked_into_again(site, monkeypatch):
    monkeypatch.setattr(review_pictures, "PATIENCE", -1.0)
    pictures = Pictures()
    assert pictures.original(1) is not None
    assert pictures.original(2) is None
    monkeypatch.setattr(review_pictures, "content_of", lambda *_: BIG)
    assert pictures.original(3) is None
    assert pictures.original(1) is not None  # it is kept


@pytest.mark.parametrize(
    ("archive", "path"),
    [
        (make.zip_of({"x/e\u0301.png": BIG}), "x/\u00e9.png"),
        (make.zip_of({"inner.tar.gz": make.tar_of({"a.png": BIG}, "gz")}), "inner/a.png"),
        (make.tar_of({"b.png": b"", "a.png": BIG}), "a.png"),
    ],
)
def test_a_picture_is_found_in_archives_of_archives(tmp_path, archive, path):
    (tmp_path / "a").write_bytes(archive)
    assert content_of(tmp_path / "a", path) == BIG
    assert content_of(tmp_path / "a", "other.png") is None


def test_a_damaged_archive_has_none(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK no zip")
    assert content_of(tmp_path / "a.zip", "a.png") is None


def test_small_pictures_stay_exact_and_large_ones_become_smaller():
    assert opened(for_page(make.picture(1, 9, 7, 1))).format == "PNG"
    large = opened(for_page(make.encode(make.smooth(900, 2000), "JPEG")))
    assert (large.format, large.size) == ("JPEG", (1600, 720))
    with pytest.raises(BadImage):
        for_page(b"nothing")


def test_labels_and_paths(site):
    pictures = Pictures()
    assert (pictures.path(4), pictures.label(4)) == ("train/4.png", 1)
    index = pd.read_parquet(paths.INDEX)
    index.loc[4, "label"] = None
    write_parquet(paths.INDEX, index)
    assert Pictures().label(4) is None
