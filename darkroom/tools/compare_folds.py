"""Compares the kept results of `darkroom folds`: those of the same images in the same folds, paired image by image."""

import textwrap
from itertools import groupby

import numpy as np
import pandas as pd

from darkroom.base import console
from darkroom.base.errors import UserError
from darkroom.base.words import counted, listed
from darkroom.config.stage_tables import PREDICTIONS
from darkroom.dataset.scores import SCORES
from darkroom.tools import comparison_text, configurations, fold_statistics
from darkroom.tools.fold_statistics import LOWER_IS_BETTER, Figure
from darkroom.tools.folds_result import FIGURES, FOLDER, Result

EXPLAINED = (
    "against 1: the figure less that of 1 over the same images, with its 95 % interval (jackknife over groups of "
    "images that stay together); one that holds 0 is no evidence. 1 leads partly by luck, the more results the more. "
    "Another train.seed may move a figure too: the interval does not hold that."
)


def show(metric: str) -> None:
    """Print a table for each data set and division into folds, best result first. `metric` names a figure.

    Raises UserError where there is no result, or none with this figure.
    """
    results = [Result.read(file) for file in sorted(FOLDER.glob(f"*/{FIGURES}"))]
    if not results:
        raise UserError(f"there is no result in {FOLDER} yet: `darkroom folds 5` makes one, for the present parameters")
    metric = SCORES[metric].figure if metric in SCORES else metric
    known = list(dict.fromkeys(name for result in results for name in result.figures))
    if metric not in known:
        raise UserError(f"--metric is {metric!r}, but results of folds have {listed(known, 9)}")
    results = [result for result in results if metric in result.figures]
    for _, several in groupby(sorted(results, key=_images), _images):
        group = list(several)
        sign = 1 if metric in LOWER_IS_BETTER else -1
        ranked = sorted(group, key=lambda result: (sign * result.figures[metric].value, result.name))
        first = ranked[0]
        title = f"{first.dataset}: {metric} of {counted(first.images, 'image')} in {first.folds} folds"
        print(comparison_text.paragraphs([title, _legend(ranked), comparison_text.aligned(_cells(ranked, metric))]))
        print()
    console.done(
        textwrap.fill(EXPLAINED, comparison_text.WIDTH),
        f"darkroom folds with other parameters; a folder of {FOLDER} that is removed is forgotten",
    )


def _images(result: Result) -> tuple[str, int, str]:
    return result.dataset, result.folds, result.division


def _legend(ranked: list[Result]) -> str:
    keys = configurations.varying([result.parameters for result in ranked])
    named = [configurations.describe(result.parameters, keys) for result in ranked]
    return comparison_text.legend(pd.Series(named, index=range(1, len(ranked) + 1)))


def _cells(ranked: list[Result], metric: str) -> pd.DataFrame:
    """The table as texts."""
    best = _predictions(ranked[0])
    rows = []
    for place, result in enumerate(ranked, start=1):
        row = {"#": str(place), "result": result.name, "seed": str(result.parameters.get("train.seed", "-"))}
        row |= {metric: f"{result.figures[metric].value:.4f}", "95 %": _interval(result.figures[metric])}
        row["against 1"] = "best" if place == 1 else _against(_predictions(result), best, metric)
        rows.append(row)
    return pd.DataFrame(rows)


def _predictions(result: Result) -> pd.DataFrame:
    return pd.read_parquet(FOLDER / result.name / PREDICTIONS.path.name)


def _against(ours: pd.DataFrame, best: pd.DataFrame, metric: str) -> str:
    labels, units = (best[name].to_numpy(np.int64) for name in ("label", "unit"))
    first, second = (np.stack(each["probabilities"].tolist()) for each in (ours, best))
    gap = fold_statistics.differences(labels, first, second, units)[metric]
    return f"{gap.value:+.4f} ({_interval(gap, '+.4f')})"


def _interval(figure: Figure, form: str = ".4f") -> str:
    return "-" if figure.low is None else f"{figure.low:{form}} to {figure.high:{form}}"
