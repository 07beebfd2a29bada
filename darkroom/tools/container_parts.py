"""Files that hold many pictures each, as CSV of pixels, idx and Parquet do: which subsets they are."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import IO, Any

from darkroom.base.errors import UserError
from darkroom.base.words import counted, listed
from darkroom.config.catalogue import SUBSETS, Subset
from darkroom.config.patterns import composed
from darkroom.intake import containers, folder_files, tables
from darkroom.intake.archive import Budget, File
from darkroom.intake.container_look import Part
from darkroom.intake.container_look import look as look_into
from darkroom.tools.asking import Asking
from darkroom.tools.entry_draft import Evidence
from darkroom.tools.label_tables import LABEL, Column, NamingTable, split_column
from darkroom.tools.subset_folders import WORDS, words
from darkroom.tools.survey_archive import Survey

MOST = 300  # files that are looked into


@dataclass(frozen=True)
class Inside:
    """One container, or one part of an .npz."""

    path: str
    kind: str
    part: Part

    @property
    def name(self) -> str:
        """As an entry names it."""
        return f"{self.path}#{self.part.name}" if self.part.name else self.path

    @property
    def pictures(self) -> int:
        return self.part.pictures

    @property
    def subset(self) -> Subset:
        """The subset that the name of the part, of the file or of its folder says; else train."""
        for name in (self.part.name, *reversed(self.path.split("/"))):
            if name.lower().startswith("t10k"):
                return "test"
            own = words(name.partition(".")[0])
            said = {WORDS[word] for word in own if word in WORDS}
            if len(said) == 1:
                return said.pop()
        return "train"


def look(survey: Survey) -> tuple[list[Inside], list[str]]:
    """The containers of an archive or a folder, and why others cannot be read, a sentence each."""
    known = {path for path in survey.others.paths() if _may_be(path)}
    if not known:
        return [], []
    if len(known) > MOST:
        what = f"{counted(len(known), 'file')} may be tables or arrays of pictures, as {min(known)} may"
        return [], [f"{what}, and {MOST} are looked into: write the entry by hand"]
    beside = {path for path in survey.others.paths() if containers.is_beside(path)}
    found: list[Inside] = []
    problems: list[str] = []

    def inside(path: str, stream: IO[bytes], budget: Budget) -> Iterator[File]:
        seen = look_into(path, stream, budget, lambda other: composed(other) in beside)
        if seen is not None:
            problems.extend([seen.problem] if seen.problem else [])
            found.extend(Inside(composed(path), seen.kind, part) for part in seen.parts if part.pictures)
        return iter(())

    def wanted(path: str) -> Any:
        return partial(inside, path) if composed(path) in known else False

    above = {path[:at] for path in known for at, letter in enumerate(path) if letter == "/"}
    may_hold = lambda one: composed(one) in above  # noqa: E731
    try:
        for _ in folder_files.files(survey.source, wanted=wanted, may_hold=may_hold, limits=survey.limits):
            pass
    except UserError as error:
        problems.append(str(error))
    return found, problems


def _may_be(path: str) -> bool:
    kind = containers.kind_by_name(path)
    name = path.rpartition("/")[2]
    return kind is not None and (kind != "CIFAR batch" or bool(re.search("batch|train|test", name)))


def without_copies(inside: Sequence[Inside], survey: Survey) -> tuple[list[Inside], list[tuple[str, str]]]:
    """Containers but for those that hold what another does: the same file deeper below, or the same packed."""
    kept: list[Inside] = []
    unused: list[tuple[str, str]] = []
    for one in sorted(inside, key=lambda own: (own.path.count("/"), own.path.endswith(".gz"), own.path)):
        twin = next((other for other in kept if _alike(one, other, survey)), None)
        again = next((other for other in kept if _packed_again(one, other)), None)
        if twin is not None:
            unused.append((one.path, f"{counted(one.pictures, 'picture')}: the same as {twin.name}"))
        elif again is not None:
            why = f"as many of the same size as {again.name} has, which may be the same in another form"
            unused.append((one.path, f"{counted(one.pictures, 'picture')}: {why}"))
        else:
            kept.append(one)
    return kept, unused


def _packed_again(one: Inside, other: Inside) -> bool:
    """Whether two files of different kinds hold as many pictures, of one size, for one subset."""
    own, theirs = ((each.subset, each.pictures, each.part.shape) for each in (one, other))
    labelled = bool(other.part.labels) or not one.part.labels
    return one.kind != other.kind and own == theirs and one.part.shape is not None and labelled


def _alike(one: Inside, other: Inside, survey: Survey) -> bool:
    if one.path == other.path or (one.pictures, one.part.shape) != (other.pictures, other.part.shape):
        return False
    first, second = survey.tables.get(one.path), survey.tables.get(other.path)
    if first is not None and second is not None:
        return first == second
    names = [re.sub(r"\W+", "-", name.path.rpartition("/")[2].removesuffix(".gz").lower()) for name in (one, other)]
    return names[0] == names[1]


def entry(inside: Sequence[Inside], survey: Survey, asking: Asking) -> tuple[dict[str, Any], list[Evidence]]:
    """The subsets and the labels of an entry for these containers. Raises UserError where none gives labels."""
    parts: dict[Subset, list[Inside]] = {}
    inside, chosen = _with_labels(inside, asking)
    for one in inside:
        subset: Subset = one.subset if one.part.labels else "unlabeled"
        parts.setdefault(subset, []).append(one)
    if "train" not in parts:
        kinds = listed(f"{one.name} has the columns {listed(one.part.columns) or 'of pixels alone'}" for one in inside)
        raise UserError(
            f"{survey.source} holds pictures in {listed(one.name for one in inside)}, and no labels of them: {kinds}"
        )
    keys: dict[str, Any] = {}
    evidence = []
    for subset in SUBSETS:
        own = parts.get(subset, [])
        if own:
            names = [one.name for one in own]
            keys[subset] = names[0] if len(names) == 1 else names
            count = sum(one.pictures for one in own)
            source = own[0].part.labels or "no labels"
            evidence.append(Evidence(subset, listed(names), f"{own[0].kind}: {counted(count, 'picture')}, {source}"))
    divided = [table for one in parts["train"] if (table := _split(one, survey))]
    if chosen:
        keys["labels"] = chosen[0] if len(chosen) == 1 else chosen
    elif divided:
        keys["labels"] = divided[0] if len(divided) == 1 else divided
        evidence.append(Evidence("split", f"column {divided[0]['split']}", "its values name the subsets"))
    return keys, evidence


def _with_labels(inside: Sequence[Inside], asking: Asking) -> tuple[list[Inside], list[dict[str, Any]]]:
    """The same containers with the column that labels Parquet files of several, and what an entry says of it: asks."""
    open_ones = [one for one in inside if one.kind == "Parquet" and not one.part.labels and one.part.columns]
    if not open_ones or any(one.part.labels for one in inside):
        return list(inside), []
    able = [name for name in open_ones[0].part.columns if LABEL & set(words(name))] or open_ones[0].part.columns
    text = f"which column of {listed(one.path for one in open_ones)} is the label?"
    label = able[asking.pick("label", text, [(name, f"column {name}") for name in able])]
    having = [one for one in open_ones if label in one.part.columns]
    named = {id(one): replace(one, part=replace(one.part, labels=f"column {label}")) for one in having}
    return [named.get(id(one), one) for one in inside], [{"file": one.path, "label": label} for one in having]


def _split(one: Inside, survey: Survey) -> dict[str, Any] | None:
    """What an entry says of a CSV of pixels with a column of subsets."""
    data = survey.tables.get(one.path)
    if one.kind != "CSV of pixels" or data is None or not one.part.columns:
        return None
    with suppress(UserError):
        table = tables.read(data, one.path)
        columns = tuple(Column(key, "words", 2) for key in one.part.columns if key in table.columns)
        said = split_column(NamingTable(one.path, table, columns[0].key, columns)) if columns else None
        if said:
            key, meaning, usual = said
            label = one.part.labels.removeprefix("column ")
            splits = {} if usual else {"splits": {subset: list(own) for subset, own in meaning.items()}}
            return {"file": one.path, "label": label, "split": key, **splits}
    return None
