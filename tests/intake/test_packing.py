import hashlib
import io
import tracemalloc

import numpy as np
import pytest

from darkroom.intake import decoding_pool
from darkroom.intake import scratch as scratch_file
from darkroom.intake.archive import File, Limits, files
from darkroom.intake.layout import Layout, Place
from darkroom.intake.packing import pack
from darkroom.intake.zip_reader import failing
from darkroom.pictures.decoding import Target
from tests import make

ENTRY = {"train": "train", "val": "val", "test": "test", "unlabeled": "more"}


def as_files(contents):
    pairs = contents.items() if isinstance(contents, dict) else contents
    return [File(path, len(content), lambda content=content: content) for path, content in pairs]


def placed(source, **entry):
    """The files with their places."""
    layout = Layout(make.entry(**(entry or ENTRY)))
    return ((file, layout.place(file.path)[0]) for file in source)


def packed(folder, contents, shape=(8, 8, 1), threads=1, max_pixels=10_000):
    """The images, the index as a list of rows, and the rejected files."""
    source = contents if isinstance(contents, list) and isinstance(contents[0], File) else as_files(contents)
    found = pack(placed(source), Target(shape, max_pixels=max_pixels), folder, threads=threads)
    index, rejected = found.index, found.rejected
    assert [path.name for path in folder.iterdir()] == ["images.npy"], "the scratch file is gone"
    images = np.load(folder / "images.npy", mmap_mode="r")
    assert images.dtype == np.uint8
    assert images.shape == (len(index), *shape)
    return images, index.to_pylist(), rejected


CONTENTS = {
    "train/cat/2.png": make.picture(1),
    "train/cat/10.png": make.picture(2),
    "train/ant/1.png": make.picture(3),
    "val/cat/1.png": make.picture(7),
    "test/cat/1.png": make.picture(4),
    "more/x/1.png": make.picture(5),
    "more/0.png": make.picture(6),
}


def test_images_come_by_subset_and_path(tmp_path):
    images, index, _ = packed(tmp_path, dict(reversed(CONTENTS.items())))
    assert [(row["subset"], row["label"], row["path"]) for row in index] == [
        ("train", "ant", "train/ant/1.png"),
        ("train", "cat", "train/cat/10.png"),
        ("train", "cat", "train/cat/2.png"),
        ("val", "cat", "val/cat/1.png"),
        ("test", "cat", "test/cat/1.png"),
        ("unlabeled", None, "more/0.png"),
        ("unlabeled", None, "more/x/1.png"),
    ]
    for image, seed in zip(images, (3, 2, 1, 7, 4, 6, 5), strict=True):
        assert np.array_equal(image, make.pixels(seed=seed))


def test_the_index_tells_of_each_image_what_was_found(tmp_path):
    contents = {"train/a/1.png": make.picture(1, 20, 30, 3), "train/b/1.jpg": make.picture(2, 5, 6, 1, "JPEG")}
    images, index, _ = packed(tmp_path, contents, shape=(8, 8, 3))
    first, second = index
    assert (first["width"], first["height"], first["channels"]) == (30, 20, 3)
    assert (second["width"], second["height"], second["channels"]) == (6, 5, 1)
    for image, row in zip(images, index, strict=True):
        assert row["sha256"] == hashlib.sha256(image.tobytes()).digest()
        assert row["file_sha256"] == hashlib.sha256(contents[row["path"]]).digest()


def test_groups_and_labels_are_those_of_the_places(tmp_path):
    files = as_files({"x/2.png": make.picture(1), "x/1.png": make.picture(2)})
    places = [Place("train", "cat", "p7"), Place("train", "dog")]
    found = pack(zip(files, places, strict=True), Target((8, 8, 1)), tmp_path, threads=1)
    assert [(row["path"], row["label"], row["group"]) for row in found.index.to_pylist()] == [
        ("x/1.png", "dog", None),
        ("x/2.png", "cat", "p7"),
    ]
    assert found.rejected == []


@pytest.mark.parametrize("small", [0, 2**13, 2**30])
@pytest.mark.parametrize("threads", [1, 2, 7])
def test_neither_order_nor_threads_change_a_byte(tmp_path, monkeypatch, small, threads):
    """`small` decides whether chunks are decoded in the pool or in the reading thread."""
    monkeypatch.setattr(decoding_pool, "SMALL", small)
    monkeypatch.setattr(decoding_pool, "CHUNK_FILES", 7)
    contents = make.pictures(each=40)
    reference, shuffled = tmp_path / "reference", tmp_path / "shuffled"
    for folder in (reference, shuffled):
        folder.mkdir()
    _, index, _ = packed(reference, contents)
    order = np.random.default_rng(threads).permutation(len(contents))
    mixed = [list(contents.items())[place] for place in order]
    _, other, _ = packed(shuffled, mixed, threads=threads)
    assert other == index
    assert (shuffled / "images.npy").read_bytes() == (reference / "images.npy").read_bytes()


