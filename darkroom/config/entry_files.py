"""What the first stages read of an entry, each in a file of its own: DVC repeats a stage only where its file changes.

So a recipe that is edited in datasets.yaml fetches nothing again and decodes nothing again, nor does a title; and a
changed pattern fetches nothing again.
"""

from pathlib import Path
from typing import Any

from pydantic import field_serializer

from darkroom.base import paths
from darkroom.config.catalogue import SOURCES, Entry
from darkroom.config.params import Params
from darkroom.config.stage_files import StageFile

FOR_FETCH = (*SOURCES, "sha256")
FOR_NEITHER = ("title", "license", "submission", "recipe")  # later stages read them from the catalogue


class EntrySource(StageFile):
    """data/entry/source.json: the archive, or the archives, that fetch brings.

    `source` is a key of the entry, `place` its value.
    """

    source: str
    place: str | list[str]
    sha256: str | None

    @property
    def files(self) -> list[str]:
        """The files or folders that are brought from this machine; none where the source is elsewhere."""
        places = [self.place] if isinstance(self.place, str) else self.place
        return places if self.source == "path" else []

    @classmethod
    def of(cls, params: Params, entry: Entry) -> "EntrySource":
        """The entry's own source, or the archive that the user names instead."""
        if params.archive is not None:
            # It is theirs to choose; the catalogue's checksum is about the entry's own source.
            return cls(source="path", place=params.archive, sha256=None)
        (source,) = (name for name in SOURCES if getattr(entry, name) is not None)
        return cls(source=source, place=getattr(entry, source), sha256=entry.sha256)


class EntryLayout(StageFile):
    """data/entry/layout.json: the entry as extract reads it: in data/raw, and without what decides no picture."""

    entry: Entry

    @classmethod
    def of(cls, entry: Entry) -> "EntryLayout":
        """All of `entry` that is neither for fetch alone nor for later stages alone."""
        settings = entry.model_dump(exclude_unset=True, exclude={*FOR_FETCH, *FOR_NEITHER})
        return cls(entry=Entry.model_validate({"path": paths.RAW.as_posix()} | settings))

    @field_serializer("entry")
    def _without_unset(self, entry: Entry) -> dict[str, Any]:
        return entry.model_dump(exclude_unset=True)


def write(params: Params, entry: Entry, root: Path = Path()) -> None:
    """Write both files to a repository."""
    EntrySource.of(params, entry).write(root / paths.ENTRY_SOURCE)
    EntryLayout.of(entry).write(root / paths.ENTRY_LAYOUT)
