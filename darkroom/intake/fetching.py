"""Brings the archive of a data set into its folder, checks it, and says what it is."""

from pathlib import Path

from darkroom.base.errors import UserError, without_password
from darkroom.base.files import remove, sha256
from darkroom.config.catalogue import Entry
from darkroom.config.stage_files import Source
from darkroom.intake import sources


def fetch(dataset: str, entry: Entry, chosen: str | None, folder: Path) -> Source:
    """Bring the archive of `entry` to `folder`, remove all else there, and return what is known about it.

    `chosen` is the path of an archive that the user names instead of the entry's own source. Raises UserError if the
    archive cannot be had, or does not have the catalogue's checksum.
    """
    folder.mkdir(parents=True, exist_ok=True)
    archive, origin = _bring(entry, chosen, folder)
    digest = sha256(archive)
    # An archive that the user names is theirs to choose; the catalogue's checksum is about its own source.
    if entry.sha256 and entry.sha256 != digest and chosen is None:
        archive.unlink()
        raise UserError(
            f"{archive.name} has sha256 {digest}, but datasets.yaml wants {entry.sha256}: the download was damaged "
            "(run again), or the data set has changed (check it, then correct sha256)"
        )
    for path in folder.iterdir():
        if path != archive:  # what an earlier data set or a broken download left
            remove(path)
    return Source(
        dataset=dataset,
        title=entry.title,
        archive=archive.name,
        origin=origin,
        license=entry.license,
        sha256=digest,
        bytes=archive.stat().st_size,
    )


def _bring(entry: Entry, chosen: str | None, folder: Path) -> tuple[Path, str]:
    """Bring the archive. Returns its path and its origin, in which no folder of this machine is named."""
    if chosen is not None:
        return sources.from_path(Path(chosen), folder), f"file: {Path(chosen).name}"
    if entry.kaggle:
        return sources.from_kaggle(entry.kaggle, folder), f"kaggle: {entry.kaggle}"
    if entry.url:
        return sources.from_url(entry.url, folder), f"url: {without_password(entry.url)}"
    if entry.path:
        return sources.from_path(Path(entry.path), folder), f"file: {Path(entry.path).name}"
    return sources.bundled_digits(folder), "bundled: scikit-learn"
