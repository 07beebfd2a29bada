"""Opens the containers that an entry names: their pictures as files of an archive, with what is said of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from darkroom.base.errors import UserError
from darkroom.config.catalogue import Entry, Subset
from darkroom.config.patterns import composed
from darkroom.intake import containers, folder_files, label_values
from darkroom.intake.archive import Budget, File, Limits
from darkroom.intake.contained import Asked, Container, Picture, subset_of
from darkroom.intake.label_values import Values
from darkroom.intake.layout import Layout, Own
from darkroom.intake.table_columns import Table
from darkroom.intake.zip_reader import BadMember, failing

MOST_BESIDE = 2**28  # bytes


@dataclass
class Opener:
    """Opens containers of one archive."""

    source: Path
    entry: Entry
    layout: Layout
    limits: Limits
    waiting: list[str] = field(default_factory=list)  # files that a container may ask for, and none has so far
    said: list[str] = field(default_factory=list)  # for the owner of the archive
    _used: set[str] = field(default_factory=set)
    _asked_for: dict[tuple[str, ...], tuple[str, bytes] | None] = field(default_factory=dict)

    def is_container(self, path: str) -> bool:
        """Whether the entry means a file as a container."""
        path = composed(path)
        return any(containers.names_container(pattern, path) for pattern in self.layout.patterns)

    def waits(self, path: str) -> bool:
        """Whether a file may stand beside a container, with its labels; then it waits in `waiting`."""
        if not containers.is_beside(path):
            return False
        if composed(path) not in self._used:
            self.waiting.append(path)
        return True

    def container(self, path: str, stream: IO[bytes], budget: Budget) -> Container:
        """A container as its reader wants it."""
        wanted = self.layout.wants_own_labels(path)
        asked = containers.asked(path, self.entry, wants_labels=wanted)
        return Container(path, stream, asked, budget, self._beside, lambda part: self._reaches(path, part))

    def pictures(self, container: Container) -> Iterator[tuple[File, Own]]:
        """The pictures of a container. Raises UserError where it is damaged, or its labels are no classes."""
        from darkroom.intake import container_readers

        path, asked = container.path, container.asked
        labels: Values = []
        for found in container_readers.pictures(container):
            file = _file(path, found)
            labels.append(found.label)
            yield file, _own(path, found, asked)
        self.said += container.said
        label_values.check_classes(labels, Table(path, {}), "label" if asked.label is None else asked.label)

    def _reaches(self, path: str, part: str) -> bool:
        folder = f"{path}#{part}" if part else path
        reaching = (one for one in self.layout.patterns if containers.names_container(one, composed(path)))
        return any(one.of_container is None or one.may_reach_below(folder) for one in reaching)

    def _beside(self, paths: Sequence[str]) -> tuple[str, bytes] | None:
        """The path and the content of the first of these files that the archive holds; CIFAR's batches share one."""
        key = tuple(paths)
        if key not in self._asked_for:
            self._asked_for[key] = self._found_beside(key)
        return self._asked_for[key]

    def _found_beside(self, paths: Sequence[str]) -> tuple[str, bytes] | None:
        found: dict[str, bytes] = {}
        wanted = set(map(composed, paths))
        for file in folder_files.files(
            self.source,
            wanted=lambda path: composed(path) in wanted,
            may_hold=lambda folder: any(path.startswith(composed(folder) + "/") for path in wanted),
            limits=self.limits,
        ):
            if composed(file.path) not in wanted:
                continue  # a link elsewhere
            if file.size > MOST_BESIDE:
                raise UserError(f"{file.path} has {file.size:,} bytes, and {MOST_BESIDE:,} of labels are read")
            try:
                found[composed(file.path)] = file.read()
            except BadMember as error:
                raise UserError(f"the labels in {file.path} cannot be read: {error}") from None
        best = next((path for path in map(composed, paths) if path in found), None)
        if best is None:
            return None
        self._used.add(best)
        self.waiting = [path for path in self.waiting if composed(path) != best]
        return best, found[best]


def _file(path: str, found: Picture) -> File:
    name = f"{path}#{found.name}"
    if found.problem:
        return File(name, 0, failing(found.problem))
    if found.values is not None:
        return File(name, found.values.nbytes, found.values.tobytes, values=found.values)
    content = found.content
    return File(name, len(content), lambda: content)


def _own(path: str, found: Picture, asked: Asked) -> Own:
    subset, reason = None, f"{path} gives no label"
    if asked.split is not None:
        subset, elsewhere = subset_of(found.mark, asked, path)
        if subset is None:
            return Own(path, is_elsewhere=True, reason=elsewhere)
    return Own(path, found.labels_from, found.label, found.group, cast(Subset | None, subset), reason=reason)
