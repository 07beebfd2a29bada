"""Mean and standard deviation of each channel over the training images, for normalisation."""

import numpy as np

from darkroom import paths
from darkroom.console import done, run
from darkroom.dataset import Images, Rows, chunks, load_images, load_split
from darkroom.files import write_json


def mean_and_std(images: Images, rows: Rows) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel, of values scaled to [0, 1].

    Exact: from a histogram of the 256 values, in whole numbers up to the last division.
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


def main() -> None:
    means, deviations = mean_and_std(load_images(), load_split("train"))
    # At least one grey level, so that a channel of one value can be divided by it.
    mean, std = [round(value, 6) for value in means], [round(max(value, 1 / 255), 6) for value in deviations]
    write_json(paths.STATS, {"mean": mean, "std": std, "split": "train"})
    done(f"wrote {paths.STATS}: mean {mean}, std {std}", "dvc repro train")


if __name__ == "__main__":
    run(main)
