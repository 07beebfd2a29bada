"""The tables that travel between stages: where each lies, and its columns (JSON files: stage_files)."""

from darkroom.base import paths
from darkroom.base.tables import Table

REJECTED = Table(paths.REJECTED, ("path", "reason"), texts=("path", "reason"))
DUPLICATES = Table(paths.DUPLICATES, ("group", "kind", "row", "path", "subset", "label"), texts=("path", "label"))
SPLIT = Table(paths.SPLIT, ("row", "split"))
SPLIT_TABLE = Table(paths.SPLIT_TABLE, ("class", "train", "val", "test", "left_out"), texts=("class",))
BASELINE_PREDICTIONS = Table(paths.BASELINE_PREDICTIONS, ("row",), more=True)  # a column for each method
HISTORY = Table(paths.HISTORY, ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr"))
PREDICTIONS = Table(
    paths.PREDICTIONS, ("row", "split", "label", "predicted", "confidence", "loss", "probabilities")
)  # probabilities: one list an image
PER_CLASS = Table(
    paths.PER_CLASS,
    ("class", "precision", "recall", "f1", "images", "roc_auc", "average_precision"),
    texts=("class",),
)
MISTAKES = Table(
    paths.ERRORS_TABLE,
    (
        "path", "row", "true", "predicted", "confidence", "loss",
        "neighbours", "neighbour_distances", "neighbour_rows", "neighbours_agree",
    ),
    texts=("path", "true", "predicted", "neighbours", "neighbour_distances"),
    lists=("neighbour_rows",),
)  # fmt: skip
SUSPECTS = Table(paths.SUSPECTS, ("dataset", "path", "action", "suggested", "label", "row", "split", "quality", "why"))
