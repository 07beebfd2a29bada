"""Statistics of the training images per channel: mean and standard deviation for normalisation, and the border."""

import numpy as np

from darkroom.config.stage_files import Stats
from darkroom.dataset.packed import Images, Rows, chunks


def measure(images: Images, rows: Rows) -> Stats:
    """Mean, standard deviation and border of the training images at `rows`, rounded to 6 digits."""
    means, deviations = mean_and_std(images, rows)
    # A deviation is at least one grey level: normalisation divides by it, also for a channel of one value.
    return Stats(
        mean=[round(value, 6) for value in means],
        std=[round(max(value, 1 / 255), 6) for value in deviations],
        border=[round(value, 6) for value in border(images, rows)],
        split="train",
    )


def border(images: Images, rows: Rows) -> list[float]:
    """The median of the outermost pixels per channel, scaled to [0, 1]; it fills the gap when an image is moved."""
    outermost = np.ones(images.shape[1:3], bool)
    outermost[1:-1, 1:-1] = False
    histogram = np.zeros((images.shape[-1], 256), np.int64)
    for _, part in chunks(images, rows):
        for channel in range(images.shape[-1]):
            histogram[channel] += np.bincount(part[:, outermost, channel].ravel(), minlength=256)
    halves = histogram.sum(axis=1) / 2
    return [float(np.searchsorted(counts.cumsum(), half)) / 255 for counts, half in zip(histogram, halves, strict=True)]


def mean_and_std(images: Images, rows: Rows) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel, of values scaled to [0, 1].

    The result is exact: it comes from a histogram of the 256 values, in integers up to the last division.
    """
    histogram = np.zeros((images.shape[-1], 256), np.int64)
    for _, part in chunks(images, rows):
        for channel in range(images.shape[-1]):
            histogram[channel] += np.bincount(part[..., channel].ravel(), minlength=256)
    means, deviations = [], []
    for counts in histogram.tolist():
        number = sum(counts)
        total = sum(value * count for value, count in enumerate(counts))
        squares = sum(value * value * count for value, count in enumerate(counts))
        means.append(total / number / 255)
        deviations.append((number * squares - total * total) ** 0.5 / number / 255)
    return means, deviations
