"""Tries a drafted entry on the names in an archive with the pipeline's own rules, decoding nothing."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from darkroom.config.catalogue import Entry, Subset, checked
from darkroom.intake import class_warnings, folder_files, label_files
from darkroom.intake.archive import File
from darkroom.intake.labelling import Labels
from darkroom.intake.layout import Layout
from darkroom.intake.opener import Opener
from darkroom.intake.sieve import Sieve
from darkroom.tools.entry_draft import Sample
from darkroom.tools.survey_archive import Survey

LOOKED = 100  # pictures of containers
SHOWN = 3  # names of each class
INDEXED = 200_000  # pictures that the warnings about classes look at
ABSENT = {"submission"}  # keys that other stages read


@dataclass
class Tried:
    """What the entry makes of the archive."""

    sieve: Sieve
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)  # pictures by subset and label
    names: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    problems: Counter[str] = field(default_factory=Counter)
    rejected: dict[str, str] = field(default_factory=dict)  # an example by problem
    looked: list[bytes | NDArray[Any]] = field(default_factory=list)  # of containers, pictures of each class
    warnings: list[str] = field(default_factory=list)
    unlabelled: list[str] = field(default_factory=list)  # their paths, where a sample submission asks for them
    groups: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # of each class in train

    @property
    def classes(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for (subset, label), count in self.counts.items():
            if subset != "unlabeled":
                found[label] += count
        return found

    def units(self) -> tuple[int, ...]:
        """Of each class in train, how many parts the split can move: pictures, or groups, which stay together."""
        train = {label: count for (subset, label), count in self.counts.items() if subset == "train"}
        return tuple(len(self.groups[label]) if self.groups.get(label) else train[label] for label in sorted(train))

    def samples(self) -> tuple[Sample, ...]:
        return tuple(
            Sample(subset, label, count, tuple(self.names[subset, label]))
            for (subset, label), count in sorted(self.counts.items())
        )


def tried(content: dict[str, Any], survey: Survey, *, containers: bool = False) -> Tried:
    """Give each picture of the archive its place. Raises UserError as the pipeline does for an entry that is wrong.

    `containers` says that the entry names some, whose pictures are files only when they are read.
    """
    wanted = {key: value for key, value in content.items() if key not in ABSENT}
    entry = checked("NAME", wanted | {"path": str(survey.source)})
    used, lists = _tables_and_lists(entry, survey)
    named = [*used, *(one for own in lists.values() for one in own)]
    layout = Layout(entry, used, lists)
    opener = Opener(survey.source, entry, layout, survey.limits) if containers else None
    sieve = Sieve(layout, frozenset(table.path for table in named), opener=opener)
    found = Tried(sieve)
    rows: list[tuple[str, str | None, str]] = []
    files: Iterable[File]
    if containers:
        files = folder_files.files(survey.source, wanted=sieve, may_hold=sieve.may_hold, limits=survey.limits)
    else:
        every = (_file(path, survey) for names in (survey.pictures, survey.others) for path in names.paths())
        files = _let_pass(every, sieve)
    for file, place in sieve.pictures(files):
        if place.problem:
            found.problems[place.problem] += 1
            found.rejected.setdefault(place.problem, file.path)
            continue
        key = (str(place.subset), place.label or "")
        found.counts[key] += 1
        if place.group and place.subset == "train":
            found.groups[key[1]].add(place.group)
        if place.subset == "unlabeled" and "submission" in content:
            found.unlabelled.append(file.path)
        if len(found.names[key]) < SHOWN:
            found.names[key].append(file.path)
            if containers and len(found.looked) < LOOKED:
                found.looked.append(file.read() if file.values is None else file.values)
        if len(rows) < INDEXED:
            rows.append((file.path, place.label, key[0]))
    index = pa.table({name: [row[at] for row in rows] for at, name in enumerate(("path", "label", "subset"))})
    if rows and any(row[1] for row in rows):
        found.warnings += class_warnings.warnings(index, from_folders=sieve.layout.labels_are_folders)
    return found


def _let_pass(files: Iterable[File], sieve: Sieve) -> Iterator[File]:
    return (file for file in files if sieve(file.path))


def _file(path: str, survey: Survey) -> File:
    return File(path, 0, lambda: survey.tables[path])


def _tables_and_lists(entry: Entry, survey: Survey) -> tuple[list[Labels], dict[Subset, list[Labels]]]:
    """What the entry's tables and lists say, from the contents that the survey has read."""
    found = {}
    for file in label_files.files_of(entry):
        path = label_files.file_and_part(file)[0]
        found[file] = path, survey.tables[path]
    names: list[str] = []
    if label_files.wants_names(entry):
        patterns = [pattern for own in entry.patterns.values() for pattern in own]
        reached = (
            path
            for path in survey.pictures.paths()
            if not patterns or any(one.match(path) is not None for one in patterns)
        )
        names = list(islice(reached, label_files.NAMES))
    return label_files.understood(entry, found, names)
