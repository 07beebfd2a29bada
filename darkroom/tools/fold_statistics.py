"""Figures of out-of-fold predictions, and their 95 % intervals over images that are tied together.

The interval is that of the delete-a-group jackknife (Kott 2001, "The delete-a-group jackknife", Journal of Official
Statistics 17:521-526): the figure is computed again without each group of units, a unit being what the folds never
tear (an image with its copies, all pictures of one patient). For a mean over units of one size it is Student's
interval over these units. It was chosen because
- it holds for any figure, not for means over images alone, and pairs two configurations image by image;
- tied images count as the few pictures that they are;
- an interval over the K values of the folds (Nadeau and Bengio 2003, doi:10.1023/A:1024068626366) would have K - 1
  degrees of freedom: at 5 folds, a factor of 2.8 on a deviation known from five values.

It says how far the figure would move with other images of the same kind. It does not hold what another `train.seed` or
another division would do. For small data sets it is somewhat too narrow, since each image is both learned from and
predicted (Bates, Hastie and Tibshirani 2023, "Cross-validation: what does it estimate and how well does it do it?",
arXiv:2104.00673): docs/folds.md says how much.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkroom.analysis import metrics
from darkroom.config.stage_files import StageFile
from darkroom.dataset.packed import Labels
from darkroom.dataset.scores import SCORES, Probabilities
from darkroom.tools.comparison_statistics import ALPHA

GROUPS = 100  # of units that are left out in turn; fewer units are left out one by one
LOWER_IS_BETTER = tuple(score.figure for score in SCORES.values() if score.lower_is_better)


class Figure(StageFile):
    """A figure with its 95 % interval, whose ends are None where nothing varies or the figure is undefined."""

    value: float
    low: float | None
    high: float | None


def figures(labels: Labels, probabilities: Probabilities) -> dict[str, float]:
    """The figures of merit of predictions, by name; NaN where one is undefined."""
    return {score.figure: score.of(labels, probabilities) for score in SCORES.values()}


def with_intervals(labels: Labels, probabilities: Probabilities, units: NDArray[np.int64]) -> dict[str, Figure]:
    """The figures over all folds with their intervals, rounded to 6 digits; `units` numbers from 0 what is tied."""
    found = _jackknife(lambda kept: figures(labels[kept], probabilities[kept]), units)
    found = {name: _possible(figure, name) for name, figure in found.items() if np.isfinite(figure.value)}
    right = probabilities.argmax(axis=1) == labels
    if right.all() or not right.any():  # no image varies: Wilson's interval, each unit counting once
        count = int(units.max()) + 1
        low, high = metrics.wilson_interval(count if right.all() else 0, count)
        found["accuracy"] = Figure(value=found["accuracy"].value, low=round(low, 6), high=round(high, 6))
    return found


def differences(
    labels: Labels, first: Probabilities, second: Probabilities, units: NDArray[np.int64]
) -> dict[str, Figure]:
    """The figures of `first` less those of `second`, both of the same images, with their intervals."""

    def gaps(kept: NDArray[np.bool_]) -> dict[str, float]:
        ours, others = (figures(labels[kept], each[kept]) for each in (first, second))
        return {name: value - others[name] for name, value in ours.items()}

    return _jackknife(gaps, units)


def _jackknife(of: Callable[[NDArray[np.bool_]], dict[str, float]], units: NDArray[np.int64]) -> dict[str, Figure]:
    """Each figure of `of`, a function of the images that count, with the interval by leaving groups of units out."""
    from scipy.stats import t  # type: ignore[import-untyped]

    # 1. Deal the units to groups, at random but always alike.
    count = int(units.max()) + 1
    groups = min(count, GROUPS)
    group = (np.random.default_rng(0).permutation(count) % groups)[units]
    # 2. Compute the figures with all, then without each group.
    whole = of(np.ones(len(units), bool))
    left: dict[str, list[float]] = {name: [] for name in whole}
    for one in range(groups):
        for name, value in of(group != one).items():
            left[name].append(value)
    # 3. Their spread gives the standard error.
    factor = float(t.ppf(1 - ALPHA / 2, groups - 1)) * ((groups - 1) / groups) ** 0.5
    return {name: _figure(value, factor * _spread(left[name])) for name, value in whole.items()}


def _spread(values: list[float]) -> float:
    array: NDArray[Any] = np.array(values)
    return float(((array - array.mean()) ** 2).sum() ** 0.5)


def _possible(figure: Figure, name: str) -> Figure:
    """The figure with an interval of values that it can have: kappa alone is below 0, and losses alone are above 1."""
    if figure.low is None or figure.high is None:
        return figure
    low = -1.0 if name == SCORES["kappa"].figure else 0.0
    high = np.inf if name in LOWER_IS_BETTER else 1.0
    return figure.model_copy(update={"low": max(figure.low, low), "high": min(figure.high, high)})


def _figure(value: float, half: float) -> Figure:
    if not half > 1e-12:  # also where it is no number
        return Figure(value=round(value, 6), low=None, high=None)
    return Figure(value=round(value, 6), low=round(value - half, 6), high=round(value + half, 6))
