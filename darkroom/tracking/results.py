"""The results of the stages after `train` that go into MLflow's record of a run: files, figures and pictures."""

import time
from pathlib import Path
from typing import Any

from PIL import Image

from darkroom.base import paths
from darkroom.base.files import fingerprint
from darkroom.base.stage_cost import of_this_run
from darkroom.config.stage_files import ErrorFigures, Evaluation, InsideFigures
from darkroom.tracking import data_inputs, registry

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

SPLIT_OF = {"test_": "test", "best_val_": "val"}  # by what the name of a figure begins with
# MLflow shows these beside the curves; as files alone they would have to be looked for.
PICTURES = {
    "augmented batch": paths.TRAIN_PICTURES / "augmented.png",
    "worst mistakes": paths.ERRORS_PICTURES / "worst.png",
}
PICTURES_TAG = "pictures_sha256"


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


def log_figures(client: Any, run_id: str, figures: dict[str, float]) -> None:
    """Record figures with the run and with the model that it logged, each about its split; none that both know."""
    from mlflow.entities import Metric

    run = client.get_run(run_id)
    model_id, splits, known = registry.model_of(client, run), data_inputs.by_split(run), run.data.metrics
    if model_id is not None:
        known = {metric.key: metric.value for metric in client.get_logged_model(model_id).metrics or []}
    metrics, now = [], _after_all(run)
    for name, value in figures.items():
        if known.get(name) != value:
            split = next((splits.get(split) for start, split in SPLIT_OF.items() if name.startswith(start)), None)
            about = (split.name, split.digest) if split is not None else (None, None)
            metrics.append(Metric(name, float(value), now, 0, model_id, *about))
    client.log_batch(run_id, metrics)


def log_costs(client: Any, run: Any) -> None:
    """Record what each stage of this run of DVC has cost, among MLflow's system metrics."""
    from mlflow.entities import Metric

    now = _after_all(run)
    costs = {f"system/{stage}_{kind}": it for stage, cost in of_this_run().items() for kind, it in cost.items()}
    client.log_batch(run.info.run_id, [Metric(name, value, now, 0) for name, value in costs.items()])


def _after_all(run: Any) -> int:
    """A time in milliseconds after all figures of the run: of two under one name MLflow shows the later one.

    The clock alone would not do, for it may have gone back.
    """
    recorded: list[int] = [metric.timestamp for metric in run.data.to_proto().metrics]
    return max([int(time.time() * 1000), *(moment + 1 for moment in recorded)])


def log_pictures(client: Any, run: Any) -> None:
    """Record the pictures as MLflow's images, unless the run has the same."""
    found = {name: path for name, path in PICTURES.items() if path.is_file()}
    digest = fingerprint(sorted(found), found.values())
    if not found or run.data.tags.get(PICTURES_TAG) == digest:
        return
    for name, path in found.items():
        with Image.open(path) as picture:
            client.log_image(run.info.run_id, picture.convert("RGB"), key=name, step=0)
    client.set_tag(run.info.run_id, PICTURES_TAG, digest)
