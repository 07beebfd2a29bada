"""Charts of a training. Every public function returns a Matplotlib figure."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from darkroom.drawing.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    new_figure,
    open_frame,
)


def curves(history: pd.DataFrame, best: int, boundary: int = 0, augmented: bool = True) -> Figure:
    """Loss, accuracy and learning rate by epoch; `best` is the epoch whose weights were kept.

    In the first `boundary` epochs only the head was trained. `augmented` says whether the training figures are those
    of augmented, and so harder, images.
    """
    train = "train (augmented)" if augmented else "train"
    figure = new_figure(11, 3.4)
    loss, accuracy, rate = figure.subplots(1, 3)
    for axis, name, scale, unit in (
        (loss, "loss", 1, "cross-entropy, nats"),
        (accuracy, "accuracy", 100, "accuracy, %"),
    ):
        ours: dict[str, Any] = {"color": BLUE, "label": train, "clip_on": False}
        axis.plot(history["epoch"], scale * history[f"train_{name}"], **ours)
        theirs: dict[str, Any] = {"color": ORANGE, "label": "val", "linestyle": "--", "clip_on": False}
        axis.plot(history["epoch"], scale * history[f"val_{name}"], **theirs)
        axis.axvline(best, color=GREY, linewidth=0.8, linestyle=":", label=f"kept: epoch {best}")
        axis.set_ylabel(unit)
        axis.set_title(name, fontsize=10)
        axis.legend(fontsize=8, edgecolor="none")
    accuracy.set_ylim(top=100)  # no accuracy is higher
    rate.plot(history["epoch"], history["lr"], color=GREEN)
    rate.set_ylabel("learning rate at the end of the epoch")
    rate.set_title("learning rate", fontsize=10)
    rate.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    for axis in (loss, accuracy, rate):
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        if boundary:
            axis.axvspan(0.5, boundary + 0.5, color="#eeeeee", zorder=0)
            axis.text(
                boundary + 0.5, 1.0, "head alone ◂ ▸ all layers", fontsize=7, color=GREY, ha="center", va="bottom",
                transform=axis.get_xaxis_transform(),
            )  # fmt: skip
            axis.set_title(axis.get_title(), fontsize=10, pad=16)
        open_frame(axis)
    return figure


def learning_rates(
    rates: Sequence[float],
    losses: Sequence[float],
    smoothed: NDArray[np.float64],
    suggestion: tuple[float, float] | None,
    present: float,
) -> Figure:
    """Loss against learning rate in a range test, with the suggested range and the `present` rate.

    `losses` and `smoothed` have one entry for each of the `rates`.
    """
    figure = new_figure(6.5, 4)
    axis = figure.subplots()
    axis.plot(rates, losses, color=BLUE, alpha=0.3, linewidth=0.8, label="each batch")
    axis.plot(rates, smoothed, color=BLUE, label="smoothed")
    if suggestion is not None:
        low_rate, high_rate = suggestion
        axis.axvspan(low_rate, high_rate, color=GREEN, alpha=0.15, label=f"suggested: {low_rate:g} to {high_rate:g}")
    axis.axvline(present, color=ORANGE, linewidth=1.2, linestyle="--", label=f"train.lr: {present:g}")
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(
        lambda value, _: f"{value:g}"
    )  # Matplotlib writes powers of ten in math text, which is off
    axis.xaxis.set_minor_formatter("")
    # Diverging losses at the end would flatten the rest of the curve.
    low, first = float(smoothed.min()), float(smoothed[0])
    axis.set_ylim(max(0.0, low - 0.15 * first), 1.4 * first)
    axis.set_xlabel("learning rate")
    axis.set_ylabel("training loss, cross-entropy in nats")
    axis.set_title("Learning-rate range test", fontsize=10)
    axis.legend(fontsize=8, frameon=False)
    open_frame(axis)
    return figure
