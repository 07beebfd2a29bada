"""The table of predictions that a competition wants: an id, taken from each file's name, and a label."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkroom.base.errors import UserError
from darkroom.base.paths import DATASETS
from darkroom.config.catalogue import Entry
from darkroom.config.submissions import Submission
from darkroom.dataset.packed import Labels

PLAIN = Submission(id="path", label="label", id_from="path")  # where the entry says nothing


class Predictions(NamedTuple):
    """What the model says of each picture without label."""

    best: Labels = np.zeros(0, np.int64)  # the number of the most probable class
    confidence: NDArray[np.float32] = np.zeros(0, np.float32)  # its calibrated probability
    probabilities: NDArray[np.float32] = np.zeros((0, 0), np.float32)  # of the classes that a sample wants


def ids(paths: Sequence[str], form: Submission | None) -> list[int] | list[str]:
    """The id of each file. Raises UserError for a name without a needed number, and for two files with the same id."""
    found: list[int] | list[str]
    if form is None or form.id_from == "path":
        found = list(paths)
    elif form.id_from == "name":
        found = [PurePosixPath(path).stem for path in paths]
    else:
        found = [_number(path) for path in paths]
    seen: dict[object, str] = {}
    for path, one in zip(paths, found, strict=True):
        if one in seen:
            raise UserError(
                f"{path} and {seen[one]} both have the id {one!r}: set submission.id_from of the data set in "
                f"{DATASETS} to path, or rename one"
            )
        seen[one] = path
    return found


def _number(path: str) -> int:
    numbers = re.findall(r"[0-9]+", PurePosixPath(path).stem)
    if not numbers:
        raise UserError(
            f"{path} has no number in its name, but submission.id_from of the data set in {DATASETS} is number: "
            "set it to name or path"
        )
    return int(numbers[-1])


def labels(classes: Sequence[str], entry: Entry) -> list[str]:
    """The names of the classes in the table: with `submission` the makers' folder names, else the classes' own."""
    if entry.submission is None:
        return list(classes)
    folders = {name: folder for folder, name in entry.classes.items()}
    return [folders.get(name, name) for name in classes]


def table(ids: list[int] | list[str], labels: NDArray[np.object_], form: Submission | None) -> pd.DataFrame:
    """Two columns, id and label, sorted by id: numbers as numbers, other ids as text."""
    form = form or PLAIN
    return pd.DataFrame({form.id: ids, form.label: labels}).sort_values(form.id, ignore_index=True)