@pytest.mark.parametrize("scratch", [1, 64, 640, 6400, 10**6])
@pytest.mark.parametrize("copy", [1, 200, 10**6])
def test_images_that_wait_in_a_file_are_the_same(tmp_path, monkeypatch, scratch, copy):
    monkeypatch.setattr(scratch_file, "SCRATCH", scratch)
    monkeypatch.setattr(scratch_file, "COPY_BYTES", copy)
    contents = [(f"train/{number % 3}/{number:02}.png", make.picture(number)) for number in range(50)]
    images, index, _ = packed(tmp_path, contents)
    assert len(index) == 50
    for image, row in zip(images, index, strict=True):
        assert np.array_equal(image, make.pixels(seed=int(row["path"][-6:-4])))


@pytest.mark.parametrize("scratch", [64, 10**6])
def test_of_equal_paths_the_last_stands(tmp_path, monkeypatch, scratch):
    monkeypatch.setattr(scratch_file, "SCRATCH", scratch)
    monkeypatch.setattr(decoding_pool, "CHUNK_FILES", 2)
    contents = [("train/a/1.png", make.picture(seed)) for seed in range(5)]
    contents[2:2] = [("train/a/0.png", make.picture(10)), ("train/b/1.png", make.picture(11))]
    images, index, _ = packed(tmp_path, contents)
    assert [row["path"] for row in index] == ["train/a/0.png", "train/a/1.png", "train/b/1.png"]
    assert [np.array_equal(images[at], make.pixels(seed=seed)) for at, seed in enumerate((10, 4, 11))] == [True] * 3


def test_equal_pixels_under_two_paths_both_stand(tmp_path):
    _, index, _ = packed(tmp_path, {"train/a/1.png": make.picture(1), "train/a/2.png": make.picture(1)})
    assert len(index) == 2
    assert index[0]["sha256"] == index[1]["sha256"]


def test_what_cannot_be_used_is_listed_with_its_reason(tmp_path):
    contents = as_files({"train/a/1.png": make.picture(1), "train/a/z.png": b"text", "train/a/c.png": b""})
    contents.append(File("train/a/b.png", 5, failing("it has a wrong checksum")))
    contents.append(File("train/loose.png", 5, lambda: make.picture(2)))
    contents.append(File("train/a/huge.png", 5, lambda: make.picture(2, 101, 100)))
    _, index, rejected = packed(tmp_path, contents)
    assert [row["path"] for row in index] == ["train/a/1.png"]
    assert rejected == [
        ("train/a/b.png", "it has a wrong checksum"),
        ("train/a/c.png", "it is empty"),
        ("train/a/huge.png", "it is 100x101, more than extract.max_pixels allows"),
        ("train/a/z.png", "it is no picture of a known format"),
        ("train/loose.png", "it lies in no class folder"),
    ]


def test_nothing_at_all_gives_an_empty_array(tmp_path):
    images, index, rejected = packed(tmp_path, {})
    assert (len(images), index, rejected) == (0, [], [])


def test_an_error_of_the_archive_comes_out_and_ends_the_threads(tmp_path):
    def broken():
        yield from as_files(make.pictures(each=100))
        raise KeyError("broken archive")

    with pytest.raises(KeyError, match="broken archive"):
        pack(placed(broken()), Target((8, 8, 1), max_pixels=100), tmp_path, threads=3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("channels", [1, 3])
def test_the_array_is_height_width_channels(tmp_path, channels):
    contents = {"train/a/1.png": make.picture(1, 5, 7, channels)}
    images, _, _ = packed(tmp_path, contents, shape=(5, 7, channels))
    assert np.array_equal(images[0], make.pixels(5, 7, channels, 1))


def test_memory_does_not_grow_with_the_number_of_images(tmp_path, monkeypatch):
    """100 MB of pixels go through with a tenth of that in memory."""
    for room, name in ((scratch_file, "SCRATCH"), (decoding_pool, "CHUNK_BYTES"), (scratch_file, "COPY_BYTES")):
        monkeypatch.setattr(room, name, 2**20)
    contents = [make.encode(np.full((256, 256, 3), value, np.uint8)) for value in range(8)]
    source = tmp_path / "archive.zip"
    source.write_bytes(make.zip_of((f"train/{at % 2}/{at}.png", contents[at % 8]) for at in range(512)))
    folder = tmp_path / "out"
    folder.mkdir()
    stream = files(source, wanted=lambda _: True, may_hold=lambda _: True, limits=Limits())
    tracemalloc.start()
    try:
        pack(placed(stream), Target((256, 256, 3)), folder, threads=2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (folder / "images.npy").stat().st_size > 100_000_000
    assert peak < 15_000_000


def test_the_array_is_one_that_numpy_itself_would_write(tmp_path):
    images, _, _ = packed(tmp_path, CONTENTS)
    file = io.BytesIO()
    np.save(file, np.asarray(images))
    assert (tmp_path / "images.npy").read_bytes() == file.getvalue()
