"""The table that a competition wants: in the form of its sample, or by id and label."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from darkroom.base import paths
from darkroom.base.files import write_csv
from darkroom.classifier import filled_sample, submission
from darkroom.classifier.submission import Predictions
from darkroom.config.catalogue import Entry
from darkroom.dataset.packed import Rows
from darkroom.intake.sample_submission import SampleSubmission, understand


@dataclass(frozen=True)
class WantedTable:
    """What is wanted of the images without labels: of those at `rows`, in this order.

    `sample` is the makers' sample submission; without one, each image has a line with one of `ids` and of `labels`,
    which are the classes' names there.
    """

    rows: Rows
    entry: Entry
    sample: SampleSubmission | None
    ids: list[int] | list[str]
    labels: list[str]

    @classmethod
    def of(cls, entry: Entry, classes: list[str], index: pd.DataFrame) -> "WantedTable":
        """The table by the data set's entry and index; it comes before the long work, for it may fail.

        Raises UserError for a sample that does not fit, and for names without a valid id.
        """
        unlabelled = index[index["subset"] == "unlabeled"]
        rows, names = unlabelled["row"].to_numpy(np.int64), unlabelled["path"].astype(str).tolist()
        labels = submission.labels(classes, entry)
        if entry.sample:
            sample = understand(paths.SAMPLE.read_bytes(), entry, classes, names)
            return cls(rows[sample.pictures], entry, sample, [], labels)
        return cls(rows, entry, None, submission.ids(names, entry.two_columns), labels)

    @property
    def classes(self) -> tuple[int, ...]:
        """The classes whose probabilities are wanted."""
        return self.sample.answers.classes if self.sample else ()

    def write(self, path: Path, found: Predictions) -> None:
        """Write the table of predictions for `rows`. Raises UserError as `filled_sample.write` does."""
        if self.sample is None:
            named = np.array(self.labels, dtype=object)[found.best]
            write_csv(path, submission.table(self.ids, named, self.entry.two_columns))
        else:
            filled_sample.write(path, self.sample, found)
