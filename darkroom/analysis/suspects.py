"""Labels that are probably wrong: those that contradict the model, a copy of the image, or a near-duplicate.

Confident learning: Northcutt, Jiang and Chuang (2021), "Confident Learning: Estimating Uncertainty in Dataset
Labels", JAIR 70, arXiv:1911.00068, computed by cleanlab.
"""

import warnings
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkroom.config.stage_tables import SUSPECTS
from darkroom.dataset.packed import Labels

UNKNOWN = 0.5  # stands for the quality of a label that no model was asked about
LEARNED, COPY, NEAR = "confident learning", "same pixels with another label", "near-duplicate with another label"


def confident_learning(
    labels: Labels, probabilities: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which labels are suspect, and the quality of each (0 to 1; the probability that the model gives the label).

    `probabilities` (N x classes) must come from models that did not see these images in training. cleanlab estimates
    the joint distribution of given and true labels, and from it how many labels of each class are wrong; so many of
    the least probable ones are suspect (prune by noise rate).
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_self_confidence_for_each_label

    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)  # after half precision or averaging, sums are not quite 1
    if len(labels) == 0 or exact.shape[1] < 2:
        return np.zeros(len(labels), bool), np.ones(len(labels))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # cleanlab warns of classes with few images
        suspect: NDArray[np.bool_] = find_label_issues(labels, exact, filter_by="prune_by_noise_rate", n_jobs=1)
    return suspect, get_self_confidence_for_each_label(labels, exact).astype(np.float64)


def by_confident_learning(predictions: pd.DataFrame) -> pd.DataFrame:
    """Confident learning on a table of predictions (row, label, predicted, probabilities) of one kind of model.

    One row for each prediction, with the columns row, suggested (-1 where the label is not suspect) and quality.
    """
    labels = predictions["label"].to_numpy(np.int64)
    suspect, quality = confident_learning(labels, np.stack(predictions["probabilities"].tolist()))
    return pd.DataFrame(
        {
            "row": predictions["row"].to_numpy(np.int64),
            "suggested": np.where(suspect, predictions["predicted"].to_numpy(np.int64), -1),
            "quality": quality,
        }
    )


def by_copies(groups: list[list[int]], labels: Labels) -> dict[int, int]:
    """The suggested label by row, for suspects among groups of rows with equal pixels.

    Where more than half of a group agree, the others are suspect; else all are. A suspect gets the most frequent of
    the other labels in its group; of equally frequent ones, the lowest number. Unlabelled rows (-1) do not count.
    """
    found = {}
    for group in groups:
        counts = Counter(int(labels[row]) for row in group if labels[row] >= 0)
        agreed = [label for label, count in counts.items() if 2 * count > counts.total()]
        for row in group:
            others = {label: count for label, count in counts.items() if label != labels[row]}
            if labels[row] >= 0 and others and labels[row] not in agreed:
                found[row] = min(others, key=lambda label: (-others[label], label))
    return found


def by_near_copies(pairs: pd.DataFrame, labels: Labels) -> dict[int, int]:
    """The suggested label by row, for suspects among near-duplicates (columns row and train_row, nearest pair first).

    Both images of a pair with two labels are suspect; each gets the label of its first such partner.
    """
    found: dict[int, int] = {}
    for row, train_row in pairs[["row", "train_row"]].itertuples(index=False):
        if labels[row] != labels[train_row]:
            found.setdefault(row, int(labels[train_row]))
            found.setdefault(train_row, int(labels[row]))
    return found


def by_reason(learned: pd.DataFrame, copies: dict[int, int], near: dict[int, int]) -> dict[str, dict[int, int]]:
    """The suggested label by reason and row; of several reasons for a row, the first one in this order decides.

    `learned` is the result of `by_confident_learning`, or several of them joined.
    """
    doubted = learned[learned["suggested"] >= 0]
    by_model = dict(zip(doubted["row"].tolist(), doubted["suggested"].tolist(), strict=True))
    return {LEARNED: by_model, COPY: copies, NEAR: near}


def without_undoing(
    suggestions: dict[str, dict[int, int]],
    groups: Iterable[list[int]],
    labels: Labels,
    quality: "pd.Series[float]",
) -> dict[str, dict[int, int]]:
    """The suggestions of `by_reason` without those that another one would undo.

    `groups` are rows of equal or nearly equal images. If in one of them some images are to go from class A to class B
    and others from B to A, one of the two ways stays: that of the image whose label the model finds least probable
    (the lowest quality; an image without one counts as 0.5), and of equally probable ones that of the latest row.
    """
    known = quality.to_dict()
    chosen = {row: label for found in reversed(suggestions.values()) for row, label in found.items()}

    def doubt(rows: list[int]) -> tuple[float, int]:
        return min((known.get(row, UNKNOWN), -row) for row in rows)

    for group in groups:
        ways: dict[tuple[int, int], list[int]] = {}
        for row in group:
            if row in chosen:
                ways.setdefault((int(labels[row]), chosen[row]), []).append(row)
        for (label, suggested), rows in ways.items():
            back = ways.get((suggested, label))
            if back and doubt(rows) > doubt(back):
                for row in rows:
                    del chosen[row]
    return {why: {row: label for row, label in found.items() if row in chosen} for why, found in suggestions.items()}


def table(
    suggestions: dict[str, dict[int, int]],
    quality: "pd.Series[float]",
    index: pd.DataFrame,
    splits: "pd.Series[str]",
    classes: list[str],
    dataset: str,
) -> pd.DataFrame:
    """All suspects, one row each, lowest quality first; those without a quality come last.

    The first four columns form a line of data/corrections.csv. `suggestions` comes from `by_reason`; `quality` and
    `splits` are indexed by row.
    """
    known = quality.to_dict()
    rows = sorted(set().union(*suggestions.values()))
    labels = index["label"].to_numpy(np.int64, na_value=-1)
    paths = index["path"].to_numpy()
    found = pd.DataFrame(
        {
            "dataset": dataset,
            "path": [paths[row] for row in rows],
            "action": "relabel",
            "suggested": [classes[next(r[row] for r in suggestions.values() if row in r)] for row in rows],
            "label": [classes[labels[row]] for row in rows],
            "row": rows,
            "split": [splits.get(row, "") for row in rows],
            "quality": np.round([known.get(row, np.nan) for row in rows], 4),
            "why": ["; ".join(why for why, found in suggestions.items() if row in found) for row in rows],
        },
        columns=list(SUSPECTS.columns),
    )
    return found.sort_values(["quality", "row"], na_position="last", ignore_index=True)


def captions(suspects: pd.DataFrame) -> list[str]:
    """For each suspect: label → suggestion, and split and quality below."""
    return [
        f"{label}\n→ {suggested}?\n{split}{'' if np.isnan(quality) else f' {quality:.2g}'}"
        for label, suggested, split, quality in suspects[["label", "suggested", "split", "quality"]].itertuples(
            index=False
        )
    ]
