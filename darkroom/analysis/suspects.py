"""Labels that are probably wrong: those that contradict the model, their copies, or their near-copies.

Confident learning: Northcutt, Jiang and Chuang (2021), "Confident Learning: Estimating Uncertainty in Dataset
Labels", JAIR 70, arXiv:1911.00068, by way of cleanlab.
"""

import warnings
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkroom.config.stage_tables import SUSPECTS
from darkroom.dataset.packed import Labels

LEARNED, COPY, NEAR = "confident learning", "same pixels with another label", "near-duplicate with another label"


def learned(labels: Labels, probabilities: NDArray[np.floating[Any]]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which labels are suspect, and the quality of each (0 to 1; the probability that the model gives the label).

    `probabilities` (N x classes) must be of models that did not see these images in training. A label is suspect
    where the image is among the least probable of its class, as many as the estimated joint distribution of given and
    true labels says are wrong (prune by noise rate).
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_self_confidence_for_each_label

    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)  # half precision and averages leave sums a little off 1
    if len(labels) == 0 or exact.shape[1] < 2:
        return np.zeros(len(labels), bool), np.ones(len(labels))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # classes with few images, of which little can be said
        suspect: NDArray[np.bool_] = find_label_issues(labels, exact, filter_by="prune_by_noise_rate", n_jobs=1)
    return suspect, get_self_confidence_for_each_label(labels, exact).astype(np.float64)


def by_learning(predictions: pd.DataFrame) -> pd.DataFrame:
    """Suspects among predictions (row, label, predicted, probabilities) of one kind of model: row, suggested, quality.

    One line for each prediction; `suggested` is -1 for labels above suspicion.
    """
    labels = predictions["label"].to_numpy(np.int64)
    suspect, quality = learned(labels, np.stack(predictions["probabilities"].tolist()))
    return pd.DataFrame(
        {
            "row": predictions["row"].to_numpy(np.int64),
            "suggested": np.where(suspect, predictions["predicted"].to_numpy(np.int64), -1),
            "quality": quality,
        }
    )


def by_copies(groups: list[list[int]], labels: Labels) -> dict[int, int]:
    """Suspects among groups of rows with equal pixels, and the label that the others suggest.

    Where more than half of a group agree, the rest are suspect; else all, and the most frequent label of the others
    is suggested (of equally frequent ones the first). Unlabelled rows (-1) have no say.
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
    """Suspects among near-duplicates (row, train_row): both of a pair with two labels; the nearest pair suggests."""
    found: dict[int, int] = {}
    for row, train_row in pairs[["row", "train_row"]].itertuples(index=False):
        if labels[row] != labels[train_row]:
            found.setdefault(row, int(labels[train_row]))
            found.setdefault(train_row, int(labels[row]))
    return found


def by_reason(learned: pd.DataFrame, copies: dict[int, int], near: dict[int, int]) -> dict[str, dict[int, int]]:
    """The suggested label by row, for each reason: where they differ, the model comes before copies, then near-copies.

    `learned` is what `by_learning` gives, of one kind of model or of several.
    """
    doubted = learned[learned["suggested"] >= 0]
    by_model = dict(zip(doubted["row"].tolist(), doubted["suggested"].tolist(), strict=True))
    return {LEARNED: by_model, COPY: copies, NEAR: near}


def table(
    reasons: dict[str, dict[int, int]],
    quality: "pd.Series[float]",
    index: pd.DataFrame,
    splits: "pd.Series[str]",
    classes: list[str],
    dataset: str,
) -> pd.DataFrame:
    """All suspects, worst (lowest quality) first, one line each; those whose quality is unknown come last.

    The first four fields of a line are those of a correction; what is suggested is what the first of its `reasons`
    says. `quality` is by row, as is `splits`.
    """
    known = quality.to_dict()
    rows = sorted(set().union(*reasons.values()))
    labels = index["label"].to_numpy(np.int64, na_value=-1)
    paths = index["path"].to_numpy()
    found = pd.DataFrame(
        {
            "dataset": dataset,
            "path": [paths[row] for row in rows],
            "action": "relabel",
            "suggested": [classes[next(r[row] for r in reasons.values() if row in r)] for row in rows],
            "label": [classes[labels[row]] for row in rows],
            "row": rows,
            "split": [splits.get(row, "") for row in rows],
            "quality": np.round([known.get(row, np.nan) for row in rows], 4),
            "why": ["; ".join(why for why, found in reasons.items() if row in found) for row in rows],
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
