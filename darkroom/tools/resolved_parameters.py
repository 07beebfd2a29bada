"""The parameters of a run as used: each `auto` is replaced, so that `auto` and the value that it means are equal."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.config import catalogue, params
from darkroom.tools.experiments import dotted
from darkroom.tools.run_records import Files

# Keys of an entry that change nothing by themselves: the recipe stands in what it replaces, a source in its images.
OF_ENTRY = ("recipe", "title", "license", *catalogue.SOURCES)


def resolved(written: Mapping[str, Any], files: Files) -> dict[str, Any] | None:
    """The parameters of a revision with these files by dotted keys, those of the entry behind `datasets.yaml:NAME.`.

    `written` are the parameters as they stand there. None where this version of Darkroom cannot read them, as those of
    an earlier one.
    """
    content, entries = files.get(paths.PARAMS.as_posix()), files.get(paths.DATASETS.as_posix())
    if content is None or entries is None:
        return None
    with TemporaryDirectory(prefix="darkroom-compare-") as folder:
        place, catalogue_place = Path(folder, paths.PARAMS), Path(folder, paths.DATASETS)
        place.write_bytes(content)
        catalogue_place.write_bytes(entries)
        try:
            settings, _ = params.load(place, catalogue_place, images=_training_images(files))
        except UserError:
            return None
    before = f"{paths.DATASETS}:{settings.dataset}."
    unused = tuple(f"{before}{key}" for key in OF_ENTRY)
    of_entry = {key: value for key, value in written.items() if key.startswith(before) and not key.startswith(unused)}
    return dotted(settings.model_dump(mode="json", exclude_unset=True)) | of_entry


def _training_images(files: Files) -> int | None:
    """How many images the revision trains on; None where it does not say so."""
    table = files.get(paths.SPLIT_TABLE.as_posix())
    if table is None:
        return None
    try:
        rows = csv.DictReader(io.StringIO(table.decode()))
        return sum(int(row["train"]) for row in rows) or None
    except (KeyError, TypeError, ValueError):  # not the table of this version
        return None
