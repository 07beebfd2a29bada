"""A share of the training images, for a quick look."""

import pandas as pd

from darkroom.dataset.links import Links
from darkroom.dataset.packed import Rows, labels_of
from darkroom.dataset.stratified import by_need


def take(index: pd.DataFrame, rows: Rows, fraction: float, seed: int) -> Rows:
    """The share `fraction` (above 0, to 1) of `rows`, ascending, near it in every class; all of them if it is 1.

    Images of one group or with equal pixels are taken together, and at least one of each class. `index` has the columns
    row, label, sha256 and group.
    """
    if fraction == 1:
        return rows
    units = Links.of(index.iloc[rows]).units()
    sides = by_need(units, labels_of(index, rows), [fraction, 1 - fraction], seed, required=1)
    taken: Rows = rows[sides == 0]
    return taken
