"""What all pictures share: colours, figures, labels; `save` writes a figure, the same one with the same bytes."""

import textwrap
import warnings
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from darkroom.base.files import replacing

# Okabe and Ito's palette, told apart with every kind of colour vision: https://jfly.uni-koeln.de/color/
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#666666"
DPI = 110
matplotlib.rcParams["text.parse_math"] = False  # a class may be called «$5 or $10»


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without date and program version."""
    figure.set_dpi(DPI)
    with replacing(path) as partial, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a letter that the font lacks becomes a box
        # The canvas itself, for `savefig` draws everything twice.
        FigureCanvasAgg(figure).print_png(partial, metadata={"Software": None})  # type: ignore[no-untyped-call]


def new_figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def show_image(axis: Axes, image: NDArray[np.uint8]) -> None:
    grey = image.shape[-1] == 1
    axis.imshow(
        image[..., 0] if grey else image,
        cmap="gray" if grey else None,
        vmin=0,
        vmax=255,
        interpolation="nearest",
    )


def open_frame(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)


def wrapped(text: str) -> str:
    lines = textwrap.wrap(text, 26)
    if len(lines) > 8:  # more would not fit beside a row of images; the number stands at the end
        lines = [*lines[:4], "…", *lines[-3:]]
    return "\n".join(lines)


def short(name: str, length: int = 24) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"
