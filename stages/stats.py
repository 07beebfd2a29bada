"""Measure mean and standard deviation of each channel over the training images, for normalisation; and their border."""

from darkroom.base import paths
from darkroom.base.console import done, run
from darkroom.config.stage_files import Stats
from darkroom.dataset import channel_statistics
from darkroom.dataset.packed import load_images, load_split


def main() -> None:
    images, rows = load_images(), load_split("train")
    means, deviations = channel_statistics.mean_and_std(images, rows)
    # A deviation is at least one grey level: normalisation divides by it, also for a channel of one value.
    mean, std = [round(value, 6) for value in means], [round(max(value, 1 / 255), 6) for value in deviations]
    edge = [round(value, 6) for value in channel_statistics.border(images, rows)]
    Stats(mean=mean, std=std, border=edge, split="train").write(paths.STATS)
    done(f"wrote {paths.STATS}: mean {mean}, std {std}", "dvc repro train")


if __name__ == "__main__":
    run(main)
