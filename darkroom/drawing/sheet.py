"""Small pictures in rows and columns on one sheet, with text above and beside them.

All share one Matplotlib axis, whose unit is the inch: an axis for each picture would cost 20 ms of CPU time, and a
sheet may have hundreds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from darkroom.drawing import fonts
from darkroom.drawing.style import GREY, PHOTOGRAPH

LINE = 0.14  # inches that a line of small text takes
GAP = 0.08  # inches between pictures
MARGIN = 0.1  # inches around everything
NARROWEST = 6.5  # inches that a sheet has at least, for its title
SMALL, TITLE = 8, 10  # points of small text, and of a title


@dataclass(frozen=True)
class Layout:
    """The grid of a sheet."""

    widths: Sequence[float]  # of the columns, in inches
    rows: int
    height: float  # of a picture, in inches
    lines: int = 0  # of text above each picture
    right: float = 0.0  # inches that stay free beside the last column

    @property
    def row_height(self) -> float:
        """Inches from the top of a row to the top of the next."""
        return self.height + self.lines * LINE + GAP


class Sheet:
    """A figure of cells, whose rows and columns count from 0 at the upper left."""

    def __init__(self, title: str, layout: Layout) -> None:
        heading = 0.2 * (title.count("\n") + 1) + MARGIN
        needed = sum(layout.widths) + 2 * MARGIN + layout.right
        width = max(NARROWEST, needed)
        height = heading + layout.rows * layout.row_height + MARGIN
        self._layout, self._top = layout, heading
        shift = MARGIN + (width - needed) / 2
        self._starts = [shift + start for start in accumulate(layout.widths, initial=0.0)]
        self.figure = Figure(figsize=(width, height))
        self.figure.text(0.5, 1 - MARGIN / height, title, ha="center", va="top", fontsize=TITLE)
        self.axis = self.figure.add_axes((0, 0, 1, 1))
        self.axis.axis("off")
        self._size = width, height

    def image(self, row: int, column: int, image: NDArray[np.uint8], words: str = "", colour: str = "black") -> None:
        """Show an image (uint8, height x width x channels), with `words` above it."""
        grey = image.shape[-1] == 1
        shown = image[..., 0] if grey else image
        self._picture(row, column, shown, cmap="gray" if grey else None, vmin=0, vmax=255)
        if words:
            left, right, top, _ = self._box(row, column, image.shape[0] / image.shape[1])
            room = self._layout.widths[column] - GAP
            words = "\n".join(fonts.cut(line, room, SMALL) for line in words.split("\n"))
            self.axis.text(
                (left + right) / 2, top - 0.03, words, fontsize=SMALL, color=colour, ha="center", va="bottom",
                linespacing=1.1,
            )  # fmt: skip

    def heat(self, row: int, column: int, share: NDArray[np.float32]) -> AxesImage:
        """Lay a heat map (height x width, 0 to 1) over the image in this cell."""
        return self._picture(row, column, share, cmap="viridis", vmin=0, vmax=1, alpha=0.6)

    def words(self, row: int, column: int, text: str, size: float = 8) -> None:
        """Write text into a cell: right-aligned, at half its height."""
        top = self._top + row * self._layout.row_height + self._layout.lines * LINE
        right = self._starts[column + 1] - GAP
        text = "\n".join(fonts.cut(line, self._layout.widths[column] - GAP, size) for line in text.split("\n"))
        self.axis.text(right, top + self._layout.height / 2, text, fontsize=size, ha="right", va="center")

    def legend(self, words: Sequence[tuple[str, str]]) -> None:
        """Words in their colours, below the title: what these colours of the words over the pictures mean."""
        width, height = self._size
        widths = [fonts.width(word, SMALL + 1) + 0.2 for word, _ in words]
        starts = accumulate(widths, initial=(width - sum(widths)) / 2)
        for (word, colour), start in zip(words, starts, strict=False):
            self.figure.text(
                (start + 0.1) / width, 1 - (self._top - 0.05) / height, word, color=colour, fontsize=SMALL + 1,
                va="bottom",
            )  # fmt: skip

    def placeholder(self, words: str) -> None:
        """Say that there is nothing to show."""
        self.figure.text(0.5, 0.4, words, ha="center", color=GREY)

    def finish(self) -> Figure:
        """The figure, once all cells are filled."""
        # Limits come last, because each picture sets them to its own extent.
        width, height = self._size
        self.axis.set(xlim=(0, width), ylim=(height, 0), aspect="auto")
        return self.figure

    def _picture(self, row: int, column: int, values: NDArray, **options: object) -> AxesImage:
        left, right, top, bottom = self._box(row, column, values.shape[0] / values.shape[1])
        extent = left, right, bottom, top
        return self.axis.imshow(values, extent=extent, interpolation="nearest", gid=PHOTOGRAPH, **options)  # type: ignore[arg-type]

    def _box(self, row: int, column: int, aspect: float) -> tuple[float, float, float, float]:
        """Left, right, top, bottom (inches) of the largest picture of this aspect (height over width) in a cell."""
        height = min(self._layout.height, (self._layout.widths[column] - GAP) * aspect)
        width = height / aspect
        middle = (self._starts[column] + self._starts[column + 1]) / 2
        bottom = self._top + (row + 1) * self._layout.row_height - GAP
        return middle - width / 2, middle + width / 2, bottom - height, bottom
