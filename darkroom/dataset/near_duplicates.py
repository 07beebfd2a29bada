"""Finds nearly equal images on two sides of the split: copies that were saved anew, brightened or shifted a little.

The split keeps images with equal pixels on one side; nearly equal ones on two sides make a test too easy. Each image is
first compared with the training images by the magnitudes of their low frequencies. The nearest five are then compared
pixel by pixel, regardless of brightness and of a shift by one pixel. No model is used.
"""

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkroom.dataset.neighbours import NEAREST, nearest
from darkroom.dataset.packed import Images, Labels, Rows, chunks

SIDE = 32  # pixels of the longer side of the versions that are compared, at most
WAVES = 8  # lowest frequencies along each axis by which candidates are found
CLOSE = 0.06  # distance up to which two images count as nearly equal
LEAST_CONTRAST = 1.0  # grey levels; images with less, such as blank ones, count as having this
BLOCK = 2**26  # bytes of pixels that are compared at a time


def small(images: Images) -> Images:
    """Small versions: at most `SIDE` pixels on the longer side, shrunk by area; smaller images stay as they are."""
    height, width, channels = images.shape[1:]
    if max(height, width) <= SIDE:
        return np.ascontiguousarray(images)
    size = [max(1, round(length * scale(images))) for length in (width, height)]
    shrunk = np.empty((len(images), size[1], size[0], channels), np.uint8)
    for at, image in enumerate(images):
        resized = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA)
        shrunk[at] = resized.reshape(shrunk.shape[1:])
    return shrunk


def versions(images: Images, rows: Rows) -> Images:
    """The small versions of these rows; the images are read a part at a time."""
    return np.concatenate([small(images[rows[:0]]), *(small(part) for _, part in chunks(images, rows))])


def scale(images: Images) -> float:
    """By which factor `small` shrinks the sides of these images, at most 1."""
    height, width = images.shape[1:3]
    return min(1.0, SIDE / int(max(height, width)))


