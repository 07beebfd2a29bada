"""What `darkroom add` downloaded to look into it, kept until the stage fetch takes it over: it is downloaded once.

It lies under `.downloads` at the root of the repository, in a folder named by a hash of its source. `.downloads` may
be deleted at any time.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from darkroom.base.files import read_json, remove, replacing_folder, write_json
from darkroom.base.paths import root
from darkroom.config.entry_files import EntrySource

NOTE = "note.json"
Bring = Callable[[EntrySource, Path], tuple[Path, str]]  # to a folder; gives the archive and its origin


def keep(wanted: EntrySource, bring: Bring) -> Path:
    """The archive of a source, brought now if it is not kept from before."""
    place = _place(wanted)
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_suffix(".lock")):
        if _read(place) is None:
            remove(place)
            with replacing_folder(place) as partial:
                archive, origin = bring(wanted, partial)
                facts = {"archive": archive.name, "origin": origin, "bytes": archive.stat().st_size}
                write_json(partial / NOTE, facts)
        found = _read(place)
        assert found is not None
        return found[0]


def take_over(wanted: EntrySource, folder: Path) -> tuple[Path, str] | None:
    """Move the kept archive of a source to `folder`. Returns its path there and its origin; None if none is kept."""
    place = _place(wanted)
    if _read(place) is None:
        return None
    with FileLock(place.with_suffix(".lock")):
        if (found := _read(place)) is None:  # another process was quicker
            return None
        archive, origin = found
        moved = Path(shutil.move(archive, folder / archive.name))
        remove(place)
    return moved, origin


def _place(wanted: EntrySource) -> Path:
    source = json.dumps([wanted.source, wanted.place])
    return root() / ".downloads" / "kept" / hashlib.sha256(source.encode()).hexdigest()[:16]


def _read(place: Path) -> tuple[Path, str] | None:
    """The archive in a folder and its origin; None if it is not there whole."""
    try:
        note = read_json(place / NOTE)
        archive = place / note["archive"]
        return (archive, note["origin"]) if archive.stat().st_size == note["bytes"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
