"""The results of the stages after `train` that go into MLflow's record of a run: files and figures."""

from pathlib import Path

from darkroom.base import paths
from darkroom.config.stage_files import ErrorFigures, Evaluation, InsideFigures

FILES: list[Path] = [
    paths.EVALUATE,
    paths.REPORT_TEXT,
    paths.REPORT_JSON,
    paths.PER_CLASS,
    paths.COVERAGE,
    paths.CALIBRATION,
    paths.SLICES,
    paths.EVALUATE_PICTURES,
    paths.CURVES,
    paths.TRAIN_PICTURES,
    paths.ERRORS,
    paths.ERRORS_TABLE,
    paths.SUSPECTS,
    paths.NEAR_DUPLICATES,
    paths.ERRORS_PICTURES,
    paths.INSIDE,
    paths.INSIDE_PICTURES,
    paths.SUBMISSION,
    paths.PREDICT_PICTURES,
    paths.REPORT,
    paths.CARD,
]


def figures(evaluated: Evaluation, errors: ErrorFigures, seen: InsideFigures) -> dict[str, float]:
    """The figures by which runs are compared, by their names in MLflow."""
    merits = {
        f"{prefix}_{name}": value
        for split, prefix in (("val", "best_val"), ("test", "test"))  # `val_accuracy` is the one by epoch
        for name, value in getattr(evaluated, split).model_dump().items()
        if value is not None
    }
    # A kind of channels that the network does not have gives no figure: 0 would say that none of them is dead.
    resting = {
        f"val_{kind}_channels": float(sum(layer.dead for layer in layers.values()))
        for kind, layers in (("dead", seen.dead_channels), ("idle", seen.idle_channels))
        if layers
    }
    return (
        merits
        | resting
        | {
            "test_mistakes": errors.mistakes,
            "suspects": errors.suspects.images,
            "near_duplicates": errors.near_duplicates.pairs,
            "test_neighbour_accuracy": seen.accuracy.nearest_neighbours,
        }
    )
