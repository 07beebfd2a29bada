"""Several archives that make up one data set: each becomes a member of one zip, and reads as a folder of its name."""

from collections.abc import Sequence
from pathlib import Path

from darkroom.base.errors import UserError, printable
from darkroom.base.words import listed
from darkroom.intake import stored_zip
from darkroom.intake.archive import ENDINGS, foreign, is_archive
from darkroom.intake.brought import ARCHIVES, CONTAINERS, may_stand_in_list

TARGET = "archives.zip"


def check_names(names: Sequence[str]) -> None:
    """Raise UserError if one of the files is of no use, or if the paths of two would mix."""
    for name in names:
        if what := foreign(name):
            raise UserError(f"{name} is {what}")
        if not may_stand_in_list(name):
            raise UserError(
                f"{name or 'an address without a file'} cannot be one of several archives: allowed are {ARCHIVES}, "
                f"{CONTAINERS}, and tables of labels (.tsv, .txt, .json, .jsonl, .mat)"
            )
    seen: dict[str, str] = {}
    for name in names:
        folder = ENDINGS.sub("", name).casefold()
        if folder in seen:
            both = f"two archives are called {name}" if seen[folder] == name else f"{seen[folder]} and {name}"
            raise UserError(f"{both}: the paths inside them would mix, so rename one")
        seen[folder] = name


def pack_several(files: Sequence[tuple[str, Path]], folder: Path) -> Path:
    """Pack files, in the order of their names, into one zip; say what the paths inside begin with."""
    ordered = sorted(files)
    stored_zip.pack(ordered, folder / TARGET, listed(name for name, _ in ordered))
    inside = [name for name, _ in ordered if is_archive(name)]
    told = f"packed {', '.join(name for name, _ in ordered)} as {TARGET}"
    if inside:
        roots = ", ".join(f"{ENDINGS.sub('', name)}/..." for name in inside)
        told += f": patterns name the files of {', '.join(inside)} as {roots}"
    print(printable(told))
    return folder / TARGET
