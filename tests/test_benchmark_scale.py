import zipfile
from collections import Counter

import cv2
import numpy as np
import pytest

from benchmarks import scale


@pytest.mark.parametrize(("side", "channels"), [(28, 1), (56, 3)])
def test_made_pictures_differ_but_for_the_copies(tmp_path, side, channels):
    scale.make(str(tmp_path / "made.zip"), 1205, side, channels)
    with zipfile.ZipFile(tmp_path / "made.zip") as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    assert len(files) == 1205
    assert {name.split("/")[1] for name in files} == set("0123456789")
    image = cv2.imdecode(np.frombuffer(next(iter(files.values())), np.uint8), cv2.IMREAD_UNCHANGED)
    assert image.shape == ((side, side) if channels == 1 else (side, side, 3))
    assert Counter(Counter(files.values()).values()) == {1: 1205 - 24, 2: 12}


def test_a_picture_looks_like_its_class(tmp_path):
    scale.make(str(tmp_path / "made.zip"), 1000, 28, 1)
    of_class = {label: [] for label in "0123456789"}
    with zipfile.ZipFile(tmp_path / "made.zip") as packed:
        for name in packed.namelist():
            image = cv2.imdecode(np.frombuffer(packed.read(name), np.uint8), cv2.IMREAD_UNCHANGED)
            of_class[name.split("/")[1]].append(image.mean())
    means = [np.mean(values) for values in of_class.values()]
    assert np.std(means) > 2 * np.mean([np.std(values) for values in of_class.values()]) / 10**0.5
