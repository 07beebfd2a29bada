"""Brings an archive from this machine: a copy of it, or a zip of a folder, of one file, or of several archives."""

import os
from collections.abc import Sequence
from pathlib import Path

from darkroom.base.console import bar
from darkroom.base.errors import UserError, printable
from darkroom.base.files import replacing
from darkroom.base.words import counted, listed
from darkroom.intake import stored_zip
from darkroom.intake.archive import foreign, is_archive
from darkroom.intake.brought import ARCHIVES, CONTAINERS, holds_pictures
from darkroom.intake.disk import check_room
from darkroom.intake.folder_files import below
from darkroom.intake.several import check_names, pack_several

PIECE = 2**20
LISTED = 5  # names in a line


def from_path(path: Path, folder: Path) -> Path:
    """Copy an archive, or pack a folder or a file of pictures into a zip whose bytes depend on its files alone."""
    path = outside(path, folder)
    if path.is_dir():
        return _pack_folder(path, folder / f"{path.resolve().name}.zip")
    if not path.is_file():
        raise UserError(f"there is no file or folder {path}: give an absolute path to a zip, a tar or a folder")
    if what := foreign(path.name):
        raise UserError(f"{path} is {what}")
    if holds_pictures(path.name):
        target = folder / f"{path.name}.zip"
        stored_zip.pack([(path.name, path)], target, path.name)
        return target
    if not is_archive(path.name):
        raise UserError(f"{path} is no archive: allowed are {ARCHIVES}, {CONTAINERS}, or a folder")
    check_room(folder, path.stat().st_size, f"the copy of {path}")
    target = folder / path.name
    with (
        replacing(target) as partial,
        path.open("rb") as source,
        partial.open("wb") as copy,
        bar(what=path.name, unit="B", total=path.stat().st_size, unit_scale=True) as shown,
    ):
        while piece := source.read(PIECE):
            copy.write(piece)
            shown.update(len(piece))
    return target


def from_paths(paths: Sequence[Path], folder: Path) -> Path:
    """Pack several archives, or archives and tables, into one zip that holds them."""
    check_names([path.name for path in paths])
    found = [outside(path, folder) for path in paths]
    for path in found:
        if path.is_dir():
            raise UserError(
                f"{path} is a folder, but a list names files: give the folder that holds all, without a list"
            )
        if not path.is_file():
            raise UserError(f"there is no file {path}: give an absolute path to each of the archives")
    return pack_several([(path.name, path) for path in found], folder)


def outside(path: Path, folder: Path) -> Path:
    """The path, with the home folder in it. Raises UserError if it lies in the folder that DVC empties, or holds it."""
    path = path.expanduser()
    chosen, own = path.resolve(), folder.resolve()
    if own in (chosen, *chosen.parents) or chosen in own.parents:
        where = "lies in" if own in (chosen, *chosen.parents) else "holds"
        raise UserError(f"{path} {where} {folder}, which DVC empties before the stage fetch: keep archives elsewhere")
    return path


def _pack_folder(source: Path, target: Path) -> Path:
    files = list(below(source))
    if not files:
        raise UserError(f"the folder {source} holds no files")
    if empty := _without_files(source, files):
        more = f" and {len(empty) - LISTED:,} more" if len(empty) > LISTED else ""
        print(f"no file in {printable(', '.join(empty[:LISTED]))}{more}: a folder without files becomes no class")
    members = [(path.relative_to(source).as_posix(), path) for path in files]
    try:
        dangling = stored_zip.pack(members, target, source.name)
    except UnicodeEncodeError as error:
        raise UserError(f"in the folder {source}, {error.object!r} has a name that is not UTF-8: rename it") from None
    if dangling:
        what = counted(len(dangling), "link leads to nothing", "links lead to nothing")
        print(f"{what} ({printable(listed(dangling))}): extract rejects those among the data")
    return target


def _without_files(source: Path, files: Sequence[Path]) -> list[str]:
    """Folders of `source` that hold none of its files, at any depth: the outermost ones, without hidden ones."""
    filled = {path.parent for path in files}
    filled |= {above for folder in filled for above in folder.parents}
    empty = []
    for place, folders, _ in os.walk(source, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        empty += [Path(place, name) for name in folders if Path(place, name) not in filled]
        folders[:] = [name for name in folders if Path(place, name) in filled]
    return sorted(path.relative_to(source).as_posix() for path in empty)
