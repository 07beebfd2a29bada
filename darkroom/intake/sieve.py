"""Decides which files of an archive are pictures of the data set, and counts the others by place and reason."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import IO

from darkroom.base.errors import UserError
from darkroom.config.patterns import Pattern, composed, of_first_version, without_old_wildcards
from darkroom.config.stage_tables import HIDDEN
from darkroom.intake import tables
from darkroom.intake.archive import Budget, File, Inside, foreign
from darkroom.intake.containers import kind_of
from darkroom.intake.decoding_pool import Placed
from darkroom.intake.layout import Layout, Place
from darkroom.intake.opener import Opener
from darkroom.pictures.decoding import is_hidden, looks_like_image

NO_PATTERN = "a picture that no pattern reaches"
NO_LIST = "a picture that no list names and no pattern reaches"
CLOSED = "an archive that no pattern reaches"
OTHER_KIND = "not read as a picture"
# Files that stand beside pictures and are none. A folder of anything else may be a class that was saved wrongly.
TEXTS = {"", ".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".md", ".rst", ".html", ".pdf"}
TEXTS |= {".doc", ".docx", ".xls", ".xlsx", ".py", ".ipynb", ".m", ".mat", ".names", ".parquet", ".pkl", ".db", ".log"}
PASSED_FOLDERS = 100_000  # folders that are told apart; files of further ones are counted together
TABLES_READ = 20  # tables that no entry uses, looked into for names of pictures
TABLE_BYTES = 2**24
HEAD = 20  # rows
SHARED = 10_000  # places


@dataclass
class Passed:
    """Files of one folder that are passed over for one reason: their number, and the path of the first."""

    files: int
    example: str


@dataclass
class Sieve:
    """Notes each file that it lets pass or not. `used` are the tables and lists that the entry names."""

    layout: Layout
    used: frozenset[str] = frozenset()
    passed: dict[tuple[str, str], Passed] = field(default_factory=dict)  # by folder and reason
    reached: Counter[Pattern] = field(default_factory=Counter)  # pictures that each pattern decides
    heads: dict[str, list[list[str | None]]] = field(default_factory=dict)  # of tables not used: the first rows
    kinds: dict[str, set[str]] = field(default_factory=dict)  # endings that are not read, by folder among the data
    once: dict[Pattern, str] = field(default_factory=dict)  # a picture that each pattern reached in the first version
    opener: Opener | None = None  # of containers
    _place: Place | None = None
    _shared: dict[tuple[object, ...], Place] = field(default_factory=dict)

    def pictures(self, files: Iterable[File]) -> Iterator[Placed]:
        """The pictures among `files`, an archive's files that this sieve has let pass, each with its place."""
        for file in files:
            if file.link:
                self._place = self._of_link(file.path)
                if self._place is None:
                    continue
            if self._place is None:
                self._look_into_table(file)
            else:
                yield file, self._place
        if self.opener is not None:
            for path in self.opener.waiting:
                self._other(path)

    def __call__(self, path: str) -> bool | Inside:
        """Whether a file is wanted: it is a picture of the data set, a table worth a look, or a container."""
        self._place = None
        if not looks_like_image(path):
            if self.opener is not None and not is_hidden(path):
                if self.opener.is_container(path):
                    return partial(self._inside, path)
                if self.opener.waits(path):
                    return False
            return self._other(path)
        place, pattern = self.layout.place(path)
        if place is None:
            self._pass_over(path, NO_LIST if self.layout.has_lists else NO_PATTERN)
            self._compare_with_first_version(path)
            return False
        return self._take(path, place, pattern)

    def _take(self, path: str, place: Place, pattern: Pattern | None) -> bool:
        """Note the place of a picture, and whether it belongs to a subset."""
        if place.rows:
            for table, row in place.rows:
                table.use(path, row)
            place = self._alike(place)
        if place.subset is None:
            self._pass_over(path, place.problem)
            return False
        self._place = place
        if pattern is not None:
            self.reached[pattern] += 1
        return True

    def _alike(self, place: Place) -> Place:
        """A place without the rows of tables, one for all pictures of a class: the garbage collector walks it once."""
        known = self._shared.get(place[:-1])
        if known is None:
            known = place._replace(rows=())
            if len(self._shared) < SHARED:
                self._shared[place[:-1]] = known
        return known

    def _inside(self, path: str, stream: IO[bytes], budget: Budget) -> Iterator[File]:
        """The pictures in a container that belong to a subset."""
        assert self.opener is not None
        if kind_of(path, stream) is None:
            self._other(path)
            return
        container = self.opener.container(path, stream, budget)
        for file, own in self.opener.pictures(container):
            place, pattern = self.layout.place_of_own(file.path, own)
            if place is None:
                self._pass_over(file.path, NO_PATTERN)
            elif self._take(file.path, place, pattern):
                yield file
        for part, count in container.passed.items():
            self._pass_over(f"{path}#{part}/0", NO_PATTERN, count)

    def _of_link(self, path: str) -> Place | None:
        """The place of a link, which is rejected if it belongs to the data; it may stand for a folder of pictures."""
        if PurePosixPath(path).suffix or is_hidden(path):
            wanted = self(path)
            if callable(wanted):
                raise UserError(f"{path} is a link to another file: pack the file itself, whose pictures are wanted")
            return self._place if wanted else None
        place, _ = self.layout.place(path)
        return place and Place(place.subset or "train")

    def may_hold(self, folder: str) -> bool:
        """Whether a nested archive, given as a folder, is worth opening."""
        worth = self.layout.may_hold(folder)
        if not worth:
            self._pass_over(folder, CLOSED)
        return worth

    def _other(self, path: str) -> bool:
        if composed(path) in self.used:
            return False
        if is_hidden(path):
            self._pass_over(path, HIDDEN)
            return False
        ending = PurePosixPath(path).suffix.lower()[:10]
        self._pass_over(path, f"{OTHER_KIND}: {foreign(path) or ending or 'no ending'}")
        if ending not in TEXTS:
            place, _ = self.layout.place(path)
            if place is not None and place.label is not None:
                self.kinds.setdefault(place.label, set()).add(ending)
        return tables.may_be_table(path) and len(self.heads) < TABLES_READ

    def _pass_over(self, path: str, reason: str, count: int = 1) -> None:
        folder = path.rpartition("/")[0] or "."
        key = (folder, reason)
        if key not in self.passed and len(self.passed) >= PASSED_FOLDERS:
            key = ("(further folders)", reason)
        found = self.passed.setdefault(key, Passed(0, path))
        found.files += count

    def _compare_with_first_version(self, path: str) -> None:
        for pattern in self.layout.patterns:
            if not self.reached[pattern] and pattern not in self.once and pattern.reached_in_first_version(path):
                self.once[pattern] = path

    def before(self) -> str:
        """A sentence about a pattern that reaches nothing since `*` stays within a folder; nothing if there is none."""
        for pattern, path in self.once.items():
            if not self.reached[pattern]:
                return (
                    f"the pattern {str(pattern)!r} reaches no picture, for `*` now stays within a folder, and ? and "
                    f"brackets stand for themselves: to reach {path}, {_remedy(pattern, path)}"
                )
        return ""

    def _look_into_table(self, file: File) -> None:
        if file.size > TABLE_BYTES:
            return
        try:
            found = tables.read(file.read(), file.path)
        except Exception:  # whatever is wrong with it: it is not used
            return
        self.heads[file.path] = [column.slice(0, HEAD).to_pylist() for column in found.columns.values()]


def _remedy(pattern: Pattern, path: str) -> str:
    """The pattern to write instead of one of the first version, so that it reaches a path."""
    for one in (without_old_wildcards(str(pattern)), of_first_version(str(pattern))):
        with suppress(ValueError):
            if Pattern(one).match(composed(path)) is not None:
                return f"write {one}"
    return "write a name with a form in their place, as {part:[0-9]}"
