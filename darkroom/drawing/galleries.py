"""Images in rows, with text: samples, mistakes, nearest neighbours, heat maps. All functions return a figure.

`images` is always the whole packed array, or a part of it: uint8, N x height x width x channels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from darkroom.dataset.packed import Images, Rows
from darkroom.drawing.sheet import Layout, Sheet
from darkroom.drawing.style import BLUE, GREY, PHOTOGRAPH, RED, wrapped

PER_LINE = 2  # mistakes on one line, each beside its neighbours or heat maps


def placeholder(title: str, words: str) -> Figure:
    """A figure that says in `words` that there is nothing to show."""
    sheet = Sheet(title, Layout((1.0,), 1, 0.8))
    sheet.placeholder(words)
    return sheet.finish()


def grid(images: Images, titles: Sequence[str], *, columns: int, title: str) -> Figure:
    """Images in rows, each under its entry of `titles`; `title` stands over the whole figure."""
    lines = max((text.count("\n") + 1 for text in titles if text), default=0)
    height = min(1.0, 1.15 * images.shape[1] / images.shape[2])  # wide images need less
    sheet = Sheet(title, Layout((1.25,) * columns, max(1, -(-len(images) // columns)), height, lines))
    if not len(images):
        sheet.placeholder("none")
    for at, (image, text) in enumerate(zip(images, titles, strict=True)):
        sheet.image(*divmod(at, columns), image, text)
    return sheet.finish()


def by_group(images: Images, groups: dict[str, pd.DataFrame], *, columns: int, title: str) -> Figure:
    """One row of images for each group of mistakes, beside its heading.

    `groups`, at least one, gives by heading a table with the columns row and confidence.
    """
    sheet = Sheet(title, Layout((2.2, *[1.1] * columns), len(groups), 1.0, 1))
    for row, (heading, group) in enumerate(groups.items()):
        sheet.words(row, 0, wrapped(heading))
        shown = group[["row", "confidence"]].head(columns)
        for column, (place, confidence) in enumerate(shown.itertuples(index=False), start=1):
            sheet.image(row, column, images[place], f"{confidence:.0%}")
    return sheet.finish()


def before_after(before: Images, after: Images, *, columns: int, title: str) -> Figure:
    """Rows of images, each above the row of the same images after a change."""
    sheet = Sheet(title, Layout((0.5, *[0.9] * columns), 2 * -(-len(before) // columns), 0.82))
    for at, (one, other) in enumerate(zip(before, after, strict=True)):
        row, column = divmod(at, columns)
        for below, (image, word) in enumerate(((one, "before"), (other, "after"))):
            sheet.image(2 * row + below, column + 1, image)
            if not column:
                sheet.words(2 * row + below, 0, word, size=7)
    return sheet.finish()


def neighbours(
    images: Images, mistakes: pd.DataFrame, rows: Rows, names: Sequence[Sequence[str]], title: str
) -> Figure:
    """Each mistake (columns row, true, predicted, confidence) beside its nearest training images and their labels.

    `rows` (N x k) holds the rows of the training images, -1 for none; `names` holds their labels.
    """
    sheet, blocks = _blocks(len(mistakes), 1 + rows.shape[1], f"{title}\n")
    sheet.legend([("the predicted class", RED), ("the true class", BLUE), ("another class", GREY)])
    for (row, column), mistake, near, labels in zip(blocks, _lines(mistakes), rows, names, strict=True):
        sheet.image(row, column, images[mistake["row"]], _caption(mistake))
        for at, (place, label) in enumerate(zip(near, labels, strict=False), start=1):
            colour = {mistake["predicted"]: RED, mistake["true"]: BLUE}.get(label, GREY)
            sheet.image(row, column + at, images[place], label, colour)
    return sheet.finish()


def with_heat_maps(
    images: Images, mistakes: pd.DataFrame, predicted: NDArray[np.float32], true: NDArray[np.float32], title: str
) -> Figure:
    """Each mistake beside two heat maps over it: the evidence for the predicted class, and for the true one.

    `predicted` and `true` are N x height x width, 0 to 1: zeros without evidence, NaN where a map is not finite.
    """
    sheet, blocks = _blocks(len(mistakes), 3, title, right=0.9)
    for at, ((row, column), mistake) in enumerate(zip(blocks, _lines(mistakes), strict=True)):
        image = images[mistake["row"]]
        sheet.image(row, column, image, _caption(mistake))
        for beside, (share, name) in enumerate(((predicted[at], "predicted"), (true[at], "true")), start=1):
            note = "" if share.any() else ": none"
            note = ": not finite" if np.isnan(share).any() else note
            words = f"for {mistake[name]}\n({name}{note})"
            sheet.image(row, column + beside, image, words)
            shown = sheet.heat(row, column + beside, share)
    figure = sheet.finish()
    width = figure.get_figwidth()
    bar = figure.colorbar(shown, cax=figure.add_axes((1 - 0.75 / width, 0.2, 0.1 / width, 0.6)), ticks=[0, 0.5, 1])
    bar.set_label("evidence (strongest: 1)", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    assert bar.solids is not None
    bar.solids.set_gid(PHOTOGRAPH)  # as the heat maps that it explains
    return figure


def _blocks(count: int, cells: int, title: str, right: float = 0.0) -> tuple[Sheet, list[tuple[int, int]]]:
    """A sheet of `count` blocks, each of `cells` cells in a row; and the row and first column of each block.

    A gap separates blocks that share a line.
    """
    across = min(count, PER_LINE)
    widths = [1.15] * cells + ([0.25] + [1.15] * cells) * (across - 1)
    sheet = Sheet(title, Layout(widths, -(-count // PER_LINE), 1.0, 3, right))
    return sheet, [(at // PER_LINE, at % PER_LINE * (cells + 1)) for at in range(count)]


def _caption(mistake: dict[str, Any]) -> str:
    return f"{mistake['true']}\n→ {mistake['predicted']}\n{mistake['confidence']:.0%}"


def _lines(mistakes: pd.DataFrame) -> list[dict[str, Any]]:
    columns = ["row", "true", "predicted", "confidence"]
    return [dict(zip(columns, line, strict=True)) for line in mistakes[columns].itertuples(index=False)]
