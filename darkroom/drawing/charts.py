"""Charts of the data and of the evaluation. Every public function returns a Matplotlib figure."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from darkroom.base.words import percent
from darkroom.drawing.style import (
    BLUE,
    GREEN,
    GREY,
    RED,
    new_figure,
    open_frame,
    short,
)

BESIDE = 300  # class names that are readable beside the largest confusion matrix


def class_balance(counts: NDArray[np.int64], classes: Sequence[str], title: str) -> Figure:
    """Bars: the number of images of each class."""
    figure = new_figure(5.6, 1.2 + 0.26 * len(classes))
    axis = figure.subplots()
    places = np.arange(len(classes))
    axis.barh(places, counts, color=BLUE, height=0.7)
    for place, count in enumerate(counts.tolist()):
        axis.text(count, place, f" {count:,}", va="center", fontsize=8, color=GREY)
    axis.set_yticks(places, [short(name) for name in classes], fontsize=8)
    axis.set_ylim(len(classes) - 0.5, -0.5)
    axis.set_xlim(0, counts.max() * 1.12)
    axis.set_xlabel("images")
    axis.set_ylabel("class")
    axis.set_title(title, fontsize=10)
    open_frame(axis)
    return figure


def sizes(widths: Sequence[int], heights: Sequence[int], stored: tuple[int, int], title: str) -> Figure:
    """Width against height of the files, in pixels; the area of a dot grows with the number of images.

    `stored` is height, width of the stored images; a line shows all sizes with their proportions.
    """
    figure = new_figure(5, 4.6)
    axis = figure.subplots()
    found = pd.DataFrame({"width": widths, "height": heights}).value_counts().reset_index()
    area = 20 + 180 * found["count"] / found["count"].max()
    axis.scatter(found["width"], found["height"], s=area, color=BLUE, alpha=0.5, label="as found", linewidths=0)
    height, width = stored
    axis.scatter([width], [height], marker="+", s=160, color=RED, label=f"as stored ({width}x{height})")
    side = 1.15 * max(found["width"].max(), found["height"].max(), width, height)
    axis.axline((0, 0), (width, height), color=RED, linewidth=0.8, linestyle="--", label="its proportions")
    axis.set_xlim(0, side)
    axis.set_ylim(0, side)
    axis.set_xlabel("width in pixels")
    axis.set_ylabel("height in pixels")
    axis.set_title(title, fontsize=10)
    axis.legend(fontsize=8, frameon=False, loc="upper left")
    open_frame(axis)
    return figure


def confusion(matrix: NDArray[np.int64], classes: Sequence[str], *, normalised: bool, split: str) -> Figure:
    """The confusion matrix as a heat map: counts, or shares of the true class in per cent."""
    count = len(classes)
    side = float(np.clip(0.42 * count, 4, 22))
    figure = new_figure(side + 1.6, side + 1.2)
    axis = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    picture = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    bar = figure.colorbar(picture, ax=axis, fraction=0.04, pad=0.02)
    bar.set_label("share of the true class")
    if count <= 40:
        for row in range(count):
            for column in range(count):
                if matrix[row, column]:
                    text = f"{100 * shares[row, column]:.3g}" if normalised else f"{matrix[row, column]}"
                    colour = "white" if shares[row, column] > 0.5 else "black"
                    axis.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    size = float(np.clip(8 * side / (0.42 * count), 4, 8))
    step = -(-count // BESIDE)
    places, names = range(0, count, step), [short(name) for name in classes[::step]]
    axis.set_xticks(places, names, rotation=90 if max(map(len, names)) > 2 else 0, fontsize=size)
    axis.set_yticks(places, names, fontsize=size)
    some = f" (one in {step} named)" if step > 1 else ""
    axis.set_xlabel(f"predicted class{some}")
    axis.set_ylabel(f"true class{some}")
    unit = "per cent of the true class" if normalised else "images"
    axis.set_title(f"Confusion matrix, {split} split, {unit}", fontsize=10)
    return figure


def per_class(table: pd.DataFrame, split: str) -> Figure:
    """Dots: precision, recall and F1 of each class, one line a class. `table` has these columns and class."""
    figure = new_figure(5.6, 1.6 + 0.26 * len(table))
    axis = figure.subplots()
    places = np.arange(len(table))
    for name, marker, colour in (("precision", "|", BLUE), ("recall", "x", RED), ("f1", "o", GREEN)):
        hollow: dict[str, Any] = {"facecolors": "none", "edgecolors": colour} if marker == "o" else {"color": colour}
        axis.scatter(table[name], places, marker=marker, label=name, s=50, zorder=3, clip_on=False, **hollow)
    axis.set_yticks(places, [short(name) for name in table["class"]], fontsize=8)
    axis.set_ylim(len(table) - 0.5, -0.5)
    axis.grid(axis="y", linewidth=0.4, color="#dddddd")
    axis.set_xlim(min(0.9, axis.get_xlim()[0]), 1)  # no score is higher
    axis.set_xlabel("score")
    axis.set_ylabel("class")
    axis.set_title(f"Precision, recall and F1 by class, {split} split", fontsize=10)
    figure.legend(fontsize=9, frameon=False, loc="outside lower center", ncols=3)
    open_frame(axis)
    return figure


def coverage(table: pd.DataFrame, split: str) -> Figure:
    """Accuracy against coverage, with some confidence thresholds; `table` is the one of `metrics.coverage`."""
    figure = new_figure(5.6, 4.2)
    axis = figure.subplots()
    shares, accuracies = 100 * table["coverage"], 100 * table["accuracy"]
    axis.plot(shares, accuracies, color=BLUE, marker="o", markersize=3, clip_on=False, zorder=3)
    room = max(100 - float(accuracies.min()), 1)
    axis.set_ylim(100 - 1.1 * room, 100)
    axis.set_xlim(0, 100)
    axis.ticklabel_format(axis="y", useOffset=False)
    last = float("inf")
    for share, accuracy, threshold in zip(shares, accuracies, table["threshold"], strict=True):
        if last - share >= 14 and share >= 14:  # far enough from the last label to be readable
            axis.annotate(
                percent(threshold),
                (share, accuracy),
                (-3, -10),
                textcoords="offset points",
                fontsize=8,
                color=GREY,
                ha="right",
            )
            last = share
    axis.set_xlabel("coverage: share of the images at least so sure, %")
    axis.set_ylabel("accuracy on them, %")
    axis.set_title(
        f"Accuracy against coverage, {split} split\n(at a point: the lowest confidence of these images)", fontsize=10
    )
    open_frame(axis)
    return figure


def reliability(table: pd.DataFrame, split: str) -> Figure:
    """Reliability diagrams before and after temperature scaling, each above a histogram of the confidence."""
    figure = new_figure(9.5, 4.8)
    figure.suptitle(f"Reliability, {split} split", fontsize=10)
    axes = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=[3, 1])
    centres, width = 50 * (table["low"] + table["high"]), 100 * (table["high"] - table["low"])
    for column, (when, suffix) in enumerate((("before", "_uncalibrated"), ("after", ""))):
        upper, lower = axes[:, column]
        accuracy, confidence = 100 * table[f"accuracy{suffix}"], 100 * table[f"confidence{suffix}"]
        upper.bar(centres, accuracy, 0.94 * width, color=BLUE, alpha=0.35, label="accuracy of the bin")
        upper.scatter(confidence, accuracy, color=BLUE, s=14, zorder=3, clip_on=False, label="at its mean confidence")
        upper.plot([0, 100], [0, 100], color=GREY, linewidth=0.8, linestyle="--", label="as sure as right")
        upper.set_title(f"{when} temperature scaling", fontsize=10)
        lower.bar(centres, table[f"images{suffix}"], 0.94 * width, color=GREY)
        lower.set_yscale("symlog", linthresh=1)
        lower.yaxis.set_major_formatter(
            lambda value, _: f"{value:,.0f}"
        )  # Matplotlib writes powers of ten in math text, which is off
        upper.set_ylabel("accuracy, %")
        lower.set_ylabel("images")
        lower.set_xlabel("confidence, %")
        open_frame(upper)
        open_frame(lower)
    axes[0, 0].set_xlim(0, 100)
    axes[0, 0].set_ylim(0, 100)
    figure.legend(
        *axes[0, 1].get_legend_handles_labels(), fontsize=9, frameon=False, loc="outside lower center", ncols=3
    )
    axes[1, 0].set_ylim(0, None)
    return figure


def slices(table: pd.DataFrame, split: str) -> Figure:
    """Accuracy with its interval by quarters of each property; the dashed line is the accuracy of all images.

    `table` is the one of `analysis.slices`.
    """
    names = list(table["property"].unique())
    figure = new_figure(max(8, 3.1 * len(names) + 0.6), 3.4)
    figure.suptitle(f"Accuracy by looks of the image, {split} split (95 % intervals)", fontsize=10)
    axes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axis, name in zip(axes, names, strict=True):
        part = table[table["property"] == name]
        places = np.arange(len(part))
        middle = 100 * part["accuracy"]
        distances = [middle - 100 * part["accuracy_low"], 100 * part["accuracy_high"] - middle]
        axis.errorbar(
            places, middle, np.maximum(distances, 0), color=BLUE, fmt="o", markersize=4, capsize=3, clip_on=False
        )
        total = 100 * (part["accuracy"] * part["images"]).sum() / part["images"].sum()
        axis.axhline(total, color=GREY, linewidth=0.8, linestyle="--")
        unit = {"size": "width x height, root, in pixels"}.get(name, f"{name}, 0 to 1")
        digits = 0 if name == "size" else 3
        spans = [
            f"{low:,.{digits}f} to\n{high:,.{digits}f}" for low, high in zip(part["low"], part["high"], strict=True)
        ]
        labels = [f"{span}\n({images:,})" for span, images in zip(spans, part["images"], strict=True)]
        axis.set_xticks(places, labels, fontsize=8)
        axis.set_xlim(-0.5, len(part) - 0.5)
        axis.set_xlabel(f"{unit} (images)", fontsize=9)
        axis.set_title(name, fontsize=10)
        open_frame(axis)
    axes[0].set_ylim(top=100)  # no accuracy is higher
    axes[0].set_ylabel("accuracy, %")
    return figure
