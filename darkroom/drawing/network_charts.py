"""Charts of the inside of a network. Every public function returns a Matplotlib figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from numpy.typing import NDArray

from darkroom.dataset.packed import Images
from darkroom.drawing import fonts
from darkroom.drawing.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PHOTOGRAPH,
    RED,
    new_figure,
    open_frame,
    short,
    show_image,
)

SHOWN = 64  # filters, at most
KERNELS = 16  # rows and columns of kernels, at most
COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", "#000000", "#F0E442")  # Okabe and Ito's, without the red
BESIDE = 20  # points between a name on the map and the images of the class
NAMED = 10  # up to so many classes, all get a name on the map
DIVERGING = "RdBu_r"  # red and blue are told apart with every kind of colour vision


def filters(weights: NDArray[np.float32], name: str) -> Figure:
    """Up to 64 filters (N x height x width x channels), each on its own scale."""
    shown = weights[:SHOWN]
    colour = weights.shape[3] == 3
    largest = np.maximum(np.abs(shown).max(axis=(1, 2, 3), keepdims=True), 1e-12)
    tiles = shown / largest
    if colour:
        tiles = (tiles + 1) / 2
    columns = min(len(tiles), 16 if len(tiles) > 32 else 8)
    rows = -(-len(tiles) // columns)
    figure = new_figure(max(6.5, 0.6 * columns + 1.2), 0.6 * rows * tiles.shape[1] / tiles.shape[2] + 0.9)
    axis = figure.subplots()
    axis.axis("off")
    picture = axis.imshow(
        _mosaic(tiles if colour else tiles[..., 0], columns), cmap=None if colour else DIVERGING, vmin=-1, vmax=1,
        gid=PHOTOGRAPH if colour else None,
    )  # fmt: skip
    if not colour:
        figure.colorbar(picture, ax=axis, fraction=0.03, pad=0.02).set_label("weight / largest of its filter")
    many = f"{len(shown)} of {len(weights)}" if len(shown) < len(weights) else f"{len(shown)}"
    scale = "each from its most negative (dark) to its most positive weight" if colour else "each on its own scale"
    axis.set_title(f"Weights of {name}: {many} filters,\n{scale}", fontsize=10)
    return figure


def kernels(weights: NDArray[np.float32], name: str) -> Figure:
    """Kernels of a convolution (outputs x inputs x height x width): one row an output, all on one scale."""
    shown = weights[:KERNELS, :KERNELS]
    rows, columns, height, width = shown.shape
    if columns == 1:  # a depthwise convolution: one kernel for each channel
        shown, columns = weights[: KERNELS**2], KERNELS
        rows = -(-len(shown) // columns)
    largest = max(float(np.abs(shown).max()), 1e-12)
    figure = new_figure(max(6.5, 0.35 * columns + 1.4), max(2.5, 0.35 * rows * height / width + 1))
    axis = figure.subplots()
    mosaic = _mosaic(shown.reshape(-1, height, width), columns)
    picture = axis.imshow(mosaic, cmap=DIVERGING, vmin=-largest, vmax=largest)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
    figure.colorbar(picture, ax=axis, fraction=0.03, pad=0.02).set_label("weight")
    if weights.shape[1] == 1:
        axis.set_title(f"Kernels of {name}: {len(shown)} of {len(weights)} channels", fontsize=10)
    else:
        axis.set_xlabel(f"input channel, {columns} of {weights.shape[1]}")
        axis.set_ylabel(f"filter, {rows} of {weights.shape[0]}")
        axis.set_title(f"Kernels of {name}", fontsize=10)
    return figure


def activations(images: Images, names: Sequence[str], maps: dict[str, NDArray[np.float32]]) -> Figure:
    """One row an image, with its class in `names`; `maps` gives by layer what is shown: N x maps x height x width."""
    widths = [1.0, *(float(found.shape[1]) for found in maps.values())]
    figure = new_figure(1.6 + 0.42 * sum(widths), 0.9 + 0.45 * len(images))
    black = "0 or less" if any(found.min() < 0 for found in maps.values()) else "0"
    figure.suptitle(
        f"Strongest activation maps of one image of each class, test split; black: {black}, white: its largest",
        fontsize=10,
    )
    figure.set_layout_engine("constrained", wspace=0.05)
    axes = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
    show_image(axes[0], _images_mosaic(images))
    side = images.shape[1] + 1
    axes[0].set_yticks([side * at + side / 2 for at in range(len(images))], [short(name, 16) for name in names])
    axes[0].set_ylabel("class")
    axes[0].set_title("image", fontsize=8)
    for axis, (layer, found) in zip(axes[1:], maps.items(), strict=True):
        largest = np.maximum(np.abs(found).max(axis=(2, 3), keepdims=True), 1e-12)
        tiles = (found / largest).clip(0, 1).reshape(-1, *found.shape[2:])
        axis.imshow(
            _mosaic(tiles, found.shape[1]), cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="auto",
            gid=PHOTOGRAPH,
        )  # fmt: skip
        axis.set_yticks([])
        axis.set_title(f"{_ending(layer, 5 * max(4, found.shape[1]))}, {found.shape[2]}x{found.shape[3]}", fontsize=8)
    for axis in axes:
        axis.set_xticks([])
        axis.tick_params(length=0, labelsize=8)
        axis.spines[:].set_visible(False)
    axes[0].set_aspect("auto")
    return figure


def dead(dead: Mapping[str, tuple[int, int]], idle: Mapping[str, tuple[int, int]]) -> Figure:
    """Bars: the shares of channels that are dead (of layers as ReLU), and of those that are idle (of layers as GELU).

    Both give by layer the numbers of all channels and of dead or idle ones.
    """
    channels = {**dead, **idle}
    figure = new_figure(6.5, 1.2 + 0.22 * max(1, len(channels)))
    axis = figure.subplots()
    shares = [100 * count / total for total, count in channels.values()]
    words = {"dead": "channels that never rise above zero", "idle": "channels that hardly vary"}
    parts = {"dead": range(len(dead)), "idle": range(len(dead), len(channels))}
    kinds = [kind for kind, places in parts.items() if places]
    for kind, colour in (("dead", BLUE), ("idle", ORANGE)):
        of_kind = shares[parts[kind].start : parts[kind].stop]
        axis.barh(parts[kind], of_kind, color=colour, height=0.7, label=words[kind])
    for place, (total, count) in enumerate(channels.values()):
        axis.text(shares[place], place, f" {count} of {total}", va="center", fontsize=8, color=GREY)
    axis.set_yticks(range(len(channels)), [_ending(name, 36) for name in channels], fontsize=8)
    axis.set_ylim(max(1, len(channels)) - 0.5, -0.5)
    widest = max(10.0, 1.2 * max(shares, default=0))  # the bars' numbers stand beside them
    axis.set_xlim(0, widest)
    axis.set_xticks([tick for tick in axis.get_xticks() if tick <= min(100, widest)])
    axis.set_xlabel("share of the layer's channels, %" if len(kinds) == 2 else f"{words[kinds[0]]}, %")
    axis.set_ylabel("layer")
    axis.set_title(f"{' and '.join(kinds).capitalize()} channels, val split", fontsize=10)
    if len(kinds) == 2:
        axis.legend(fontsize=8, frameon=False, loc="upper right")
    open_frame(axis)
    return figure


def feature_map(
    images: NDArray[np.float64], centres: NDArray[np.float64], classes: Sequence[str], table: pd.DataFrame, total: int
) -> Figure:
    """Images (N x 2) and classes (K x 2) on the map of `project_to_plane`; `table` has the columns label, predicted.

    With more than ten classes, only the seven with most mistakes have colour and name. `total` counts all test images.
    """
    axis = (figure := new_figure(7, 6.4)).subplots()
    # 1. Which classes get a colour and a name.
    label, wrong = table["label"].to_numpy(), (table["label"] != table["predicted"]).to_numpy()
    named = np.arange(len(classes))
    if len(classes) > NAMED:
        worst = np.bincount(label[wrong], minlength=len(classes))
        named = np.sort(np.argsort(-worst, kind="stable")[: len(COLOURS)])
    # 2. The images: grey ones, then a colour for each named class, then rings around the mistakes.
    others = ~np.isin(label, named)
    axis.scatter(images[others, 0], images[others, 1], s=6, color="#cccccc", linewidths=0)
    markers = "os^D"  # after seven classes the colours start again, with the next marker
    for place, number in enumerate(named.tolist()):
        colour, marker = COLOURS[place % len(COLOURS)], markers[place // len(COLOURS)]
        of_class = images[label == number]
        axis.scatter(
            of_class[:, 0],
            of_class[:, 1],
            s=10 if others.sum() == 0 else 30,
            color=colour,
            marker=marker,
            linewidths=0,
            alpha=0.8,
        )
    if wrong.any():
        ring: dict[str, Any] = {"facecolors": "none", "edgecolors": RED, "linewidths": 1.2}
        axis.scatter(images[wrong, 0], images[wrong, 1], s=60, label=f"mistake ({int(wrong.sum()):,})", **ring)
        axis.legend(fontsize=9, frameon=False, loc="upper left", bbox_to_anchor=(0, -0.08))
    # 3. The names: each just outside the images of its class, on the side away from the map's centre.
    names = []
    for place, number in enumerate(named.tolist()):
        of_class = images[label == number]
        middle = np.median(of_class, axis=0) if len(of_class) else centres[number]
        outwards = middle - centres.mean(axis=0)
        outwards /= max(float(np.linalg.norm(outwards)), 1e-12)
        reach = float(np.quantile((of_class - middle) @ outwards, 0.9)) if len(of_class) else 0.0
        side = "left" if outwards[0] > 0.4 else "right" if outwards[0] < -0.4 else "center"
        name = axis.annotate(
            short(classes[number], 16), middle + reach * outwards, fontsize=9, ha=side, va="center", zorder=5,
            bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": COLOURS[place % len(COLOURS)], "alpha": 0.6},
            xytext=BESIDE * outwards, textcoords="offset points",
        )  # fmt: skip
        names.append(name)
    axis.margins(0.15)
    axis.set_aspect("equal", adjustable="datalim")
    axis.set_xlabel("x, in units of the features")
    axis.set_ylabel("y, in units of the features")
    many = f"{len(images):,} of {total:,}" if len(images) < total else f"{total:,}"
    rest = f"\nnamed: the {len(named)} classes with most mistakes" if len(named) < len(classes) else ""
    axis.set_title(f"Map of the features before the last layer, {many} images of the test split{rest}", fontsize=10)
    open_frame(axis)
    fonts.fit(figure)
    _keep_inside(names, axis)
    return figure


def _keep_inside(names: Sequence[Annotation], axis: Axes) -> None:
    """Move names that cross the frame of the axis inside; those at the sides go above or below their images."""
    figure = axis.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    frame = axis.get_window_extent()
    for name in names:
        patch = name.get_bbox_patch()
        assert patch is not None
        box, (x, y) = patch.get_window_extent(), name.xyann
        right = max(frame.x0 - box.x0, 0) + min(frame.x1 - box.x1, 0)
        up = max(frame.y0 - box.y0, 0) + min(frame.y1 - box.y1, 0)
        name.xyann = (x + 72 * right / figure.dpi, np.copysign(BESIDE, y) if right else y + 72 * up / figure.dpi)


def _ending(name: str, at_most: int) -> str:
    """The name of a layer; of a long one, the end, which tells the layers of a network apart."""
    return name if len(name) <= at_most else f"…{name[1 - at_most :]}"


def _mosaic(tiles: NDArray[np.float32], columns: int) -> NDArray[np.float32]:
    """Tiles (N x height x width, or x 3) in rows on one array, with one white pixel between them."""
    count, height, width, *rest = tiles.shape
    rows = -(-count // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1, *rest), 1.0 if rest else np.nan, np.float32)
    for at in range(count):
        top, left = (at // columns) * (height + 1), (at % columns) * (width + 1)
        sheet[top : top + height, left : left + width] = tiles[at]
    return sheet


def _images_mosaic(images: Images) -> NDArray[np.uint8]:
    """Images one above the other, a white line between them."""
    parts = [np.pad(image, ((0, 1), (0, 0), (0, 0)), constant_values=255) for image in images]
    return np.concatenate(parts)[:-1]
