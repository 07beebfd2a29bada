"""The tables of the evaluation on the test split, one file each."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkroom.analysis import metrics, slices
from darkroom.analysis.evaluation import Measured
from darkroom.base import paths
from darkroom.base.files import write_csv, write_json, write_text
from darkroom.config.stage_tables import PER_CLASS
from darkroom.dataset.packed import Images


@dataclass(frozen=True)
class Tables:
    """All tables of the test split."""

    report: dict[str, Any]  # scikit-learn's classification report
    report_text: str
    per_class: pd.DataFrame
    coverage: pd.DataFrame
    calibration: pd.DataFrame
    slices: pd.DataFrame
    pairs: pd.DataFrame  # actual and predicted class of each image, by name
    matrix: NDArray[np.int64]  # confusion matrix: images by true class (rows) and predicted class (columns)

    def write(self) -> None:
        """Write each table to its file in metrics/; `matrix` is only drawn."""
        write_json(paths.REPORT_JSON, {"split": "test", **self.report})
        write_text(paths.REPORT_TEXT, f"test split, {len(self.pairs):,} images\n\n{self.report_text}")
        PER_CLASS.write(self.per_class)
        write_csv(paths.COVERAGE, self.coverage)
        write_csv(paths.CALIBRATION, self.calibration)
        write_csv(paths.SLICES, self.slices)
        write_csv(paths.CONFUSION, self.pairs)


def make(test: Measured, images: Images, index: pd.DataFrame, classes: list[str]) -> Tables:
    """Make the tables of the test split; `images` and `index` are those of the whole data set."""
    report, text = metrics.report(test.labels, test.probabilities, classes)
    names = np.array(classes, dtype=object)
    pairs = pd.DataFrame({"actual": test.labels, "predicted": test.predicted})
    return Tables(
        report=report,
        report_text=text,
        per_class=metrics.per_class(test.labels, test.probabilities, test.ranking, classes),
        coverage=metrics.coverage(test.labels, test.probabilities),
        calibration=test.calibration(),
        slices=slices.table(slices.properties(images, test.rows, index), test.right),
        pairs=pairs.sort_values(["actual", "predicted"]).apply(lambda column: names[column]),
        matrix=metrics.confusion(test.labels, test.probabilities),
    )
