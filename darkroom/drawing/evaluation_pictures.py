"""The pictures of the evaluation on the test split, one file each."""

from pathlib import Path

from darkroom.analysis.evaluation_tables import Tables
from darkroom.drawing import charts, style


def write(folder: Path, tables: Tables, classes: list[str]) -> None:
    """Write one PNG file to `folder` for each table."""
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
