"""Which subset each file of an archive belongs to, and which label and group it has."""

from collections.abc import Sequence
from typing import NamedTuple, cast

from darkroom.base.errors import UserError
from darkroom.base.paths import DATASETS
from darkroom.config.catalogue import SUBSETS, Entry, Subset
from darkroom.config.patterns import Pattern, composed
from darkroom.intake.labelling import Labels, Match

FOLDERS = "the folder in which each picture lies"
NO_FOLDER = "it lies in no class folder"


class Place(NamedTuple):
    """A file's subset, label and group. `subset` None: the file is passed over; `problem` says why it is unusable."""

    subset: Subset | None
    label: str | None = None
    group: str | None = None
    problem: str = ""
    rows: tuple[tuple[Labels, Match], ...] = ()  # of the tables that say so


class Layout:
    """Answers for each file of an archive by its path, with the patterns, lists and tables of an entry.

    Names are compared and kept in Unicode's composed form. A subset's list decides which pictures belong to it; else
    the most particular pattern that reaches a picture does. A label comes from a table, else from the name {label} of
    a pattern, else from the innermost folder.
    """

    def __init__(self, entry: Entry, tables: Sequence[Labels] = (), lists: dict[Subset, list[Labels]] | None = None):
        self._tables, self._lists = tables, lists or {}
        self._subsets = {pattern: subset for subset in SUBSETS for pattern in entry.patterns.get(subset, ())}
        # The most particular pattern is tried first: with `train: .` and `test: test`, test/1.png is a test image.
        self._patterns = sorted(self._subsets, key=lambda pattern: pattern.breadth)
        self._labels_in_tables = any(table.has_labels for table in tables)
        self.disagreements: list[str] = []  # pictures to which a table gives another label than their path does
        self._listed = {subset for subset, named in self._lists.items() if named}
        cacheable = not tables and not self._listed and all(pattern.by_folder for pattern in self._patterns)
        self._by_folder: dict[str, tuple[Place | None, Pattern | None]] | None = {} if cacheable else None

    def place(self, path: str) -> tuple[Place | None, Pattern | None]:
        """The place of a file, by its path in the archive, and the pattern that decides it; None if nothing does."""
        if self._by_folder is None:
            return self._place(composed(path))
        folder = path[: path.rfind("/") + 1]
        if (known := self._by_folder.get(folder)) is None:
            known = self._by_folder[folder] = self._place(composed(path))
        return known

    def _place(self, path: str) -> tuple[Place | None, Pattern | None]:
        pattern, parts = self._deciding(path)
        subset = self._subset_by_list(path) or (self._subsets[pattern] if pattern else None)
        if subset is None:
            return None, None
        if self._listed:
            parts = self._named_anywhere(path)
        label, group = parts.get("label"), parts.get("group")
        if label is None and pattern is not None and not self._labels_in_tables and not self._listed:
            label = _innermost_folder(path, pattern)
        return self._with_tables(path, Place(subset, label, group)), pattern

    def _deciding(self, path: str) -> tuple[Pattern | None, dict[str, str]]:
        """The most particular pattern that reaches a path, of a subset that no list decides, and the parts it names."""
        found: Pattern | None = None
        parts: dict[str, str] = {}
        for pattern in self._patterns:
            if found is not None and pattern.breadth != found.breadth:
                break
            if self._subsets[pattern] in self._listed or (here := pattern.match(path)) is None:
                continue
            if found is None:
                found, parts = pattern, here
            elif self._differ(found, pattern):
                raise UserError(
                    f"{path} is reached by {self._subsets[found]}: {found} and by {self._subsets[pattern]}: {pattern} "
                    f"of {DATASETS}, and neither is more particular: add folders to the one that is meant"
                )
        return found, parts

    def _differ(self, one: Pattern, other: Pattern) -> bool:
        subsets = {self._subsets[one], self._subsets[other]}
        return len(subsets) > 1 and not ("unlabeled" in subsets and self._labels_in_tables)

    def _named_anywhere(self, path: str) -> dict[str, str]:
        """The parts that any pattern names, of whatever subset: the most particular one counts."""
        parts: dict[str, str] = {}
        for pattern in self._patterns:
            parts = (pattern.match(path) or {}) | parts
        return parts

    def _subset_by_list(self, path: str) -> Subset | None:
        """The subset whose list names a picture best. Raises UserError if two name it equally well."""
        found: list[tuple[int, Subset]] = []
        for subset, named in self._lists.items():
            ranks = [match.rank for one in named if (match := one.find(path)) is not None]
            if ranks:
                found.append((min(ranks), subset))
        found.sort(key=lambda one: one[0])
        if len(found) > 1 and found[0][0] == found[1][0]:
            raise UserError(
                f"{path} stands in the list of {found[0][1]} and in that of {found[1][1]} ({DATASETS}): a picture "
                "belongs to one subset, so take it out of one of the two"
            )
        return found[0][1] if found else None

    def _with_tables(self, path: str, place: Place) -> Place:
        """Complete a place from the tables: what they say counts for more than what the path says."""
        found = [(table, match) for table in self._tables if (match := table.find(path)) is not None]
        # Of each thing, the row counts that names the picture most exactly, as the table beside it does.
        rows = sorted(found, key=lambda row: row[1].rank)
        labelled = next((row for row in rows if row[1].label is not None), None)
        grouped = next((row for row in rows if row[1].group is not None), None)
        divided = next((row for row in rows if row[1].subset is not None), None)
        reason = next((match.reason for _, match in rows if match.reason), "")
        if reason and not divided and any(table.has_subsets for table, _ in rows):
            return Place(None, problem=reason)
        subset = cast(Subset, divided[1].subset) if divided else place.subset
        if subset == "unlabeled":
            return Place(subset)
        label = labelled[1].label if labelled else place.label
        if label is None:
            if any(self._subsets[one] == "unlabeled" and one.match(path) is not None for one in self._patterns):
                return Place("unlabeled")
            return Place(subset, problem=reason or self._without_label())
        if place.label is not None and label != place.label:
            self.disagreements.append(path)
        used = tuple(dict.fromkeys(row for row in (labelled, grouped, divided) if row is not None))
        return Place(subset, label, grouped[1].group if grouped else place.group, rows=used)

    def _without_label(self) -> str:
        if self._labels_in_tables:
            return f"{' and '.join(table.path for table in self._tables if table.has_labels)} has no row for it"
        return NO_FOLDER if not self._listed else "no pattern with {label} reaches it"

    def may_hold(self, folder: str) -> bool:
        """Whether a file below `folder` can belong to a subset; if not, a nested archive need not be opened."""
        return bool(self._listed) or any(pattern.may_reach_below(folder) for pattern in self._patterns)

    @property
    def patterns(self) -> Sequence[Pattern]:
        """All patterns, the most particular first."""
        return self._patterns

    def labels_from(self) -> str:
        """Where labels come from, for people."""
        tables = [table.source for table in self._tables if table.has_labels]
        named = [str(one) for one in self._patterns if "label" in one.names]
        return " and ".join([*tables, *named]) or FOLDERS

    def __str__(self) -> str:
        lists = {subset: [f"@{one.path}" for one in named] for subset, named in self._lists.items()}
        texts = {
            subset: [*(str(one) for one, own in self._subsets.items() if own == subset), *lists.get(subset, ())]
            for subset in SUBSETS
        }
        return ", ".join(f"{subset}: {', '.join(named)}" for subset, named in texts.items() if named)


def _innermost_folder(path: str, pattern: Pattern) -> str | None:
    folder = path.rpartition("/")[0]
    if folder in ("", str(pattern)) or pattern.in_one_folder:
        return None
    return folder.rpartition("/")[2]