def spectrum(versions: Images) -> NDArray[np.float32]:
    """Vectors (N x values, float32) whose cosine says how alike images look, regardless of brightness and shift.

    They are the magnitudes of the lowest frequencies without the mean. A shift changes the phases alone, except for
    what it moves across the border.
    """
    vectors = []
    step = max(1, BLOCK // (16 * versions[0].size))
    for start in range(0, len(versions), step):
        waves = np.fft.rfft2(versions[start : start + step], axes=(1, 2))
        low = np.concatenate([waves[:, :WAVES], waves[:, WAVES:][:, -WAVES + 1 :]], axis=1)[:, :, :WAVES]
        low[:, 0, 0] = 0
        vectors.append(np.abs(low).reshape(len(low), -1).astype(np.float32))
    return np.concatenate(vectors)


def distance(first: Images, second: Images, shift: float = 1.0) -> NDArray[np.float64]:
    """The distance of the small versions of each pair (both N x height x width x channels): N values.

    Each image's mean is subtracted. The distance is the mean absolute difference, divided by the mean absolute
    deviation of the pair. It is the least over nine placements: unmoved, or one image moved by `shift` pixels along one
    axis or both. It is 0 if the images differ in brightness and shift alone, and about 1 if they are unlike.
    """
    a, b = first.astype(np.float32), second.astype(np.float32)
    places = [(y, x) for y in (0, -1, 1) for x in (0, -1, 1) if a.shape[1] > abs(y) and a.shape[2] > abs(x)]
    best: NDArray[np.float64] = np.min([_distance(*_moved(a, b, y, x, shift)) for y, x in places], axis=0)
    return best


def _moved(
    a: NDArray[np.float32], b: NDArray[np.float32], y: int, x: int, shift: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The common part of two images when one is moved. Each moves half the way, so that both blur equally."""
    near, far = np.float32((1 + shift) / 2), np.float32((1 - shift) / 2)
    for axis, direction in ((1, y), (2, x)):
        if direction:
            (a_low, a_high), (b_low, b_high) = (_ends(part, axis)[::direction] for part in (a, b))
            a, b = far * a_low + near * a_high, near * b_low + far * b_high
    return a, b


def _ends(images: NDArray[np.float32], axis: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The images without their last row or column, and without their first."""
    last = images.shape[axis] - 1
    return np.take(images, range(last), axis), np.take(images, range(1, last + 1), axis)


def _distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    axes = (1, 2, 3)
    a, b = (image - image.mean(axis=axes, keepdims=True) for image in (a, b))
    contrast = (np.abs(a).mean(axis=axes, dtype=np.float64) + np.abs(b).mean(axis=axes, dtype=np.float64)) / 2
    difference = np.abs(a - b).mean(axis=axes, dtype=np.float64)
    return np.asarray(difference / np.maximum(contrast, LEAST_CONTRAST), np.float64)


def pairs(asked: Rows, versions: Images, training: Rows, training_versions: Images, shift: float = 1.0) -> pd.DataFrame:
    """Pairs of nearly equal images, nearest first. Columns: row (one of `asked`), train_row, distance.

    `versions` and `training_versions` are the small versions of the rows `asked` and `training`; `shift` is the `scale`
    of the images.
    """
    if not len(asked) or not len(training):
        return pd.DataFrame({"row": asked[:0], "train_row": training[:0], "distance": np.zeros(0)})
    # 1. Find candidates by their low frequencies.
    known = [(np.arange(len(training)), spectrum(training_versions))]
    candidates = nearest(spectrum(versions), known, NEAREST, "cosine").rows
    at, column = np.nonzero(candidates >= 0)
    places = candidates[at, column]
    # 2. Compare each image with its candidates, pixel by pixel, and keep the close pairs.
    distances = _distances(versions, at, training_versions, places, shift)
    close = distances <= CLOSE
    table = pd.DataFrame(
        {"row": asked[at[close]], "train_row": training[places[close]], "distance": distances[close].round(4)}
    )
    return table.sort_values(["distance", "row", "train_row"], ignore_index=True)


def _distances(
    first: Images, first_places: Rows, second: Images, second_places: Rows, shift: float
) -> NDArray[np.float64]:
    """The `distance` of each pair of small versions, given by their places, some of them at a time."""
    step = max(1, BLOCK // (16 * first[0].size))
    starts = range(0, len(first_places), step)
    parts = [
        distance(first[first_places[start : start + step]], second[second_places[start : start + step]], shift)
        for start in starts
    ]
    return np.concatenate([np.zeros(0), *parts])


def among(images: Images, rows: Rows) -> Rows:
    """Pairs of nearly equal images among `rows`, which have different pixels: pairs x 2, the lower row first, sorted.

    Of each image the nearest `NEAREST` others are compared. Small versions and spectra are in memory: some 5 KB a row.
    """
    if len(rows) < 2:
        return np.zeros((0, 2), np.int64)
    small_versions = versions(images, rows)
    waves = spectrum(small_versions)
    # Each image is its own nearest neighbour.
    candidates = nearest(waves, [(np.arange(len(rows)), waves)], NEAREST + 1, "cosine").rows
    at, column = np.nonzero(candidates >= 0)
    places = np.stack([at, candidates[at, column]], axis=1)
    places = np.unique(np.sort(places[places[:, 0] != places[:, 1]], axis=1), axis=0)
    distances = _distances(small_versions, places[:, 0], small_versions, places[:, 1], scale(images))
    return np.sort(rows[places[distances <= CLOSE]], axis=1)


def among_labelled(images: Images, index: pd.DataFrame) -> Rows:
    """As `among`, for all labelled images of the index; of several with equal pixels the first one is compared."""
    labelled = index[index["label"].notna()]
    return among(images, labelled.loc[~labelled["sha256"].duplicated(), "row"].to_numpy(np.int64))


def table(
    found: pd.DataFrame, index: pd.DataFrame, splits: "pd.Series[str]", labels: Labels, classes: list[str]
) -> pd.DataFrame:
    """The pairs that `pairs` found, with the columns of metrics/near_duplicates.csv.

    `splits` gives each row's split, `labels` holds those of all rows.
    """
    paths = index["path"].to_numpy()
    names = np.array(classes, dtype=object)
    row, train_row = found["row"].to_numpy(), found["train_row"].to_numpy()
    return pd.DataFrame(
        {
            "split": splits.reindex(row).to_numpy(),
            "path": paths[row],
            "row": row,
            "label": names[labels[row]],
            "train_path": paths[train_row],
            "train_row": train_row,
            "train_label": names[labels[train_row]],
            "same_label": labels[row] == labels[train_row],
            "distance": found["distance"].to_numpy(),
        }
    )
