"""The classes of a data set: their order, the names that people read, and the labels that are left out."""

import re
from collections.abc import Collection, Iterable, Mapping

from darkroom.base.errors import UserError
from darkroom.base.paths import DATASETS
from darkroom.config.catalogue import Entry
from darkroom.config.patterns import composed


def in_order(labels: Iterable[str]) -> list[str]:
    """Labels as classes are numbered: 2 before 10, numbers before words."""
    return sorted(labels, key=_natural)


def names(labels: Collection[str], entry: Entry, dataset: str, by_hand: Collection[str] = ()) -> dict[str, str | None]:
    """The name of each label, in the order of the labels; None for one that the entry leaves out.

    Two labels with one name make one class. `by_hand` are names that corrections give: the entry may name a class that
    they alone make. Raises UserError if it names another label that no picture has.
    """
    given = {composed(label): name and composed(name) for label, name in entry.classes.items()}
    made = {label for label, name in given.items() if name in by_hand}
    unknown = [label for label in given if label not in labels and label not in made]
    if unknown:
        raise UserError(
            f"{DATASETS}: {dataset}.classes names {unknown[0]!r}, but the archive has no such label: "
            f"known are {', '.join(in_order(labels)[:20])}"
        )
    return {label: given.get(label, label) for label in in_order({*labels, *made})}


def classes(names: Mapping[str, str | None], present: Collection[str]) -> list[str]:
    """The names of the classes in the order of their numbers: that of the first label of each.

    `present` are the names that pictures have.
    """
    return [name for name in dict.fromkeys(names.values()) if name is not None and name in present]


def _natural(label: str) -> list[tuple[int, int, str]]:
    # Python refuses to read a number of thousands of digits, so that long digits count as text.
    parts = [part for part in re.split(r"(\d+)", label) if part]
    return [(0, int(part), "") if part.isdecimal() and len(part) < 1000 else (1, 0, part) for part in parts]
