"""What `darkroom add` understands of an archive: a draft of its catalogue entry, why each key is so, and what is open.

Plain values alone: the engine (tools/…) makes them, the command shows them, asks what is open and writes the entry.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Evidence:
    """One line of the table of what was understood."""

    key: str  # the entry's key: train, labels, channels ...
    value: str  # as the entry says it
    because: str  # what in the archive says so: "12 folders below train/, each with pictures"


@dataclass(frozen=True)
class Choice:
    """One answer to a question."""

    word: str  # short, for --choose NAME=WORD
    text: str  # for people


@dataclass(frozen=True)
class Question:
    """What two readings leave open."""

    name: str  # label, group, copies, test ...
    text: str  # what is asked, and why it is open
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Sample:
    """Some names of pictures of one class in one subset."""

    subset: str
    label: str
    count: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class Draft:
    """An entry without its source, and all that its owner must see of how it came about."""

    entry: dict[str, Any]  # YAML-able plain values, in the order of the catalogue's keys
    evidence: tuple[Evidence, ...]
    questions: tuple[Question, ...]  # () where nothing is open
    samples: tuple[Sample, ...]
    unused: tuple[tuple[str, str], ...]  # place, why it will not be used
    pictures: int  # of those used
    megapixels: float  # mean of a sample, for the cost
    units: tuple[int, ...] = ()  # of each class in train: pictures, or groups where the entry has some
