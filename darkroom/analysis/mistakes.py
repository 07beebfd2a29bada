"""The images that the model got wrong, as tables."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from darkroom.dataset.packed import Labels

if TYPE_CHECKING:
    from darkroom.dataset.neighbours import Nearest

BETWEEN = " | "  # separates neighbours' names, which may hold spaces, commas and semicolons
LINE = 20  # characters of two names that fit on one line over a small picture


def table(predictions: pd.DataFrame, index: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """Every mistake among `predictions`, worst (highest loss) first.

    Columns: path, row, true, predicted, confidence (of the predicted class), loss (nats).
    """
    wrong = predictions[predictions["label"] != predictions["predicted"]]
    names = pd.Series(classes, dtype=object)
    rows = pd.DataFrame(
        {
            "path": index["path"].iloc[wrong["row"]].to_numpy(),
            "row": wrong["row"].to_numpy(),
            "true": names[wrong["label"]].to_numpy(),
            "predicted": names[wrong["predicted"]].to_numpy(),
            "confidence": wrong["confidence"].round(4).to_numpy(),
            "loss": wrong["loss"].round(4).to_numpy(),
        }
    )
    return rows.sort_values(["loss", "row"], ascending=[False, True], ignore_index=True)


def with_neighbours(mistakes: pd.DataFrame, found: "Nearest", labels: Labels, classes: list[str]) -> pd.DataFrame:
    """The mistakes, each with its nearest training images, which tell a hard picture from a wrong label.

    New columns: neighbours (their labels, nearest first, separated by bars), neighbour_distances (cosine),
    neighbour_rows, and neighbours_agree (how many of them have the predicted label). `labels` are those of all rows.
    `found` may be shorter than the table: the last mistakes then have no neighbours.
    """
    without: list[list[int]] = [[]] * (len(mistakes) - len(found.rows))
    rows = [[int(row) for row in near if row >= 0] for near in found.rows] + without
    names = [[classes[labels[row]] for row in near] for near in rows]
    distances = [near[: len(of)] for near, of in zip(found.distances, rows, strict=False)] + without
    return mistakes.assign(
        neighbours=[BETWEEN.join(near) for near in names],
        neighbour_distances=[" ".join(f"{value:.4f}" for value in near) for near in distances],
        neighbour_rows=[" ".join(map(str, near)) for near in rows],
        neighbours_agree=np.array(
            [near.count(predicted) for near, predicted in zip(names, mistakes["predicted"], strict=True)], np.int64
        ),
    )


def confused_pairs(mistakes: pd.DataFrame) -> pd.DataFrame:
    """How often a true class is taken for another, most often first. Columns: true, predicted, mistakes."""
    counts = mistakes.groupby(["true", "predicted"]).size().reset_index(name="mistakes")
    return counts.sort_values(["mistakes", "true", "predicted"], ascending=[False, True, True], ignore_index=True)


def by_pair(mistakes: pd.DataFrame, chosen: pd.DataFrame, per_pair: int) -> dict[str, pd.DataFrame]:
    """The worst mistakes of each chosen pair of classes, by a heading that names the pair and counts its mistakes."""
    groups = {}
    for true, predicted, count in chosen.itertuples(index=False):
        of_pair = mistakes[(mistakes["true"] == true) & (mistakes["predicted"] == predicted)]
        groups[f"{true} taken for {predicted}: {count}"] = of_pair.head(per_pair)
    return groups


def captions(mistakes: pd.DataFrame) -> list[str]:
    """For each mistake: true → predicted, and the confidence below; long names take a line each."""
    return [
        f"{true}{' ' if len(true + predicted) <= LINE else chr(10)}→ {predicted}\n{confidence:.0%}"
        for true, predicted, confidence in mistakes[["true", "predicted", "confidence"]].itertuples(index=False)
    ]
