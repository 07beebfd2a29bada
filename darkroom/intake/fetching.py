"""Brings the archive of a data set into its folder, checks it, and says what it is."""

from datetime import datetime
from pathlib import Path

from darkroom.base.errors import UserError, without_password
from darkroom.base.files import remove, sha256
from darkroom.config.entry_files import EntrySource
from darkroom.config.stage_files import Source
from darkroom.intake import (
    bundled_source,
    huggingface_source,
    kaggle_source,
    kept_download,
    path_source,
    url_source,
)


def fetch(wanted: EntrySource, folder: Path) -> Source:
    """Bring the archive to `folder`, remove all else there, and return what is known about it.

    Raises UserError if the archive cannot be had, or does not have the catalogue's checksum.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if kept := kept_download.take_over(wanted, folder):
        day = datetime.fromtimestamp(kept[0].stat().st_mtime).astimezone().date()
        print(f"{kept[0].name} is the download that `darkroom add` made on {day}: it is taken over, not made again")
    archive, origin = kept or _bring(wanted, folder)
    digest = sha256(archive)
    if wanted.sha256 not in (None, digest):
        archive.unlink()
        raise UserError(
            f"{archive.name} has sha256 {digest}, but datasets.yaml wants {wanted.sha256}: the download was damaged "
            "(run again), or the data set has changed (check it, then correct sha256)"
        )
    for path in folder.iterdir():
        if path != archive:  # what an earlier data set or a broken download left
            remove(path)
    return Source(archive=archive.name, origin=origin, sha256=digest, bytes=archive.stat().st_size)


def keep(wanted: EntrySource) -> Path:
    """The archive, brought to a place from which `fetch` takes it over later. Raises UserError if it cannot be had."""
    return kept_download.keep(wanted, _bring)


def _bring(wanted: EntrySource, folder: Path) -> tuple[Path, str]:
    """Bring the archive. Returns its path and its origin, in which no folder of this machine is named."""
    source, place = wanted.source, wanted.place
    if isinstance(place, list):
        if source == "url":
            return url_source.from_urls(place, folder), f"url: {', '.join(map(without_password, place))}"
        paths = [Path(one) for one in place]
        return path_source.from_paths(paths, folder), f"files: {', '.join(path.name for path in paths)}"
    if source == "kaggle":
        return kaggle_source.data_set(place, folder), f"kaggle: {place}"
    if source == "competition":
        return kaggle_source.competition(place, folder), f"competition: {place}"
    if source == "huggingface":
        return huggingface_source.data_set(place, folder), f"huggingface: {place}"
    if source == "url":
        return url_source.from_url(place, folder), f"url: {without_password(place)}"
    if source == "path":
        return path_source.from_path(Path(place), folder), f"file: {Path(place).name}"
    return bundled_source.bundled_digits(folder), "bundled: scikit-learn"
