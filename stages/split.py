"""Divide the labelled images into train, validation and test."""

from typing import TYPE_CHECKING

from darkroom.base import paths, torch_setup
from darkroom.base.console import done, run
from darkroom.base.words import counted
from darkroom.config.params import load
from darkroom.config.stage_tables import SPLIT, SPLIT_TABLE
from darkroom.dataset import shares, splits
from darkroom.dataset.links import NO_PAIRS
from darkroom.dataset.packed import SPLITS, Rows, load_classes, load_images, load_index

if TYPE_CHECKING:
    import pandas as pd


def main() -> None:
    settings = load()[0].split
    columns = ["row", "path", "label", "subset", "sha256", "group", *(["file_sha256"] if settings.stable else [])]
    index, classes = load_index(*columns), load_classes()
    near = nearly_equal(index) if settings.near_duplicates == "together" else NO_PAIRS
    division = splits.divide(index, classes, settings, near)
    splits.check_leaks(index, division.table)
    by_class = shares.table_by_class(index, division.table, classes)
    SPLIT.write(division.table)
    SPLIT_TABLE.write(by_class)
    total = by_class[[*SPLITS]].sum()
    written = f"wrote {paths.SPLIT}: {', '.join(f'{total[name]:,} {name}' for name in SPLITS)}"
    done("\n".join([written, *shares.in_words(division, by_class)]), "dvc repro stats")


def nearly_equal(index: "pd.DataFrame") -> Rows:
    """The pairs of labelled rows whose images are nearly equal, the same on every machine."""
    torch_setup.torch_for(threads=0, portable=True)
    from darkroom.dataset import near_duplicates

    pairs = near_duplicates.among_labelled(load_images(), index)
    different = index.loc[index["label"].notna(), "sha256"].nunique()
    print(f"{counted(len(pairs), 'pair')} of nearly equal images among {different:,} different ones stay together")
    return pairs


if __name__ == "__main__":
    run(main)
