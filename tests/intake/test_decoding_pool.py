import cv2
import numpy as np
import pytest

from darkroom.intake import decoding_pool
from darkroom.intake.archive import File
from darkroom.intake.decoding_pool import Chunk, decoded
from darkroom.intake.layout import Place
from darkroom.pictures.decoder_warnings import decoder_warnings
from darkroom.pictures.decoding import Target
from tests import make

TARGET = Target((8, 8, 1))
CAT = Place("train", "cat")


def placed(contents, place=CAT):
    return [(File(path, len(content), lambda content=content: content), place) for path, content in contents.items()]


def jpeg(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def closed_early(seed):
    whole = jpeg(seed)
    return whole[: len(whole) * 6 // 10] + b"\xff\xd9"


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("small", [0, 2**20])  # decoded by the pool, and by the reading thread
def test_pictures_come_in_their_order(monkeypatch, threads, small):
    monkeypatch.setattr(decoding_pool, "CHUNK_FILES", 2)
    monkeypatch.setattr(decoding_pool, "SMALL", small)
    contents = {f"{number}.png": make.picture(number) for number in range(11)}
    chunks = list(decoded(placed(contents), TARGET, threads))
    assert [file.path for chunk in chunks for file, _ in chunk.placed] == list(contents)
    assert len(chunks) == 6


@pytest.mark.parametrize("small", [0, 2**20])
def test_a_warning_of_the_decoder_is_tied_to_its_file(monkeypatch, small):
    monkeypatch.setattr(decoding_pool, "CHUNK_FILES", 3)
    monkeypatch.setattr(decoding_pool, "SMALL", small)
    contents = {f"{number}.jpg": jpeg(number) for number in range(12)} | {"7.jpg": closed_early(7)}
    with decoder_warnings():
        chunks = list(decoded(placed(contents), TARGET, 3))
    assert [one for chunk in chunks for one in chunk.rejected] == [
        ("7.jpg", "its data end early: a part of the picture is missing")
    ]
    assert [file.path for chunk in chunks for file, _ in chunk.placed] == [one for one in contents if one != "7.jpg"]
    assert sum(len(chunk.table()) for chunk in chunks) == sum(len(chunk.images) for chunk in chunks) == 11


def test_a_place_with_a_problem_is_rejected_unread():
    file = File("x.png", 1, lambda: pytest.fail("it is read"))
    (chunk,) = decoded([(file, Place("train", problem="it lies in no class folder"))], TARGET, 1)
    assert chunk.rejected == [("x.png", "it lies in no class folder")]


def test_the_table_has_what_the_place_says():
    (chunk,) = decoded(placed({"x.png": make.picture(1)}, Place("val", "dog", "p7")), TARGET, 1)
    (row,) = chunk.table().to_pylist()
    assert (row["path"], row["label"], row["subset"], row["group"]) == ("x.png", "dog", "val", "p7")
    assert len(Chunk().table()) == 0
