"""What all pictures share: colours, frames, short names; and `save`, which writes equal figures as equal bytes."""

import math
import textwrap
import warnings
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from darkroom.base.files import replacing
from darkroom.drawing import fonts

# Okabe and Ito's palette, which people with every kind of colour vision can tell apart: https://jfly.uni-koeln.de/color/
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#666666"
DPI = 110
PHOTOGRAPH = "photograph"  # gid of artists whose colours must stay as they are, on a dark page too
PAPER = 254  # opacity of everything else, of 255
matplotlib.rcParams["text.parse_math"] = False  # a class may be called «$5 or $10»


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without the date and Matplotlib's version.

    Its opacity tells photographs from paper: 255 for pixels of an artist whose gid is `PHOTOGRAPH`, 254 for all others,
    which no eye tells apart. So a page can turn paper and ink dark, and leave photographs as they are.
    """
    figure.set_dpi(DPI)
    fonts.fit(figure)
    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a letter that no font has becomes a box: `fonts` says so
        canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.array(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    opacity = pixels[..., 3]
    opacity[:] = PAPER
    for artist in figure.findobj(lambda part: part.get_gid() == PHOTOGRAPH):
        box = artist.get_window_extent()
        # As Matplotlib places it: the corner is rounded, the size rounded up.
        left, low = round(box.x0), round(box.y0)
        right, high = left + math.ceil(box.width - 1e-6), low + math.ceil(box.height - 1e-6)
        opacity[max(0, len(pixels) - high) : max(0, len(pixels) - low), max(0, left) : right] = 255
    with replacing(path) as partial:
        Image.fromarray(pixels).save(partial, format="png")


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def show_image(axis: Axes, image: NDArray[np.uint8]) -> None:
    """Show an image (uint8, height x width x channels), pixel by pixel."""
    grey = image.shape[-1] == 1
    axis.imshow(
        image[..., 0] if grey else image,
        cmap="gray" if grey else None,
        vmin=0,
        vmax=255,
        interpolation="nearest",
        gid=PHOTOGRAPH,
    )


def open_frame(axis: Axes) -> None:
    """Remove the upper and right line of the frame."""
    axis.spines[["top", "right"]].set_visible(False)


def wrapped(text: str) -> str:
    """The text in lines of 26 characters, eight at most."""
    lines = textwrap.wrap(text, 26)
    if len(lines) > 8:  # more do not fit beside a row of images; the end is kept, as it holds the number
        lines = [*lines[:4], "…", *lines[-3:]]
    return "\n".join(lines)


def short(name: str, length: int = 24) -> str:
    """The name, cut to `length` characters."""
    return name if len(name) <= length else name[: length - 1] + "…"
