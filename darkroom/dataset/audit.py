"""Checks a data set before training: class balance, copies, contradicting labels, picture sizes."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkroom.config.audit_figures import AuditFigures, GroupCounts, NamedClass, Shapes, SideRange
from darkroom.dataset.packed import Images, chunks


def duplicates(index: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """All images that share their stored pixels with another image, one group after the other.

    Columns: group, kind (`copy`, or `conflict` if the group has two labels), row, path, subset, label.
    """
    copies = index[index.duplicated("sha256", keep=False)].copy()
    copies["group"] = copies.groupby("sha256", sort=False).ngroup()
    conflict = copies.groupby("group")["label"].nunique() > 1
    copies["kind"] = np.where(copies["group"].map(conflict).astype(bool), "conflict", "copy")
    copies["label"] = [None if pd.isna(label) else classes[label] for label in copies["label"]]
    table = copies[["group", "kind", "row", "path", "subset", "label"]]
    return table.sort_values(["group", "row"], ignore_index=True)


def by_reason(reasons: "pd.Series[str]", files: "pd.Series[int] | int" = 1) -> dict[str, int]:
    """The number of files for each reason, most first; of `reasons`, each stands for one file, or for so many."""
    counts = pd.DataFrame({"reason": reasons, "files": files}).groupby("reason")["files"].sum()
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return {str(reason): int(count) for reason, count in ordered}


def summary(
    index: pd.DataFrame,
    classes: list[str],
    copies: pd.DataFrame,
    blank: int,
    shapes: Shapes,
    lost: tuple[dict[str, int], dict[str, int]],
) -> AuditFigures:
    """The figures of the audit; `copies` is the table of `duplicates`.

    `lost` are the files that were rejected and those that were passed over, each as `by_reason` counts them.
    """
    counts = class_counts(index, len(classes))
    smallest, largest = int(counts.argmin()), int(counts.argmax())
    rejected, passed_over = lost
    conflicts = copies[copies["kind"] == "conflict"]
    return AuditFigures(
        images=len(index),
        labelled=int(index["label"].notna().sum()),
        unlabelled=int(index["label"].isna().sum()),
        rejected=rejected,
        passed_over=passed_over,
        classes=len(classes),
        smallest_class=NamedClass(name=classes[smallest], images=int(counts[smallest])),
        largest_class=NamedClass(name=classes[largest], images=int(counts[largest])),
        duplicates=GroupCounts(groups=int(copies["group"].nunique()), images=len(copies)),
        conflicts=GroupCounts(groups=int(conflicts["group"].nunique()), images=len(conflicts)),
        blank=blank,
        width=_sides(index["width"]),
        height=_sides(index["height"]),
        shapes=shapes,
        channels={str(key): int(count) for key, count in index["channels"].value_counts().sort_index().items()},
    )


def class_counts(index: pd.DataFrame, classes: int) -> NDArray[np.int64]:
    """The number of labelled images of each class."""
    return np.bincount(index["label"].dropna().astype(int), minlength=classes)


def mean_images(images: Images, index: pd.DataFrame, classes: int) -> tuple[Images, int]:
    """The mean image of each class (uint8, classes x height x width x channels), and the number of blank images.

    A blank image has one value throughout. Sums are integers, so the result does not depend on the processor.
    """
    labels = index["label"].to_numpy(np.int64, na_value=-1)
    sums = np.zeros((classes, *images.shape[1:]), np.int64)
    blank = 0
    for rows, part in chunks(images):
        flat = part.reshape(len(part), -1)
        blank += int((flat.min(axis=1) == flat.max(axis=1)).sum())
        for label in np.unique(labels[rows]):
            if label >= 0:
                sums[label] += part[labels[rows] == label].sum(axis=0, dtype=np.int64)
    counts = np.bincount(labels[labels >= 0], minlength=classes).reshape(-1, 1, 1, 1)
    return ((sums + counts // 2) // np.maximum(counts, 1)).astype(np.uint8), blank


def samples(index: pd.DataFrame, classes: int, per_class: int, seed: int) -> NDArray[np.int64]:
    """Rows of at most `per_class` images of each class, drawn at random, class after class."""
    generator = np.random.default_rng(seed)
    labels = index["label"].to_numpy(np.int64, na_value=-1)
    drawn = []
    for label in range(classes):
        rows = np.flatnonzero(labels == label)
        drawn.append(np.sort(generator.choice(rows, min(per_class, len(rows)), replace=False)))
    return np.concatenate(drawn)


def _sides(values: "pd.Series[int]") -> SideRange:
    return SideRange(min=int(values.min()), median=int(values.median()), max=int(values.max()))
