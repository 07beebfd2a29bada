"""Which subset each file of an archive belongs to, and which label and group it has."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

from darkroom.base.errors import UserError
from darkroom.base.paths import DATASETS
from darkroom.base.words import listed
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
    rows: tuple[tuple[Labels, int], ...] = ()  # of the tables and lists that name it


class Own(NamedTuple):
    """What a container, a file that holds pictures, says of one of them."""

    container: str  # its path
    labels_from: str = ""  # for people; nothing where it holds no labels
    label: str | None = None
    group: str | None = None
    subset: Subset | None = None
    is_elsewhere: bool = False  # its subset is none that counts, as `reason` says
    reason: str = ""  # why it has no label or no subset


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
        # The usual case, one table that gives labels and no subsets, takes a quarter of the time of `_with_tables`.
        self._only_table = tables[0] if len(tables) == 1 and not (self._lists or tables[0].has_subsets) else None
        self._labels_in_tables = any(table.has_labels for table in tables)
        self.disagreements: list[str] = []  # pictures to which a table gives another label than their path does
        self._own_sources: dict[str, None] = {}  # of labels, in containers
        self._with_own_labels: set[Pattern | None] = set()  # patterns that reach such containers
        self._labelled = [one for one in self._patterns if self._subsets[one] != "unlabeled"]
        self._listed = {subset for subset, named in self._lists.items() if named}
        # What is alike for all files of a folder is found out once.
        by_folder = not self._listed and all(pattern.by_folder for pattern in self._patterns)
        self._by_folder: dict[str, tuple[Place | None, Pattern | None]] | None = {} if by_folder else None

    def place(self, path: str) -> tuple[Place | None, Pattern | None]:
        """The place of a file, by its path in the archive, and the pattern that decides it; None if nothing does."""
        if self._by_folder is None:
            place, pattern = self._in_subset(composed(path))
        else:
            folder = path[: path.rfind("/") + 1]
            if (known := self._by_folder.get(folder)) is None:
                known = self._by_folder[folder] = self._in_subset(composed(path))
            place, pattern = known
        if place is None or place.subset == "unlabeled" or not self._tables:
            return place, pattern
        if self._only_table is not None and place.label is None and (found := self._only_table.find_label(path)):
            row, label, group = found
            return Place(place.subset, label, group or place.group, "", ((self._only_table, row),)), pattern
        return self._with_tables(composed(path), place), pattern

    def place_of_own(self, path: str, own: Own) -> tuple[Place | None, Pattern | None]:
        """As `place`, for a picture in a container. What that says counts for more than what its path says."""
        path, container = composed(path), composed(own.container)
        place, pattern = self._in_subset(path, own)
        if place is None or place.subset == "unlabeled" or not self._tables:
            return place, pattern
        return self._with_tables(path, place, container), pattern

    def wants_own_labels(self, container: str) -> bool:
        """Whether a container must give labels itself: it is not only for `unlabeled`, and nothing else gives them."""
        reaching = [one for one in self._patterns if (one.of_container or one).match(composed(container)) is not None]
        if self._labels_in_tables or any("label" in one.names for one in reaching):
            return False
        return any(self._subsets[one] != "unlabeled" for one in reaching)

    def _in_subset(self, path: str, own: Own | None = None) -> tuple[Place | None, Pattern | None]:
        """The place of a file by patterns and lists, and by what its container says, without the tables."""
        container = composed(own.container) if own else ""
        pattern, parts = self._deciding(path, container)
        in_list, rows = self._by_list(path, container) if self._listed else (None, ())
        subset = in_list or (self._subsets[pattern] if pattern else None)
        if subset is None:
            return None, None
        if own and own.is_elsewhere:
            return Place(None, problem=own.reason), pattern
        subset = own.subset if own and own.subset else subset
        if subset == "unlabeled":
            return Place(subset, rows=rows), pattern
        label, group = parts.get("label"), parts.get("group")
        if self._listed:
            label, group = self._named_anywhere(path, container)
        elif not label and pattern is not None and not self._labels_in_tables and not (own and pattern.is_folder):
            label = _innermost_folder(container or path, pattern)
        place = Place(subset, label or None, group or None, rows=rows)
        if own:
            place = _with_own(place, own)
            if own.labels_from:
                self._own_sources[own.labels_from] = None
                self._with_own_labels.add(pattern)
                if place.label not in (None, parts.get("label", place.label)):
                    self.disagreements.append(path)
        if place.label is None and not place.problem and not self._tables:
            place = place._replace(problem=NO_FOLDER)
        return place, pattern

    def _deciding(self, path: str, container: str) -> tuple[Pattern | None, dict[str, str]]:
        """The most particular pattern that reaches a path, of a subset that no list decides, and the parts it names."""
        found: Pattern | None = None
        parts: dict[str, str] = {}
        for pattern in self._patterns:
            if found is not None and pattern.breadth != found.breadth:
                break
            if self._subsets[pattern] in self._listed or (here := pattern.match(path, container)) is None:
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

    def _named_anywhere(self, path: str, container: str) -> tuple[str | None, str | None]:
        """The label and the group that any pattern names, of whatever subset: the most particular one counts."""
        reaching = [
            (pattern, parts) for pattern in self._patterns if (parts := pattern.match(path, container)) is not None
        ]
        label = _first(parts.get("label") for _, parts in reaching)
        if label is None and not self._labels_in_tables:
            label = _first(_innermost_folder(container or path, pattern) for pattern, _ in reaching)
        return label, _first(parts.get("group") for _, parts in reaching)

    def _by_list(self, path: str, container: str) -> tuple[Subset | None, tuple[tuple[Labels, int], ...]]:
        """The subset whose list names a picture best, and the row. Raises UserError if two name it equally well.

        Of pictures of one name, such as a photograph and its mask, a pattern beside the lists says which are meant.
        """
        is_meant = not self._labelled or any(pattern.match(path, container) is not None for pattern in self._labelled)
        found = [
            (match.rank, subset, (one, match.row))
            for subset, named in self._lists.items()
            if is_meant or subset == "unlabeled"
            for one in named
            if (match := one.find(path)) is not None
        ]
        if not found:
            return None, ()
        found.sort(key=lambda one: one[0])
        rank, subset, row = found[0]
        if other := next((one[1] for one in found if one[0] == rank and one[1] != subset), None):
            raise UserError(
                f"{path} stands in the list of {subset} and in that of {other} ({DATASETS}): a picture "
                "belongs to one subset, so take it out of one of the two"
            )
        return subset, (row,)

    def _with_tables(self, path: str, place: Place, container: str = "") -> Place:
        """Complete a place from the tables: what they say counts for more than what the path says."""
        found = [(table, match) for table in self._tables if (match := table.find(path)) is not None]
        # Of each thing, the row counts that names the picture most exactly, as that of the table beside it does.
        found.sort(key=lambda one: one[1].rank)
        labelled = next((one for one in found if one[1].label is not None), None)
        grouped = next((one for one in found if one[1].group is not None), None)
        divided = next((one for one in found if one[1].subset is not None), None)
        # 1. The subset: a row with another word than those for train, val and test is none of them.
        elsewhere = next((match.reason for table, match in found if table.has_subsets and match.reason), None)
        if elsewhere and divided is None:
            return Place(None, problem=elsewhere, rows=place.rows + _rows(*found))
        subset = cast(Subset, divided[1].subset) if divided else place.subset
        if subset == "unlabeled":
            return Place(subset, rows=place.rows + _rows(divided))
        # 2. The label.
        label = labelled[1].label if labelled else place.label
        if label is None:
            if self._labels_in_tables and self._is_reached_as_unlabelled(path, container):
                return Place("unlabeled", rows=place.rows)
            reason = next((match.reason for _, match in found if match.reason), None)
            return Place(subset, problem=reason or self._without_label(), rows=place.rows + _rows(*found))
        if place.label is not None and label != place.label:
            self.disagreements.append(path)
        used = _rows(labelled, grouped, divided)
        return Place(subset, label, grouped[1].group if grouped else place.group, rows=place.rows + used)

    def _is_reached_as_unlabelled(self, path: str, container: str) -> bool:
        return any(
            self._subsets[one] == "unlabeled" and one.match(path, container) is not None for one in self._patterns
        )

    def _without_label(self) -> str:
        if self._labels_in_tables:
            return f"{' and '.join(table.path for table in self._tables if table.has_labels)} has no row for it"
        return NO_FOLDER

    def may_hold(self, folder: str) -> bool:
        """Whether a file below `folder` can belong to a subset; if not, a nested archive need not be opened."""
        return bool(self._listed) or any(pattern.may_reach_below(folder) for pattern in self._patterns)

    @property
    def patterns(self) -> Sequence[Pattern]:
        """All patterns, the most particular first."""
        return self._patterns

    @property
    def has_lists(self) -> bool:
        """Whether lists of names decide a subset."""
        return bool(self._listed)

    @property
    def labels_are_folders(self) -> bool:
        """Whether each label is the name of a folder, and neither a table nor a pattern names one."""
        in_files = self._labels_in_tables or self._own_sources
        return not in_files and not any("label" in one.names for one in self._patterns)

    def labels_from(self) -> str:
        """Where labels come from, for people."""
        found = [table.source for table in self._tables if table.has_labels]
        if named := [str(one) for one in self._labelled if "label" in one.names]:
            found.append(listed(named, 2))
        if self._own_sources:
            found.append(listed(self._own_sources, 3, "; "))
        others = [one for one in self._labelled if "label" not in one.names and one not in self._with_own_labels]
        if others and not self._labels_in_tables:
            found.append(FOLDERS)
        return " and ".join(found)

    def __str__(self) -> str:
        lists = {subset: [f"@{one.path}" for one in named] for subset, named in self._lists.items()}
        texts = {
            subset: [*(str(one) for one, own in self._subsets.items() if own == subset), *lists.get(subset, ())]
            for subset in SUBSETS
        }
        return ", ".join(f"{subset}: {', '.join(named)}" for subset, named in texts.items() if named)


def _rows(*found: tuple[Labels, Match] | None) -> tuple[tuple[Labels, int], ...]:
    """The rows of matches, each once."""
    return tuple(dict.fromkeys((one[0], one[1].row) for one in found if one is not None))


def _innermost_folder(path: str, pattern: Pattern) -> str | None:
    folder = path.rpartition("/")[0]
    return None if folder in ("", pattern.root) else folder.rpartition("/")[2]


def _with_own(place: Place, own: Own) -> Place:
    """A place completed with what the container says."""
    label = own.label if own.labels_from else place.label
    return place._replace(label=label, group=own.group or place.group, problem="" if label else own.reason)


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value), None)
