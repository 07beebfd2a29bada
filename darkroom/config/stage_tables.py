"""The tables that stages write and later stages read: path and columns of each (JSON files: stage_files).

`darkroom.intake.extraction` writes the index, rejected.csv and passed_over.csv itself, with these columns.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.base.files import write_csv, write_parquet

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Table:
    """A table, CSV or Parquet by its file's ending, and the names of its columns in their order.

    Only for CSV: columns in `texts` are read as text, even if their values look like numbers or missing values;
    columns in `lists` hold whole numbers separated by spaces, and are read as lists of int.
    """

    path: Path
    columns: tuple[str, ...]
    texts: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    more: bool = field(default=False, kw_only=True)  # further columns may follow, for instance one for each method

    def write(self, rows: "pd.DataFrame") -> None:
        """Write the table. Raises ValueError if it has other columns."""
        names = tuple(map(str, rows.columns))
        if names[: len(self.columns)] != self.columns or (len(names) > len(self.columns) and not self.more):
            raise ValueError(f"{self.path} has the columns {self.columns}, not {names}")
        (write_parquet if self.path.suffix == ".parquet" else write_csv)(self.path, rows)

    def read(self, *columns: str) -> "pd.DataFrame":
        """Read the table, or these columns alone. Raises UserError if the file lacks one, or holds other types."""
        import pandas as pd

        wanted = list(columns or self.columns)
        try:
            if self.path.suffix == ".parquet":
                return pd.read_parquet(self.path, columns=None if self.more and not columns else wanted)
            texts = dict.fromkeys((*self.texts, *self.lists), str)
            blank = {name: [""] for name in self.columns if name not in texts}
            rows = pd.read_csv(self.path, dtype=texts, keep_default_na=False, na_values=blank)
            known = rows[wanted]  # a KeyError where one is missing
            rows = rows if self.more and not columns else known
            for name in set(self.lists) & set(rows.columns):
                rows[name] = [[int(number) for number in text.split()] for text in rows[name]]
        except (KeyError, ValueError) as error:  # a column is missing, or a value has another type
            raise UserError(
                f"{self.path} is not the table that this version writes ({str(error).splitlines()[0]}): `dvc repro`"
            ) from None
        return rows


INDEX = Table(
    paths.INDEX,
    ("row", "path", "label", "subset", "group", "sha256", "file_sha256", "width", "height", "channels"),
)
REJECTED = Table(paths.REJECTED, ("path", "reason"), texts=("path", "reason"))
HIDDEN = "a hidden file"  # passed over, and told nowhere else
PASSED_OVER = Table(paths.PASSED_OVER, ("folder", "reason", "files", "example"), texts=("folder", "reason", "example"))
DUPLICATES = Table(paths.DUPLICATES, ("group", "kind", "row", "path", "subset", "label"), texts=("path", "label"))
SPLIT = Table(paths.SPLIT, ("row", "split"))
SPLIT_TABLE = Table(
    paths.SPLIT_TABLE,
    ("class", "train", "val", "test", "left_out", "train_share", "val_share", "test_share"),
    texts=("class",),
)
BASELINE_PREDICTIONS = Table(paths.BASELINE_PREDICTIONS, ("row",), more=True)  # a column for each method
HISTORY = Table(  # the monitored figure follows, if it is neither loss nor accuracy
    paths.HISTORY, ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr"), more=True
)
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
SUSPECTS = Table(
    paths.SUSPECTS,
    ("dataset", "path", "action", "suggested", "label", "row", "split", "quality", "why"),
    texts=("dataset", "path", "suggested", "label", "why"),
)
NEAR_DUPLICATES = Table(
    paths.NEAR_DUPLICATES,
    ("split", "path", "row", "label", "train_path", "train_row", "train_label", "same_label", "distance"),
    texts=("path", "label", "train_path", "train_label"),
)
