"""Accuracy on slices of a split, by how the images look: the overall accuracy may hide a weak slice."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkroom.analysis.metrics import wilson_interval
from darkroom.dataset.packed import Images, Rows, chunks


def properties(images: Images, rows: Rows, index: pd.DataFrame) -> pd.DataFrame:
    """Brightness, contrast and size of the images at `rows`, one row each.

    Brightness is the mean of all values of the stored image, contrast their standard deviation, both scaled to [0, 1]
    (Peli 1990, doi:10.1364/JOSAA.7.002032). Size is the square root of the original width times height, in pixels;
    the column is left out where all images had the same size.
    """
    brightness, contrast = np.empty(len(rows)), np.empty(len(rows))
    place = 0
    for _, part in chunks(images, rows):
        flat = part.reshape(len(part), -1)
        number = flat.shape[1]
        # Sums of whole numbers are exact, so that every machine gets the same result.
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
    """The quarter, 0 to 3, that each value belongs to; equal values share a quarter, so that some may be empty."""
    edges = np.quantile(values, [0.25, 0.5, 0.75], method="inverted_cdf")
    places: NDArray[np.int64] = np.searchsorted(edges, values, side="left")
    return places


def table(properties: pd.DataFrame, right: NDArray[np.bool_]) -> pd.DataFrame:
    """Accuracy by quarters of each property, with Wilson's 95 % interval.

    `right` flags the images that are classified right. Columns: property, quarter (1 to 4), low and high (of the
    values in the quarter), images, accuracy, accuracy_low, accuracy_high.
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
