"""Corrections by hand: wrong labels are replaced, and pictures that do not belong to the data are dropped.

They are lines of a table in git, and the archive stays unchanged. So the history says who corrected what, and a
correction can be taken back.
"""

import csv
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.base.errors import UserError
from darkroom.base.paths import DATASETS
from darkroom.base.words import counted, did_you_mean, listed
from darkroom.config.patterns import composed
from darkroom.config.yaml_files import read_yaml

COLUMNS = ("dataset", "path", "action", "label")
ACTIONS = ("relabel", "drop")
SHOWN = 20  # known names, where none is near a wrong one
REMEDY = "save it as UTF-8, with commas between the fields"


@dataclass(frozen=True)
class Correction:
    """One line of the table: the picture at `path` inside the archive gets `label`, or is dropped (label None)."""

    place: str  # file and line, for messages
    path: str
    label: str | None


def read(file: Path, dataset: str) -> list[Correction]:
    """The corrections of one data set, in the order of the file; none where there is no file.

    Fields after the fourth are ignored, so that lines of the table of suspects can be copied unchanged. Raises
    UserError, with the line's number, for an unknown action, a missing label or path, and two lines about one picture.
    """
    if not file.exists():
        return []
    found: dict[str, Correction] = {}  # by the composed form of the path
    others: dict[str, list[int]] = {}  # numbers of the lines of each other data set
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            head = tuple(next(reader, ()))
            if head[: len(COLUMNS)] != COLUMNS:
                raise UserError(
                    f"{file}, line 1 is {','.join(head)!r}, but must begin with {','.join(COLUMNS)}: {REMEDY}"
                )
            for fields in reader:
                if not fields or fields[0].strip() != dataset:
                    others.setdefault(fields[0].strip() if fields else "", []).append(reader.line_num)
                    continue
                correction = _correction(fields, f"{file}, line {reader.line_num}")
                if earlier := found.get(composed(correction.path)):
                    raise UserError(
                        f"{correction.place} is about {correction.path}, as {earlier.place} is: keep one of the two"
                    )
                found[composed(correction.path)] = correction
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file} is not a table in UTF-8 ({error}): {REMEDY}") from None
    _warn_of_near_misses(file, others)
    return list(found.values())


def _warn_of_near_misses(file: Path, others: dict[str, list[int]]) -> None:
    """Print a warning for each name in the column `dataset` that is nearly one of the catalogue, but none of it."""
    if not any(others):
        return
    known = list(map(str, read_yaml(DATASETS)))
    folded = {name.casefold(): name for name in known}
    for name, numbers in others.items():
        near = difflib.get_close_matches(name.casefold(), folded, n=1)
        if name not in known and near:
            lines = f"{'line' if len(numbers) == 1 else 'lines'} {listed(map(str, numbers))}"
            print(
                f"warning: {file}, {lines}: there is no data set {name!r}, did you mean {folded[near[0]]}? "
                "What stands there is passed over"
            )


def _correction(fields: list[str], place: str) -> Correction:
    _, path, action, label = (*fields, "", "", "")[: len(COLUMNS)]
    action, label = action.strip(), label.strip()
    if action not in ACTIONS:
        raise UserError(f"{place}: the action is {action!r}, but must be {' or '.join(ACTIONS)}")
    if not path:
        raise UserError(f"{place}: there is no path: give that of a picture, as data/images/index.parquet has it")
    if action == "relabel" and not label:
        raise UserError(f"{place}: relabel needs a label: name the right class, or drop the picture")
    return Correction(place, path, label if action == "relabel" else None)


def apply(
    index: pa.Table, dropped: Iterable[str], corrections: Sequence[Correction], names: dict[str, str]
) -> tuple[pa.Table, pa.Table]:
    """Replace the wrong labels in `index` (columns path, label, subset; labels as text).

    `dropped` are the paths of pictures that have already been left out, `names` the names of the classes by label.
    Returns the index, and a table of the corrections in their order: path, action, was, now (names of classes). Raises
    UserError for a path or a label that the data set does not have.
    """
    labels = {name.strip(): label for label, name in names.items()} | {name: label for label, name in names.items()}
    # 1. Check that each correction is about a picture and a class of the data set.
    gone = set(map(composed, dropped))
    relabels = [correction for correction in corrections if correction.label is not None]
    for correction in relabels:
        if correction.label not in labels:
            hint = did_you_mean(str(correction.label), labels, SHOWN)
            raise UserError(f"{correction.place}: there is no class {correction.label!r}: {hint}")
    for correction in corrections:
        if correction.label is None and composed(correction.path) not in gone:
            raise _unknown(correction, index)
    rows = rows_of(index["path"], [correction.path for correction in relabels])
    was: list[str] = []
    for correction, row in zip(relabels, rows, strict=True):
        if row is None:
            raise _unknown(correction, index)
        if index["label"][row].as_py() is None:
            raise UserError(
                f"{correction.place}: {correction.path} is one of the unlabelled pictures, which cannot be relabelled: "
                "move it into the folder of its class"
            )
        was.append(index["label"][row].as_py())
    # 2. Make the new column of labels.
    place = np.full(len(index), -1)
    place[np.array(rows, np.int64)] = np.arange(len(rows))
    now = pa.array([labels[str(correction.label)] for correction in relabels], pa.string())
    corrected = pc.coalesce(now.take(pa.array(place, mask=place < 0)), index["label"])
    index = index.set_column(index.schema.get_field_index("label"), "label", corrected)
    # 3. List what was done.
    before = dict(zip([correction.path for correction in relabels], was, strict=True))
    done = pa.table(
        {
            "path": [correction.path for correction in corrections],
            "action": ["drop" if correction.label is None else "relabel" for correction in corrections],
            "was": [names[before[one.path]] if one.path in before else "" for one in corrections],
            "now": [correction.label or "" for correction in corrections],
        }
    )
    return index, done


def rows_of(known: pa.ChunkedArray, wanted: list[str]) -> list[int | None]:
    """The place of each wanted path among the known ones, None where it is not there; as spelled, else composed."""
    if not wanted:
        return []
    rows: list[int | None] = pc.index_in(pa.array(wanted), value_set=known.combine_chunks()).to_pylist()
    if None in rows:
        by_form = {composed(path): row for row, path in enumerate(known.to_pylist()) if not path.isascii()}
        rows = [
            by_form.get(composed(path), row) if row is None else row for path, row in zip(wanted, rows, strict=True)
        ]
    return rows


def in_words(done: pa.Table) -> str:
    """How many corrections were applied."""
    count, dropped = len(done), done["action"].to_pylist().count("drop")
    return f"{counted(count, 'correction')} applied ({count - dropped:,} relabelled, {dropped:,} dropped)"


def _unknown(correction: Correction, index: pa.Table) -> UserError:
    # Files of the same name are compared first, for the search for close matches is slow.
    paths, name = index["path"].to_pylist(), correction.path.rpartition("/")[2]
    same_name = [path for path in paths if path.rpartition("/")[2] == name]
    hint = did_you_mean(correction.path, same_name or paths, SHOWN)
    return UserError(f"{correction.place}: the data set has no usable picture {correction.path!r}: {hint}")
