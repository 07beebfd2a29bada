"""The pictures of how good the model is on the test split, a file for each."""

from pathlib import Path

from darkroom.analysis.evaluation_tables import Tables
from darkroom.drawing import charts, style


def draw(folder: Path, tables: Tables, classes: list[str]) -> None:
    """Write all pictures to `folder`."""
    figures = {
        "confusion": charts.confusion(tables.matrix, classes, normalised=False, split="test"),
        "confusion_normalised": charts.confusion(tables.matrix, classes, normalised=True, split="test"),
        "per_class": charts.per_class(tables.per_class, "test"),
        "coverage": charts.coverage(tables.coverage, "test"),
        "reliability": charts.reliability(tables.calibration, "test"),
        "slices": charts.slices(tables.slices, "test"),
    }
    for name, figure in figures.items():
        style.save(figure, folder / f"{name}.png")
