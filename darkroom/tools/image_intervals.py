"""Intervals of the gap between single runs, over the images that both have classified.

Runs over several seeds are compared by those (`comparison_statistics`). Where a configuration has but one run in common
with the best, the kept predictions still say how far the choice of images makes its gap uncertain.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from darkroom.base import paths
from darkroom.dataset.packed import Labels
from darkroom.dataset.scores import SCORES, Probabilities, Score

RESAMPLES = 1000


@dataclass(frozen=True)
class Kept:
    """What a run has predicted of one split, by ascending rows of the packed images."""

    rows: Labels
    labels: Labels
    probabilities: Probabilities


def lines(table: pd.DataFrame, kept: pd.DataFrame, revisions: Mapping[str, str], split: str, figure: str) -> list[str]:
    """A line for each configuration with a single run to compare with the best; none where all have more.

    `table` is the result of `comparison_statistics.compare` for the runs `kept`; `revisions` has the Git revision of
    each run by its name. Where there is no interval, the line says why.
    """
    single = table.iloc[1:][table["pairs"].iloc[1:] < 2]
    score = next((score for score in SCORES.values() if score.figure == figure), None)
    if single.empty or score is None:
        return [] if single.empty else [f"single runs: there is no interval for {figure}"]
    first = kept[kept["configuration"] == table["configuration"].iloc[0]]
    found = [
        f"single runs, {RESAMPLES:,} resamples of the images of {split} (paired bootstrap, not about other seeds):"
    ]
    read: dict[str, Kept | None] = {}
    for label, configuration in single["configuration"].items():
        both = kept[kept["configuration"] == configuration].merge(first, on="seeds")
        for name in (*both["name_x"], *both["name_y"]):
            read[name] = read[name] if name in read else predictions(revisions[name], split)
        pairs = [(read[one], read[other]) for one, other in zip(both["name_x"], both["name_y"], strict=True)]
        words = _in_words(score, *pairs[0]) if pairs else "no interval, no common seed"
        found.append(f"{label:>2} against {table.index[0]}: {words}")
    return found


def _in_words(score: Score, ours: Kept | None, other: Kept | None) -> str:
    if ours is None or other is None:
        return f"no interval, DVC does not have {paths.PREDICTIONS} of both"
    if not (np.array_equal(ours.rows, other.rows) and np.array_equal(ours.labels, other.labels)):
        return "no interval, the images or their labels differ"
    gap = score.of(ours.labels, ours.probabilities) - score.of(other.labels, other.probabilities)
    low, high = gap_interval(score, ours.labels, ours.probabilities, other.probabilities)
    return f"{gap:+.4f}, 95 % interval {low:+.4f} to {high:+.4f}"


def gap_interval(score: Score, labels: Labels, ours: Probabilities, other: Probabilities) -> tuple[float, float]:
    """The 95 % interval of how much a score of `ours` is above that of `other`: paired percentile bootstrap.

    Both are judged on the same images of each resample (Efron 1979, doi:10.1214/aos/1176344552). A resample that leaves
    the score undefined does not count; NaN if all do.
    """
    generator = np.random.default_rng(0)
    gaps = []
    for _ in range(RESAMPLES):
        drawn = generator.integers(0, len(labels), len(labels))
        gaps.append(score.of(labels[drawn], ours[drawn]) - score.of(labels[drawn], other[drawn]))
    known = np.array(gaps)[~np.isnan(gaps)]
    low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (np.nan, np.nan)
    return float(low), float(high)


def predictions(revision: str, split: str) -> Kept | None:
    """The predictions of a revision from DVC's cache or remote; None where they cannot be had."""
    import dvc.api  # takes a second

    try:
        with dvc.api.open(paths.PREDICTIONS.as_posix(), rev=revision, mode="rb") as file:
            rows = pd.read_parquet(file, columns=["row", "split", "label", "probabilities"])
        rows = rows[rows["split"] == split].sort_values("row")
        numbers, labels = (rows[name].to_numpy(np.int64) for name in ("row", "label"))
        return Kept(numbers, labels, np.stack(rows["probabilities"].to_list()))
    except Exception:  # whatever a remote, a cache that was cleared or a damaged file raises
        return None
