"""Images for the measurements on a GPU: a made set of CIFAR-10's size, and real archives where they are at hand."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks import archives
from benchmarks.packed import EXTRACT, SPLIT
from darkroom.base.files import replacing, replacing_folder
from darkroom.base.processor import cores
from darkroom.config.catalogue import Entry
from darkroom.dataset.packed import Images, Labels, Rows

SIDE, CLASSES = 32, 10
CHUNK = 1_000  # images drawn at a time
CIFAR = {"train": "cifar10/cifar10/train", "test": "cifar10/cifar10/test", "channels": 3, "image_size": SIDE}


class Sides(NamedTuple):
    """A data set in memory, and the rows of its three splits."""

    title: str
    images: Images
    labels: Labels
    rows: dict[str, Rows]


def made(train: int, val: int, test: int, folder: Path) -> Sides:
    """The set of `shapes`, divided; kept in `folder` for whoever asks next."""
    file = folder / "made.npz"
    if not file.is_file():
        images, labels = shapes(train + val + test, seed=0)
        with replacing(file) as partial, partial.open("wb") as stream:
            np.savez(stream, images=images, labels=labels)
    kept = np.load(file)
    images, labels = kept["images"], kept["labels"]
    title = f"made set of shapes, 32x32x3, {train:,} to train on and {test:,} to test"
    cuts = np.split(np.arange(len(labels)), [train, train + val])
    return Sides(title, images, labels, dict(zip(("train", "val", "test"), cuts, strict=True)))


def cifar(archive: Path) -> Sides:
    """CIFAR-10 from an archive of image folders as the catalogue has it; 2,000 of the training images validate."""
    entry = Entry.model_validate({"path": str(archive), **CIFAR})
    return _extracted("CIFAR-10", archive, entry, test=0.2, val=0.04, given=True)


def mnist(archive: Path) -> Sides:
    """The 42,000 labelled digits of an archive of Kaggle's layout, 60/20/20."""
    return _extracted(archive.name, archive, archives.entry(archive, unlabelled=False), test=0.2, val=0.25, given=False)


def _extracted(title: str, archive: Path, entry: Entry, *, test: float, val: float, given: bool) -> Sides:
    """What the stages `extract` and `split` make of an archive, in the working folder."""
    from darkroom.base import paths
    from darkroom.dataset import splits
    from darkroom.dataset.packed import SPLITS, labels_of, load_classes, load_images, load_index
    from darkroom.intake.extraction import extract

    with replacing_folder(paths.DATA) as folder:
        extract(archive, entry, EXTRACT, folder, "benchmark")
    index = load_index()
    settings = SPLIT.model_copy(update={"test": test, "val": val, "use_given_test": given})
    table = splits.divide(index, load_classes(), settings).table
    rows: dict[str, Rows] = {name: table.loc[table["split"] == name, "row"].to_numpy(np.int64) for name in SPLITS}
    return Sides(title, load_images(), labels_of(index, np.arange(len(index))), rows)


def shapes(count: int, seed: int) -> tuple[Images, Labels]:
    """Closed outlines on a coloured ground: uint8, count x 32 x 32 x 3, and classes from 0 to 9.

    The class is the number of lobes, 2 to 6, and whether the shape is full or a ring. Place, size, turn, stretch, depth
    of the lobes, colours, ground, a disc in front and noise are drawn anew for each image, so that the class shows in
    no pixel and in no colour. Mirrored, an image is one of the same class.
    """
    parts = [min(CHUNK, count - start) for start in range(0, count, CHUNK)]
    with ThreadPoolExecutor(cores()) as pool:  # numpy lets other threads work
        drawn = list(pool.map(_drawn, parts, [np.random.default_rng([seed, at]) for at in range(len(parts))]))
    return np.concatenate([images for images, _ in drawn]), np.concatenate([labels for _, labels in drawn])


def _drawn(count: int, generator: np.random.Generator) -> tuple[Images, Labels]:
    labels = generator.integers(0, CLASSES, count)

    def uniform(low: float, high: float, *shape: int) -> NDArray[np.float32]:
        drawn = generator.random((count, *(shape or (1, 1))), np.float32)
        return low + (high - low) * drawn

    # 1. Each pixel's distance and direction from the middle of the shape, in a frame that is turned and stretched.
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    down, right = rows - SIDE / 2 - uniform(-6, 6), columns - SIDE / 2 - uniform(-6, 6)
    turn, stretch = uniform(0, 2 * np.pi), uniform(0.8, 1.25)
    across = (np.cos(turn) * right + np.sin(turn) * down) * stretch
    along = (np.cos(turn) * down - np.sin(turn) * right) / stretch
    distance, direction = np.hypot(across, along), np.arctan2(along, across)
    # 2. The outline, softened over a pixel; a ring has a hole of the same outline.
    lobes = (2 + labels % 5).astype(np.float32)[:, None, None]
    outline = uniform(6, 11) * (1 + uniform(0.14, 0.32) * np.cos(lobes * direction + uniform(0, 2 * np.pi)))
    shape = _inside(outline - distance)
    hole = _inside(outline * uniform(0.45, 0.6) - distance) * (labels >= CLASSES // 2)[:, None, None]
    # 3. Colours: a ground that changes slowly, the shape, a disc in front of it.
    corners = uniform(0, 200, 2, 2, 3)
    down_share, right_share = (np.linspace(0, 1, SIDE, dtype=np.float32),) * 2
    sides = corners[:, 0, None] * (1 - down_share[:, None, None]) + corners[:, 1, None] * down_share[:, None, None]
    image = sides[:, :, :1] * (1 - right_share[:, None]) + sides[:, :, 1:] * right_share[:, None]
    away = np.where(uniform(0, 1, 1, 1, 3) < 0.5, -1, 1) * uniform(25, 110, 1, 1, 3)
    image += (shape * (1 - hole))[..., None] * away
    disc = _inside(uniform(2, 5) - np.hypot(rows - uniform(0, SIDE), columns - uniform(0, SIDE)))
    image += disc[..., None] * (uniform(0, 255, 1, 1, 3) - image)
    image += uniform(5, 30, 1, 1, 1) * generator.standard_normal(image.shape, np.float32)
    return (image + 20).clip(0, 255).astype(np.uint8), labels


def _inside(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """0 outside and 1 inside of an outline, by the pixels inside of it."""
    return (depth + 0.5).clip(0, 1)
