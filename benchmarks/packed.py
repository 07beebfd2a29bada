"""Our way: the archive is decoded once, into one array, by the functions that the stages call."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.archives import entry
from benchmarks.fresh import Figures, clock
from darkroom.config.catalogue import Entry
from darkroom.config.params import Extract, Split

if TYPE_CHECKING:
    import pandas as pd

    from darkroom.training.batches import Batches

# As shipped; not from params.yaml, which is the user's to change.
EXTRACT = Extract(max_rejected=0.01, max_members=10_000_000, max_bytes=10**12, max_pixels=50_000_000, threads=0)
SPLIT = Split(
    seed=42, test=0.2, val=0.25, use_given_test=False, use_given_val=False, near_duplicates="ignore", stable=False
)
MEMORY_SHARE = 0.5


def extract(archive: str, folder: str, unlabelled: int = True) -> Figures:
    """Run the extract stage's function; `folder` must exist."""
    from darkroom.intake.extraction import extract

    described = entry(Path(archive), unlabelled=bool(unlabelled))
    os.environ["DVC_ROOT"] = folder  # pictures that an earlier run has decoded and kept would be a short cut
    with clock() as figures:
        found = extract(Path(archive), described, EXTRACT, Path(folder), "benchmark")
    return figures | {"images": len(found.index)}


def set_up(archive: str, folder: str) -> Figures:
    """Extract, and divide 60/20/20 by class: the stages `extract` and `split`, in `folder`."""
    os.chdir(folder)
    with clock() as figures:
        table = divided(Path(archive), entry(Path(archive)))
    return figures | {"train": int((table["split"] == "train").sum())}


def divided(archive: Path, described: Entry) -> "pd.DataFrame":
    """Extract and divide an archive in the working folder; the table of the split."""
    from darkroom.base import paths
    from darkroom.base.files import replacing_folder, write_parquet
    from darkroom.dataset import splits
    from darkroom.dataset.packed import load_classes, load_index
    from darkroom.intake.extraction import extract

    with replacing_folder(paths.DATA) as images:
        extract(archive, described, EXTRACT, images, "benchmark")
    index = load_index()
    table = splits.divide(index, load_classes(), SPLIT).table
    splits.check_leaks(index, table)
    write_parquet(paths.SPLIT, table)
    return table


def load_train(folder: str, device: str = "cpu", count: int | None = None) -> "tuple[Batches, Figures]":
    """The training images, or the first `count`, as the train stage loads them. Torch must have been imported."""
    import pyarrow.parquet  # noqa: F401, pandas imports it at the first call, and imports are not counted
    import torch

    from darkroom.dataset.packed import labels_of, load_images, load_index, load_split
    from darkroom.training.batches import Batches

    os.chdir(folder)
    with clock() as figures:
        rows = load_split("train")[:count]
        data = Batches(
            load_images(), rows, labels_of(load_index(), rows), torch.device(device), memory_share=MEMORY_SHARE
        )
    return data, figures
