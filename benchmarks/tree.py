"""The usual way: the archive is unpacked to a tree of files. What every other side is built from."""

import os
import shutil
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.archives import LABELLED, SETS
from benchmarks.fresh import Figures, clock


def unpack(archive: Path, folder: Path, sets: Sequence[str] = SETS) -> None:
    """Unpack the given sets of a nested or flat archive; the samples, which are copies, stay where they are."""
    with zipfile.ZipFile(archive) as outer:
        outer.extractall(folder, [name for name in outer.namelist() if name.startswith(tuple(sets))])  # noqa: S202, trusted
    for name in sets:
        inner = folder / f"{name}.tar.gz"
        if inner.exists():
            with tarfile.open(inner) as packed:
                # Without `filter`, whose checks of each path would only slow this side down.
                packed.extractall(folder / name)  # noqa: S202, trusted
            inner.unlink()


def pictures(folder: Path) -> list[tuple[str, str]]:
    """Path and label of each picture below a folder, in the order of the paths. The label is its folder's name."""
    found = []
    for where, _, names in os.walk(folder):
        label = os.path.basename(where)  # noqa: PTH119, no object for each file: a script that cares is this fast
        found += [(f"{where}/{name}", label) for name in names if name.endswith(".jpg")]
    return sorted(found)


def set_up(archive: str, folder: str) -> Figures:
    """Unpack, divide 60/20/20 by class, and copy each file into the tree of its split: S1's way."""
    from sklearn.model_selection import train_test_split

    root = Path(folder)
    with clock() as figures:
        unpack(Path(archive), root / "unpacked")
        labelled = pictures(root / "unpacked" / LABELLED)
        rest, test = train_test_split(
            labelled, test_size=0.2, stratify=[label for _, label in labelled], random_state=42
        )
        train, val = train_test_split(rest, test_size=0.25, stratify=[label for _, label in rest], random_state=42)
        for split, files in {"train": train, "val": val, "test": test}.items():
            for label in {label for _, label in files}:
                (root / split / label).mkdir(parents=True)
            for path, label in files:
                shutil.copy(path, root / split / label)
    return figures | {"train": len(train)}
