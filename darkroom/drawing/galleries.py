"""Pictures of single images and what stands beside them: their nearest neighbours, the evidence that decided."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from darkroom.dataset.packed import Images, Rows
from darkroom.drawing.style import BLUE, GREY, RED, new_figure, short, show_image

LONGEST = 16  # characters of a name over a small picture
PER_LINE = 2  # images that stand with their company on one line


def nothing(title: str, words: str) -> Figure:
    """A picture that says that there is nothing to show."""
    figure = new_figure(6.5, 1.2)
    figure.suptitle(title, fontsize=10)
    figure.text(0.5, 0.4, words, ha="center", color=GREY)
    return figure


def neighbours(
    images: Images, mistakes: pd.DataFrame, rows: Rows, names: Sequence[Sequence[str]], title: str
) -> Figure:
    """Each mistake (columns row, true, predicted, confidence) and its nearest training images, with their labels.

    `rows` (N x k) are those of the training images, -1 for none, and `names` their labels.
    """
    figure, blocks = _blocks(len(mistakes), 1 + rows.shape[1], title)
    for block, mistake, near, labels in zip(blocks, _lines(mistakes), rows, names, strict=True):
        show_image(block[0], images[mistake["row"]])
        _caption(block[0], mistake["true"], f"→ {mistake['predicted']}", f"{mistake['confidence']:.0%}")
        for axis, row, label in zip(block[1:], near, labels, strict=False):
            show_image(axis, images[row])
            colour = {mistake["predicted"]: RED, mistake["true"]: BLUE}.get(label, GREY)
            axis.set_title(short(label, LONGEST), fontsize=7, pad=2, color=colour)
    return figure


def evidence(
    images: Images, mistakes: pd.DataFrame, predicted: NDArray[np.float32], true: NDArray[np.float32], title: str
) -> Figure:
    """Each mistake, and over it the evidence (N x height x width, 0 to 1) for the predicted and for the true class."""
    figure, blocks = _blocks(len(mistakes), 3, title)
    for at, (block, mistake) in enumerate(zip(blocks, _lines(mistakes), strict=True)):
        image = images[mistake["row"]]
        show_image(block[0], image)
        _caption(block[0], mistake["true"], f"→ {mistake['predicted']}", f"{mistake['confidence']:.0%}")
        for axis, share, name, word in (
            (block[1], predicted[at], mistake["predicted"], "predicted"),
            (block[2], true[at], mistake["true"], "true"),
        ):
            show_image(axis, image)
            shown = axis.imshow(share, cmap="viridis", vmin=0, vmax=1, alpha=0.6, interpolation="nearest")
            _caption(axis, f"for {name}", f"({word})")
    beside = [axis for block in blocks for axis in block]
    bar = figure.colorbar(shown, ax=beside, location="right", shrink=0.6, aspect=20, ticks=[0, 0.5, 1])
    bar.set_label("evidence (strongest: 1)", fontsize=7)
    return figure


def _blocks(count: int, cells: int, title: str) -> tuple[Figure, list[list[Axes]]]:
    """A figure with so many blocks, each of so many cells in a row, and a gap between blocks that share a line."""
    lines = -(-count // PER_LINE)
    across = min(count, PER_LINE)
    widths = [1.0] * cells + ([0.25] + [1.0] * cells) * (across - 1)
    figure = new_figure(max(6.5, 1.15 * sum(widths) + 0.4), 1.5 * lines + 0.6)
    figure.suptitle(title, fontsize=10)
    axes = figure.subplots(lines, len(widths), squeeze=False, width_ratios=widths)
    for axis in axes.ravel():
        axis.axis("off")
    starts = [(line, block * (cells + 1)) for line in range(lines) for block in range(across)]
    return figure, [list(axes[line, start : start + cells]) for line, start in starts[:count]]


def _caption(axis: Axes, *lines: str) -> None:
    axis.set_title("\n".join(short(line, LONGEST + 2) for line in lines), fontsize=7, pad=2)


def _lines(mistakes: pd.DataFrame) -> list[dict[str, Any]]:
    columns = ["row", "true", "predicted", "confidence"]
    return [dict(zip(columns, line, strict=True)) for line in mistakes[columns].itertuples(index=False)]
