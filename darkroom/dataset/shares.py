"""How near a split comes to the wanted shares: the table of all classes, and words."""

import numpy as np
import pandas as pd

from darkroom.base.words import counted, listed
from darkroom.dataset.packed import SPLITS
from darkroom.dataset.splits import Division


def table_by_class(index: pd.DataFrame, split_table: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """The number of images by class and split, then each split's share of the class's images in all three.

    `left_out` counts labelled images in no split. A class without images has no shares.
    """
    labelled = index.loc[index["label"].notna(), ["row", "label"]].merge(split_table, on="row", how="left")
    labelled["split"] = labelled["split"].fillna("left_out")
    counts = labelled.groupby(["label", "split"]).size().unstack(fill_value=0)
    counts = counts.reindex(index=range(len(classes)), columns=[*SPLITS, "left_out"], fill_value=0)
    divided = counts[list(SPLITS)]
    reached = divided.div(divided.sum(axis=1), axis=0).round(4).add_suffix("_share")
    counts.insert(0, "class", classes)
    return pd.concat([counts, reached], axis=1).reset_index(drop=True)


def in_words(division: Division, by_class: pd.DataFrame) -> list[str]:
    """What the split came to, in lines: wanted and reached shares, the class furthest off, what was kept and left out.

    `by_class` is the table of `table_by_class`. Shares are those of the images that are in no split of the makers' own.
    """
    names = list(division.shares)
    counts = by_class[names]
    reached = counts.sum() / max(1, int(counts.to_numpy().sum()))
    words = ", ".join(f"{reached[name]:.1%} {name}" for name in names)
    wanted = ", ".join(f"{share:.1%}" for share in division.shares.values())
    kept = " and ".join(division.kept)
    lines = [f"kept the data set's own {kept}; of the others {words}" if kept else f"shares: {words}"]
    if len(names) > 1:
        lines[0] += f" (wanted {wanted})"
    if not division.exact and len(names) > 1:
        classes: list[str] = by_class["class"].tolist()
        of_class = counts.to_numpy(np.int64)
        totals = of_class.sum(axis=1, keepdims=True)
        off = np.where(totals > 0, np.abs(of_class - totals * [*division.shares.values()]) / np.maximum(totals, 1), 0)
        label, side = divmod(int(off.argmax()), len(names))
        lines.append(
            f"furthest from that: class {classes[label]} with {of_class[label, side]:,} of "
            f"{counted(int(totals[label, 0]), 'image')} in {names[side]}"
        )
    for name in SPLITS:
        lacking = by_class.loc[by_class[name] == 0, "class"].tolist()
        if lacking:
            lines.append(f"no image in {name} of {counted(len(lacking), 'class', 'classes')}: {listed(lacking, 20)}")
    if division.left_out:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in division.left_out.items())
        lines.append(f"left out: {reasons}")
    return lines
