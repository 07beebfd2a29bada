"""The archive that is measured: real MNIST where it is at hand, else one of the same layout made here.

Layout, as Kaggle serves scolianni/mnistasjpg: a zip that holds trainingSet.tar.gz and testSet.tar.gz with all
pictures, and trainingSample.zip and testSample.zip with copies of some.
"""

import io
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.fresh import Figures, fresh
from benchmarks.table import Setting
from darkroom.base.errors import UserError
from darkroom.config.catalogue import Entry

VARIABLE = "DARKROOM_TEST_ARCHIVES"
REAL = "mnistasjpg.zip"
LABELLED, UNLABELLED = "trainingSet", "testSet"
SETS = (LABELLED, UNLABELLED)  # what is data; the samples are copies
SIDE = 28


def choose(folder: Path, *, quick: bool) -> tuple[Path, str]:
    """The archive, made in `folder` if need be, and a line that says what it is."""
    if archive := _given(REAL, quick=quick):
        return archive, f"real MNIST, {REAL}"
    labelled, unlabelled = (2_000, 500) if quick else (10_000, 5_000)
    archive = folder / "synthetic.zip"
    _make(archive, labelled, unlabelled)
    return archive, f"synthetic archive, {labelled:,} labelled and {unlabelled:,} unlabelled pictures"


def photos(setting: Setting, name: str, make: Callable[[str, int], Figures], count: int) -> tuple[Path, str]:
    """The archive of this name where one is given, else `count` photos by `make`; and a line that says what it is."""
    if archive := _given(name, quick=setting.quick):
        return archive, name
    archive = setting.folder() / "made.zip"
    fresh(make, str(archive), count)
    return archive, f"{count} made photos"


def _given(name: str, *, quick: bool) -> Path | None:
    folder = os.environ.get(VARIABLE)
    if not folder or quick:
        return None
    archive = Path(folder).absolute() / name
    if not archive.is_file():
        raise UserError(f"{VARIABLE} is {folder}, but there is no {name} in it: correct it, or unset it")
    return archive


def entry(archive: Path, *, unlabelled: bool = True) -> Entry:
    """What the catalogue would say of any archive here."""
    sets = {"train": LABELLED} | ({"unlabeled": UNLABELLED} if unlabelled else {})
    return Entry.model_validate({"path": str(archive), **sets, "channels": 1, "image_size": SIDE})


def flat(nested: Path, target: Path) -> Path:
    """The same pictures in one zip, sorted by path: how Kaggle serves the set once it has unpacked it."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for path, content in sorted(_unpacked(nested)):
            packed.writestr(path, content)
    return target


def tenfold(source: str, target: str) -> Figures:
    """A flat zip with each picture ten times, under other names. Content does not matter for memory, names do."""
    with zipfile.ZipFile(source) as once, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in once.namelist():
            stem, dot, suffix = name.rpartition(".")
            content = once.read(name)
            for number in range(10):
                packed.writestr(f"{stem}-{number}{dot}{suffix}", content)
        return {"files": len(packed.namelist())}


def _unpacked(nested: Path) -> Iterator[tuple[str, bytes]]:
    """Path and content of each picture; the name of the inner archive becomes a folder."""
    with zipfile.ZipFile(nested) as outer:
        for name in outer.namelist():
            folder, inner = name.partition(".")[0], io.BytesIO(outer.read(name))
            if name.endswith(".zip"):
                with zipfile.ZipFile(inner) as packed:
                    for path in packed.namelist():
                        if not path.endswith("/"):
                            yield f"{folder}/{path}", packed.read(path)
            else:
                with tarfile.open(fileobj=inner) as tar:
                    for member in tar:
                        stream = tar.extractfile(member)
                        if stream is not None:
                            yield f"{folder}/{member.name}", stream.read()


def _make(target: Path, labelled: int, unlabelled: int) -> None:
    """Write an archive of Kaggle's layout; the pictures are scikit-learn's digits, each turned and moved a little."""
    from sklearn.datasets import load_digits

    digits, generator = load_digits(), np.random.default_rng(0)
    chosen = generator.integers(0, len(digits.target), labelled + unlabelled)
    pictures = [_jpeg(digits.images[number], generator) for number in chosen]
    train = [
        (f"{digits.target[number]}/img_{at}.jpg", picture)
        for at, (number, picture) in enumerate(zip(chosen[:labelled], pictures[:labelled], strict=True), 1)
    ]
    test = [(f"img_{at}.jpg", picture) for at, picture in enumerate(pictures[labelled:], 1)]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("trainingSample.zip", _zip("trainingSample", train[:600]))
        packed.writestr("trainingSet.tar.gz", _tar(LABELLED, train))
        packed.writestr("testSample.zip", _zip("testSample", test[:350]))
        packed.writestr("testSet.tar.gz", _tar(UNLABELLED, test))


def _jpeg(image: NDArray[np.float64], generator: np.random.Generator) -> bytes:
    """One 8x8 digit as a 28x28 JPEG, unlike any other."""
    import cv2

    turn = cv2.getRotationMatrix2D((3.5, 3.5), generator.uniform(-10, 10), generator.uniform(2.5, 3.2))
    turn[:, 2] += SIDE / 2 - 4 + generator.uniform(-1, 1, 2)
    large = cv2.warpAffine(image * (255 / 16), turn, (SIDE, SIDE), flags=cv2.INTER_CUBIC)
    _, jpeg = cv2.imencode(".jpg", large.clip(0, 255).astype(np.uint8))
    return jpeg.tobytes()


def _zip(folder: str, files: list[tuple[str, bytes]]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for path, content in files:
            packed.writestr(f"{folder}/{path}", content)
    return stream.getvalue()


def _tar(folder: str, files: list[tuple[str, bytes]]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as packed:
        for path, content in files:
            member = tarfile.TarInfo(f"{folder}/{path}")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return stream.getvalue()
