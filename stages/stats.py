"""Measure mean and standard deviation of each channel over the training images, for normalisation; and their border."""

from darkroom.base import paths
from darkroom.base.console import done, run
from darkroom.dataset import channel_statistics
from darkroom.dataset.packed import load_images, load_split


def main() -> None:
    found = channel_statistics.measure(load_images(), load_split("train"))
    found.write(paths.STATS)
    done(f"wrote {paths.STATS}: mean {found.mean}, std {found.std}", "dvc repro train")


if __name__ == "__main__":
    run(main)
