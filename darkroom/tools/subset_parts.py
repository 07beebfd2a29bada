"""Divides the pictures of an archive into the makers' subsets: by folders, by lists of names, by a column."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from darkroom.base.words import counted, listed
from darkroom.config.catalogue import SUBSETS, Subset
from darkroom.tools import label_sources
from darkroom.tools.asking import Asking
from darkroom.tools.entry_draft import Evidence
from darkroom.tools.label_sources import Part, by_folders
from darkroom.tools.label_tables import NamingTable, split_column
from darkroom.tools.subset_folders import subset_in, subsets_of
from darkroom.tools.survey_archive import Names

PATHS = 20_000  # of one subset that are looked at
OUTSIDE = 0.2  # of all pictures: more of them outside of the subsets are asked about


@dataclass
class Division:
    """The parts, and how an entry says them."""

    parts: dict[Subset, Part]
    lists: dict[Subset, list[str]] = field(default_factory=dict)  # @files
    split: tuple[NamingTable, dict[str, object]] | None = None  # a table's column of subsets, as an entry writes it
    outside: tuple[int, ...] = ()  # folders in no subset
    evidence: list[Evidence] = field(default_factory=list)


def by_names_of_folders(pictures: Names, folders: Sequence[int], asking: Asking) -> Division:
    """The parts by the usual names of folders; all pictures are `train` where there are none."""
    told = subsets_of([pictures.folders[place] for place in folders])
    found: dict[Subset | None, list[int]] = {}
    for place, said in zip(folders, told, strict=True):
        found.setdefault(said[0] if said else None, []).append(place)
    outside = found.pop(None, [])
    division = Division({})
    if "train" not in found:
        if not outside:  # a folder called test, or val, and nothing beside it
            outside, found = list(folders), {}
        found["train"], outside = outside, []
    if outside and int(pictures.counts[outside].sum()) > OUTSIDE * int(pictures.counts[list(folders)].sum()):
        where = listed(pictures.folders[place] or "the top" for place in outside)
        count = counted(int(pictures.counts[outside].sum()), "picture")
        options = [("leave", f"leave out what lies in {where}"), ("train", "take it for training too")]
        if asking.pick("outside", f"{count} lie beside the folders of train, val and test, in {where}", options):
            found["train"], outside = [*found["train"], *outside], []
    for subset in SUBSETS:
        if own := found.get(subset):
            division.parts[subset] = part_of(pictures, subset, own)
    division.outside = tuple(outside)
    return division


def some_of(whole: Part, subset: Subset, paths: Sequence[str]) -> Part:
    """A part of some of the paths of another, of whose pictures it has as large a share as of these paths."""
    is_estimate = len(whole.paths) < whole.pictures
    total = round(len(paths) * whole.pictures / len(whole.paths)) if is_estimate else len(paths)
    return replace(whole, subset=subset, paths=tuple(paths), total=total, is_estimate=is_estimate)


def part_of(pictures: Names, subset: Subset, folders: Sequence[int]) -> Part:
    """A part of all pictures in some folders."""
    counts = [int(pictures.counts[place]) for place in folders]
    # By chance, not every n-th: names may follow a period of their own.
    random, share = np.random.default_rng(0), min(1.0, PATHS / max(1, sum(counts)))
    sample: list[str] = []
    for place, count in zip(folders, counts, strict=True):
        start = f"{pictures.folders[place]}/" if pictures.folders[place] else ""
        names = pictures.names(place)
        taken = max(min(2, count), round(share * count))  # of a small folder two, so that each class is seen
        chosen_places = sorted(random.permutation(count)[:taken]) if taken < count else range(count)
        sample += [start + names[at] for at in chosen_places]
    return Part(subset, tuple(pictures.folders[place] for place in folders), tuple(counts), tuple(sample))


def by_tables(division: Division, tables: Sequence[NamingTable]) -> None:
    """Divide pictures that no folders divide: by a column of a table, or by lists named as the subsets are."""
    if set(division.parts) != {"train"}:
        return
    whole = division.parts["train"]
    if _by_column(division, whole, tables):
        return
    _by_lists(division, whole, tables)


def _by_column(division: Division, whole: Part, tables: Sequence[NamingTable]) -> bool:
    for table in tables:
        said = None if table.is_sample else split_column(table)
        if said is None:
            continue
        key, meaning, usual = said
        rows = table.rows(whole.paths)
        if sum(row >= 0 for row in rows) < 0.9 * len(rows):
            continue
        values = table.values(key)
        subset_of = {value: subset for subset, own in meaning.items() for value in own}
        by_subset: dict[Subset, list[str]] = {}
        for path, row in zip(whole.paths, rows, strict=True):
            subset = subset_of.get(values[row] or "") if row >= 0 else None
            if subset:
                by_subset.setdefault(subset, []).append(path)
        settings: dict[str, object] = {"split": key}
        if not usual:
            settings["splits"] = {subset: list(own) for subset, own in meaning.items()}
        division.split = (table, settings)
        division.parts = {subset: some_of(whole, subset, paths) for subset, paths in by_subset.items()}
        words = ", ".join(f"{subset}: {listed(own)}" for subset, own in meaning.items())
        division.evidence.append(Evidence("split", f"column {key}", f"{table.file} names the subsets ({words})"))
        return True
    return False


def _by_lists(division: Division, whole: Part, tables: Sequence[NamingTable]) -> None:
    lists: dict[Subset, list[NamingTable]] = {}
    for table in tables:
        if table.subset is not None and not table.is_sample:
            lists.setdefault(table.subset, []).append(table)
    named: dict[Subset, list[str]] = {}
    seen: set[str] = set()
    for subset, own in list(lists.items()):
        # Of trainval.txt and train.txt the one that no other list overlaps: here the first by its name's length.
        own.sort(key=lambda table: (len(table.file), table.file))
        paths = [path for path, row in zip(whole.paths, own[0].rows(whole.paths), strict=True) if row >= 0]
        named[subset] = paths
    if "train" not in named and not set(whole.paths) - {path for paths in named.values() for path in paths}:
        return  # a list of all pictures is none of one subset
    if not named or (not any(subset != "train" for subset in named) and not _has_labels(lists.get("train", []))):
        return
    for paths in named.values():
        if seen & set(paths):
            return  # lists that overlap are no division
        seen.update(paths)
    if set(named) == {"train"} and by_folders(whole):
        return  # folders label all, and the list of train says nothing of others
    rest = [path for path in whole.paths if path not in seen]
    without = [subset for subset in named if subset != "train" and not _has_labels(lists[subset])]
    by_label = _has_labels(lists.get("train", [])) and not by_folders(whole)
    if by_label and (without or set(named) == {"train"}):
        # The table of train gives labels, and that of test none: its pictures are to be predicted.
        division.parts = {"train": some_of(whole, "train", named["train"])}
        others = rest + [path for subset in without for path in named[subset]]
        if others:
            division.parts["unlabeled"] = some_of(whole, "unlabeled", others)
            because = (
                f"{listed(lists[subset][0].file for subset in without) or lists['train'][0].file} gives them no label"
            )
            division.evidence.append(Evidence("unlabeled", division.parts["unlabeled"].size, because))
        named = {subset: paths for subset, paths in named.items() if subset not in without and subset != "train"}
        if not named:
            return
    division.lists = {subset: [f"@{lists[subset][0].file}"] for subset in named}
    if "train" not in named:
        named["train"] = rest
    for subset in SUBSETS:
        if own_paths := named.get(subset):
            division.parts[subset] = some_of(whole, subset, own_paths)
            if subset in division.lists:
                told = f"its name says it, and it names {division.parts[subset].size}"
                division.evidence.append(Evidence(subset, division.lists[subset][0], told))


def join_if_one_class(
    division: Division, pictures: Names, folders: Sequence[int], tables: Sequence[NamingTable], asking: Asking
) -> None:
    """Ask to take all subsets together where the folders of training are one class, and those of test are more."""
    training = division.parts["train"]
    if (
        len(division.parts) < 2
        or division.lists
        or by_folders(training)
        or label_sources.by_tables(training, tables)[0]
    ):
        return
    own = {folder for part in division.parts.values() if part.subset != "unlabeled" for folder in part.folders}
    whole = part_of(pictures, "train", [place for place in folders if pictures.folders[place] in own])
    levels = by_folders(whole)
    if len(levels) != 1 or label_sources.by_names(training):
        return
    if all(subset_in(name)[0] is not None for name in levels[0].classes):
        return  # cars_train and cars_test are no classes
    text = f"the pictures in {training.where} are of one class, and those of the other subsets of {levels[0].text}"
    asking.pick("test", text, [("together", "take all subsets together, and divide them anew")])
    parts: dict[Subset, Part] = {"train": whole}
    if "unlabeled" in division.parts:
        parts["unlabeled"] = division.parts["unlabeled"]
    division.parts = parts


def _has_labels(tables: Sequence[NamingTable]) -> bool:
    columns = [column for table in tables for column in table.columns if column.kind in ("numbers", "words")]
    return any(not column.says_group and (column.says_label or not column.says_other) for column in columns)
