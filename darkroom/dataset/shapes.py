"""The shapes of the pictures as found, and what an entry's `resize` does to them: in figures, in words, as advice."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkroom.base.words import by, counted, percent
from darkroom.config.audit_figures import AspectRange, Change, Shapes
from darkroom.config.catalogue import Resize

SQUARE = 1.05  # longer side by shorter one, of pictures that count as square; also of shapes that count as the same
DISTORTED = 1.2  # a median distortion above it costs accuracy
PANORAMAS = 0.05  # share of pictures losing more than half to a crop above which the entry's owner is warned


def shapes(index: pd.DataFrame, stored: tuple[int, int], how: Resize) -> Shapes:
    """The shapes of all pictures of an index, and what bringing them to `stored` (height, width) by `how` does."""
    height, width = stored
    heights, widths = (index[side].to_numpy(np.int64) for side in ("height", "width"))
    aspect = widths / heights
    scales = np.stack([height / heights, width / widths])
    # The picture's proportions against those of the stored image: 2 where one is twice as long as the other.
    factor = scales.max(axis=0) / scales.min(axis=0)
    worst = int(factor.argmax())
    changes = _changes(factor, how)
    return Shapes(
        landscape=int((aspect > SQUARE).sum()),
        portrait=int((aspect < 1 / SQUARE).sum()),
        square=int(((aspect <= SQUARE) & (aspect >= 1 / SQUARE)).sum()),
        aspect=AspectRange(**dict(zip(AspectRange.model_fields, _quantiles(aspect), strict=True))),
        stored=(width, height),
        as_stored=int(((widths == width) & (heights == height)).sum()),
        enlarged=int(((scales.min(axis=0) if how == "pad" else scales.max(axis=0)) > 1).sum()),
        resize=how,
        change=Change(
            median=round(float(np.median(changes)), 4),
            worst=round(float(changes[worst]), 4),
            worst_path=str(index["path"].iloc[worst]),
            over_half=int((factor > 2).sum()),
        ),
    )


def _changes(factor: NDArray[np.float64], how: Resize) -> NDArray[np.float64]:
    """`Change` of each picture. Crop keeps, and pad fills, one part in `factor`; both to within a pixel."""
    return factor if how == "squash" else 1 - 1 / factor


def _quantiles(aspect: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 4) for value in np.quantile(aspect, [0, 0.05, 0.5, 0.95, 1])]


def told(found: Shapes) -> list[str]:
    """The lines that the stage prints: which shapes there are, what is done to them, and what to write instead."""
    kinds, change = in_words(found)
    warning = advice(found)
    return [
        f"shapes: {kinds}",
        *([f"resize: {change}"] if change else []),
        *([f"warning: {warning}"] if warning else []),
    ]


def in_words(found: Shapes) -> tuple[str, str]:
    """Which shapes there are, and what is done to them; that is empty where all pictures stay as they are."""
    count, size = found.landscape + found.portrait + found.square, by(found.stored)
    if found.as_stored == count:
        return f"all pictures are {size} (width x height), as they are stored", ""
    aspect, change = found.aspect, found.change
    counts = {"landscape": found.landscape, "portrait": found.portrait, "square": found.square}
    numbers = ", ".join(f"{number:,} {kind}" for kind, number in counts.items() if number)
    small = f"; {counted(found.enlarged, 'picture')} too small for {size}, and enlarged" if found.enlarged else ""
    kinds = f"{numbers}; width over height {aspect.min:.2f} to {aspect.max:.2f}, median {aspect.median:.2f}{small}"
    start = f"{found.resize} to {size} (width x height)"
    if found.resize == "squash":
        amounts = f"distorts proportions {change.median:.2f} times in the median, {change.worst:.2f} times at worst"
    elif found.resize == "crop":
        amounts = f"cuts off {percent(change.median)} of a picture in the median, {percent(change.worst)} at worst"
    else:
        amounts = f"leaves {percent(change.median)} of an image black in the median, {percent(change.worst)} at worst"
    least = 1.005 if found.resize == "squash" else 0.005  # what the words would round away
    return kinds, f"{start} {amounts} ({change.worst_path})" if change.worst >= least else f"{start} keeps all of each"


def advice(found: Shapes) -> str | None:
    """What the entry's owner should write instead, and why; None where `resize` suits the shapes."""
    count, change = found.landscape + found.portrait + found.square, found.change
    if found.resize == "squash" and change.median > DISTORTED:
        return (
            f"half of the pictures are distorted {change.median:.2f} times or more: `resize: crop` in the data set's "
            f"entry keeps proportions and takes the middle, `resize: pad` keeps all of each on black{_own_shape(found)}"
        )
    if found.resize == "crop" and change.over_half > PANORAMAS * count:
        return (
            f"crop cuts off more than half of {counted(change.over_half, 'picture')} of {count:,}: where what counts "
            f"may lie outside the middle, `resize: pad` in the data set's entry keeps all of each{_own_shape(found)}"
        )
    if found.resize == "pad" and change.over_half > count / 2:
        return (
            f"pad leaves more than half of the image black for {counted(change.over_half, 'picture')} of {count:,}: "
            f"`resize: crop` in the data set's entry fills it with the middle{_own_shape(found)}"
        )
    return None


def _own_shape(found: Shapes) -> str:
    """A size in the pictures' own proportions, where nearly all have the same."""
    if found.aspect.p95 > SQUARE * found.aspect.p5:
        return ""
    side, aspect = max(found.stored), found.aspect.median
    height, width = (max(1, round(side / aspect)), side) if aspect > 1 else (side, max(1, round(side * aspect)))
    return f"; as nearly all have one shape, `image_size: [{height}, {width}]` fits it"
