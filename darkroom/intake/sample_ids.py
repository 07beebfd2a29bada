"""Which picture each row of a sample submission asks for: by its path, its name, its number, or its place in a file."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.base.words import counted
from darkroom.config.patterns import composed
from darkroom.intake.picture_names import LAST_NUMBER, Names, folder_of
from darkroom.intake.sample_text import SampleText, value
from darkroom.intake.table_columns import named

COLUMNS = 4  # the first ones, among which the id is looked for
IN_FILE = re.compile(r"(.*)#(?:.*/)?([0-9]+)\Z", re.DOTALL)  # `test.csv#17`, `x.npz#test/17`: a picture inside a file
ENDING = re.compile(r"\.(?:jpe?g|png|tiff?|bmp|webp|gif|dcm)\Z", re.IGNORECASE)
MISSING, SEVERAL = -1, -2

# From the ids and the pictures' paths to the number of the picture that each id names, MISSING or SEVERAL.
Way = Callable[[Sequence[str], Sequence[str], str], NDArray[np.int64]]


@dataclass(frozen=True)
class Ids:
    """How the ids of a sample name pictures."""

    has_header: bool
    columns: tuple[int, ...]  # the id's, then others that name the same pictures
    places: NDArray[np.int64]  # of each row: the number of its picture
    way: str  # for people: `file names`
    left: NDArray[np.int64]  # pictures without a row, ascending


def find(text: SampleText, pictures: Sequence[str]) -> Ids:
    """The ids of a sample; `pictures` are the paths of the unlabelled ones.

    Raises UserError if an id stands twice, names no picture, or may name several.
    """
    # 1. A sample has no more rows than pictures; of one that has, the first rows show which ids are wrong.
    first = next(text.rows())
    width, read = len(first.cells), sum(1 for _ in islice(text.rows(), len(pictures) + 2))
    count = read if read < len(pictures) + 2 else text.count()
    # 2. The most exact way in which all ids of a column name a picture; the first row may be a header.
    best: tuple[int, str, int, NDArray[np.int64]] | None = None
    for way, name in WAYS.items():
        for column in range(min(width, COLUMNS)):
            found = name(text.column(column, read), pictures, text.path)
            known = len(np.unique(found[1:][found[1:] >= 0]))
            if known == count - 1 and (known or found[0] >= 0):
                return _ids(text, pictures, found, column, way)
            if best is None or known > best[0]:
                best = known, way, column, found
    assert best is not None
    raise UserError(_fault(text, pictures, count, best))


def _ids(text: SampleText, pictures: Sequence[str], found: NDArray[np.int64], column: int, way: str) -> Ids:
    has_header = bool(found[0] < 0)
    places = found[int(has_header) :]
    if len(np.unique(places)) < len(places):
        raise UserError(f"{text.path}: lines of one id, {named(text.column(column, 1)[0])}: leave one out")
    left = np.setdiff1d(np.arange(len(pictures)), places)
    others = [
        other
        for other in range(min(len(next(text.rows()).cells), COLUMNS))
        if other != column and _names_the_same(text, pictures, other, places, has_header)
    ]
    return Ids(has_header, (column, *others), places, way, left)


def _names_the_same(
    text: SampleText, pictures: Sequence[str], column: int, places: NDArray[np.int64], has_header: bool
) -> bool:
    """Whether a further column names the picture of each row too, in its path or by its name."""
    for place, line in zip(places, islice(text.rows(), int(has_header), None), strict=True):
        name, path = value(line.cells[column]), composed(pictures[place])
        if not name or name not in (path, path.rpartition("/")[2], PurePosixPath(path).stem):
            return False
    return True


def _fault(text: SampleText, pictures: Sequence[str], count: int, best: tuple[int, str, int, NDArray[np.int64]]) -> str:
    """What is wrong with the ids of the column whose ids name the most pictures."""
    known, _, column, found = best
    values = text.column(column, len(found))
    numbers = [line.number for line in islice(text.rows(), len(found))]
    example = pictures[0]
    if count == 1:
        return f"{text.path} has a header alone, and no row for any picture: give another sample"
    if not known and not (found[1:] == SEVERAL).any():
        return (
            f"no row of {text.path} names a picture without label: its ids are such as {named(values[1])}, the "
            f"pictures such as {example}: correct `unlabeled`, or give another sample"
        )
    repeated = Counter(values[1:])
    for place, one in enumerate(values[1:], 1):
        if repeated[one] > 1:
            again = next(at for at in range(place + 1, len(values)) if values[at] == one)
            return (
                f"{text.path} has the id {named(one)} in line {numbers[place]:,} and in line {numbers[again]:,}, and "
                "a picture has one row: mend it, or give another sample"
            )
    if (several := np.flatnonzero(found[1:] == SEVERAL)).size:
        place = int(several[0]) + 1
        return (
            f"the id {named(values[place])} in line {numbers[place]:,} of {text.path} names several pictures without "
            "label: narrow `unlabeled` to the ones that are meant"
        )
    without = np.flatnonzero(found[1:] == MISSING) + 1
    lacking = len(without) + count - len(found)
    if not len(without):  # two ids of one picture, as 1 and 01
        return f"{text.path} names a picture in two of its rows, by {named(values[1])} and others: mend it"
    shown = ", ".join(f"{named(values[at])} in line {numbers[at]:,}" for at in without[:3])
    return (
        f"{counted(lacking, 'row')} of {text.path}, of {count - 1:,}, {'names' if lacking == 1 else 'name'} no picture "
        f"without label ({shown}), and those are such as {example}: correct `unlabeled`, or see {paths.REJECTED} for "
        "pictures that cannot be read"
    )


def _by_name(ids: Sequence[str], pictures: Sequence[str], path: str) -> NDArray[np.int64]:
    """As tables of labels name pictures: by the path, by its end, and by either without its ending."""
    rows = {one: row for row, one in reversed(list(enumerate(map(_as_path, ids)))) if one}
    names = Names(rows, folder_of(path), numbered=False)
    found = np.full(len(ids), MISSING, np.int64)
    ranks = np.full(len(ids), 9)
    for number, picture in enumerate(pictures):
        if (match := names.find(picture)) is None:
            continue
        row, rank = match
        if rank < ranks[row]:
            found[row], ranks[row] = number, rank
        elif rank == ranks[row]:
            found[row] = SEVERAL
    return found


def _without_ending(ids: Sequence[str], pictures: Sequence[str], path: str) -> NDArray[np.int64]:
    """`1.jpg` for `1.png`, where pictures were stored in another format."""
    return _by_name([ENDING.sub("", one) for one in ids], pictures, path)


def _by_number(ids: Sequence[str], pictures: Sequence[str], _: str) -> NDArray[np.int64]:
    """`1` for `test/img_001.png`: the last number in the name without ending."""
    numbers: dict[int, int] = {}
    for number, picture in enumerate(pictures):
        last = None if IN_FILE.match(picture) else LAST_NUMBER.search(PurePosixPath(picture).stem)
        if last is not None and (key := _number(last[1])) is not None:
            numbers[key] = SEVERAL if key in numbers else number
    wanted = map(_number, ids)
    return np.array([MISSING if one is None else numbers.get(one, MISSING) for one in wanted], np.int64)


def _by_row(ids: Sequence[str], pictures: Sequence[str], path: str) -> NDArray[np.int64]:
    """`1` for the first row of `test.csv`, or for the second: the ids together tell from which number they count."""
    inside = [IN_FILE.match(picture) for picture in pictures]
    if not inside or len({match and match[1] for match in inside}) > 1 or inside[0] is None:
        return np.full(len(ids), MISSING, np.int64)
    rows = {int(match[2]): number for number, match in enumerate(inside) if match is not None}
    numbers = [_number(one) for one in ids]
    given = [number for number in numbers[1:] if number is not None]
    fits = [first for first in (0, 1) if given and all(number - first in rows for number in given)]
    if len(fits) > 1 and numbers[0] is not None:  # the first row is no header, and tells too
        fits = [first for first in fits if numbers[0] - first in rows]
    if len(fits) > 1:
        raise UserError(
            f"{path} has ids from {min(given):,} to {max(given):,}, which may count the {len(rows):,} rows of "
            f"{inside[0][1]} from 0 or from 1: give a sample with a row for each picture"
        )
    # Where neither fits all, more of them do one by one.
    start = fits[0] if fits else 0 if 0 in given else 1
    return np.array([MISSING if one is None else rows.get(one - start, MISSING) for one in numbers], np.int64)


WAYS: dict[str, Way] = {
    "paths or names of files": _by_name,
    "names of files but for their endings": _without_ending,
    "numbers in the names of files": _by_number,
    "places in the file": _by_row,
}


def _as_path(text: str) -> str:
    return re.sub(r"\A(?:\./|/)+", "", text.replace("\\", "/"))


def _number(text: str) -> int | None:
    """A whole number in digits alone; Python refuses to read thousands of digits."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 1000 else None
