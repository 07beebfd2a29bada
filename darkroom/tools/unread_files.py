"""Files beside the pictures that may hold their labels, or the makers' split, and that no entry can name."""

import posixpath
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from darkroom.base.errors import UserError
from darkroom.base.words import counted, listed
from darkroom.tools.entry_draft import Evidence
from darkroom.tools.subset_folders import WORDS, words
from darkroom.tools.survey_archive import Survey

OF_ONE_PICTURE = (".cls",)  # WebDataset's: the number of the class of the picture of the same name
SPREADSHEETS = (".xlsx", ".xls", ".ods")
PACKED = (".csv.gz", ".tsv.gz", ".txt.gz", ".csv.bz2", ".csv.xz")
LISTED = 10_000  # other files that are looked at


def kinds(seen: Survey) -> str:
    """What an archive without pictures holds, for people."""
    endings = Counter(Path(path).suffix.lower() or "no ending" for path in seen.others.paths())
    known = listed(f"{count:,} of {ending}" for ending, count in endings.most_common())
    return f"its files are {known}" if known else "it is empty"


def refuse_labels_of_single_pictures(seen: Survey) -> None:
    """Raise UserError where each picture has a file of its own that says its class, as in WebDataset."""
    found = [path for path in seen.others.paths() if path.lower().endswith(OF_ONE_PICTURE)]
    if 2 * len(found) > len(seen.pictures):
        raise UserError(
            f"{seen.source} says the class of each picture in a file beside it, as {found[0]} does, and Darkroom reads "
            f"labels from folders, tables and names: write {counted(len(found), 'row')} of image and label into a CSV"
        )


def may_hold_labels(seen: Survey) -> list[str]:
    """Of each table in a form that is not read a sentence that says so."""
    if len(seen.others) > LISTED:
        return []
    paths = [path for path in seen.others.paths() if path.lower().endswith((*SPREADSHEETS, *PACKED))]
    return [f"{path} may hold labels, and is not read: save it as CSV" for path in paths]


def unused_divisions(tables: Iterable[str]) -> list[Evidence]:
    """What to say of tables that name no pictures, and whose names say two subsets, as train_test_split.txt does."""
    why = "its name says subsets, and it names no pictures: Darkroom divides them anew"
    said = {path: {WORDS[word] for word in words(posixpath.basename(path)) if word in WORDS} for path in tables}
    return [Evidence("split", path, why) for path, own in said.items() if len(own) > 1]
