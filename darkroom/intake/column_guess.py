"""Which columns of a table name the pictures and their labels, where only one reading fits."""

from collections.abc import Sequence

from darkroom.intake.labelling import Columns
from darkroom.intake.tables import Table


def guess_columns(table: Table, names: Sequence[str], given: Columns | None = None, *, label: bool = True) -> Columns:
    """The columns as given, with those of the image and, where `label` says that it is wanted, the label found.

    `names` are paths of up to 100,000 pictures in the archive. Without `label` this finds the names in a list
    (`@file`). Raises UserError with the columns and the line to write if no reading fits, or more than one.
    """
    raise NotImplementedError
