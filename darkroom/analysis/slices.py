"""Accuracy on parts of a split that differ in how their images look: a mean over all may hide a weak part."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkroom.analysis.metrics import wilson_interval
from darkroom.dataset.packed import Images, Rows, chunks


def properties(images: Images, rows: Rows, index: pd.DataFrame) -> pd.DataFrame:
    """Brightness, contrast and size of the images at these rows, one row each.

    Brightness is the mean and contrast the standard deviation of all values of the stored image, scaled to [0, 1]
    (Peli 1990, doi:10.1364/JOSAA.7.002032); size is the root of the original width times height, in pixels, and is
    left out where all images were of one size.
    """
    brightness, contrast = np.empty(len(rows)), np.empty(len(rows))
    place = 0
    for _, part in chunks(images, rows):
        flat = part.reshape(len(part), -1)
        number = flat.shape[1]
        # In whole numbers up to the last steps, so that every machine finds the same.
        total = flat.sum(axis=1, dtype=np.int64)
        squares = np.square(flat, dtype=np.uint16).sum(axis=1, dtype=np.int64)
        here = slice(place, place + len(part))
        brightness[here] = total / number / 255
        contrast[here] = np.sqrt(number * squares - total * total) / number / 255
        place += len(part)
    table = pd.DataFrame({"brightness": brightness.round(6), "contrast": contrast.round(6)})
    sizes = index[["width", "height"]].iloc[rows].to_numpy(np.float64)
    if len(np.unique(sizes, axis=0)) > 1:
        table["size"] = np.sqrt(sizes.prod(axis=1)).round(2)
    return table


def quarters(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The quarter, 0 to 3, that each value belongs to; equal values share one, so that some may be empty."""
    edges = np.quantile(values, [0.25, 0.5, 0.75], method="inverted_cdf")
    places: NDArray[np.int64] = np.searchsorted(edges, values, side="left")
    return places


def table(properties: pd.DataFrame, right: NDArray[np.bool_]) -> pd.DataFrame:
    """Accuracy by quarters of each property, with Wilson's 95 % interval; `right` says which images were.

    Columns: property, quarter (1 to 4), low and high (of the values in it), images, accuracy, accuracy_low,
    accuracy_high.
    """
    rows = []
    for name in properties:
        values = properties[name].to_numpy()
        places = quarters(values)
        for quarter in np.unique(places):
            inside = places == quarter
            images, correct = int(inside.sum()), int(right[inside].sum())
            interval = wilson_interval(correct, images)
            span = values[inside].min(), values[inside].max()
            rows.append([name, quarter + 1, *span, images, correct / images, *interval])
    columns = ["property", "quarter", "low", "high", "images", "accuracy", "accuracy_low", "accuracy_high"]
    return pd.DataFrame(rows, columns=columns).round(4)
