"""The files of a folder, by the paths that they will have in the archive which the stage fetch makes of it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from darkroom.base.errors import UserError
from darkroom.intake import archive
from darkroom.intake.archive import Budget, File, Inside, Limits, Wanted
from darkroom.intake.zip_reader import failing

TO_NOTHING = "it is a link that leads to nothing"


def below(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """All files below a folder, in the order of their paths.

    Links are followed, and those whose target is not there count as files. Raises UserError for a link to a folder in
    which it lies itself.
    """
    here = folder.resolve()
    if here in above:
        raise UserError(f"{folder} is a link to a folder in which it lies itself: remove it")
    with os.scandir(folder) as found:
        for one in sorted(found, key=lambda entry: entry.name):
            path = folder / one.name
            if path.is_dir() if one.is_symlink() else one.is_dir():  # DirEntry stumbles over a link to itself
                yield from below(path, (*above, here))
            elif one.is_symlink() or one.is_file():
                yield path


def files(source: Path, *, wanted: Wanted, may_hold: Callable[[str], bool], limits: Limits) -> Iterator[File]:
    """As `archive.files`, of an archive, or of a folder, which is neither packed nor copied."""
    if not source.is_dir():
        yield from archive.files(source, wanted=wanted, may_hold=may_hold, limits=limits)
        return
    for path in below(source):
        place = path.relative_to(source).as_posix()
        if path.is_symlink() and not path.exists():
            yield File(place, 0, failing(TO_NOTHING), link=True)
        elif nested := archive.ENDINGS.search(place):
            yield from _nested(path, place[: nested.start()], wanted, may_hold, limits)
        elif callable(answer := wanted(place)):
            with path.open("rb") as stream:
                yield from answer(stream, Budget(path, limits))
        elif answer:
            yield File(place, path.stat().st_size, path.read_bytes)


def _nested(path: Path, inner: str, wanted: Wanted, may_hold: Callable[[str], bool], limits: Limits) -> Iterator[File]:
    """The files of an archive that lies in a folder."""

    def wanted_inside(name: str) -> bool | Inside:
        answer = wanted(f"{inner}/{name}")
        return _without_start(answer, f"{inner}/") if callable(answer) else answer

    if may_hold(inner):
        holds = lambda name: may_hold(f"{inner}/{name}")  # noqa: E731
        for file in archive.files(path, wanted=wanted_inside, may_hold=holds, limits=limits):
            yield file._replace(path=f"{inner}/{file.path}")


def _without_start(inside: Inside, start: str) -> Inside:
    """What gives the pictures of a container, by paths without their start."""

    def pictures(stream: IO[bytes], budget: Budget) -> Iterator[File]:
        for file in inside(stream, budget):
            yield file._replace(path=file.path.removeprefix(start))

    return pictures
