"""Bring the archive of the chosen data set to data/raw/, and write down what it is."""

from pathlib import Path

from darkroom.base import paths
from darkroom.base.console import done, run
from darkroom.base.errors import UserError, without_password
from darkroom.base.files import remove, sha256
from darkroom.config.catalogue import Entry
from darkroom.config.params import load
from darkroom.config.stage_files import Source
from darkroom.intake import sources


def main() -> None:
    params, entry = load()
    paths.RAW.mkdir(parents=True, exist_ok=True)
    archive, origin = _bring(entry, params.fetch.archive)
    digest = sha256(archive)
    # An archive that the user names is theirs to choose; the catalogue's checksum is about its own source.
    if entry.sha256 and entry.sha256 != digest and params.fetch.archive is None:
        archive.unlink()
        raise UserError(
            f"{archive.name} has sha256 {digest}, but datasets.yaml wants {entry.sha256}: the download was damaged "
            "(run again), or the data set has changed (check it, then correct sha256)"
        )
    _keep_only(archive)
    size = archive.stat().st_size
    source = Source(
        dataset=params.dataset,
        title=entry.title,
        archive=archive.name,
        origin=origin,
        license=entry.license,
        sha256=digest,
        bytes=size,
    )
    source.write(paths.SOURCE)
    done(f"wrote {archive} ({size / 1e6:.1f} MB) and {paths.SOURCE}", "dvc repro extract")


def _bring(entry: Entry, chosen: str | None) -> tuple[Path, str]:
    """Fetch the archive; return it and its origin, which names no folder of this machine."""
    if chosen is not None:
        return sources.from_path(Path(chosen), paths.RAW), f"file: {Path(chosen).name}"
    if entry.kaggle:
        return sources.from_kaggle(entry.kaggle, paths.RAW), f"kaggle: {entry.kaggle}"
    if entry.url:
        return sources.from_url(entry.url, paths.RAW), f"url: {without_password(entry.url)}"
    if entry.path:
        return sources.from_path(Path(entry.path), paths.RAW), f"file: {Path(entry.path).name}"
    return sources.bundled_digits(paths.RAW), "bundled: scikit-learn"


def _keep_only(archive: Path) -> None:
    """Remove what an earlier data set or a broken download left beside the archive."""
    for path in paths.RAW.iterdir():
        if path not in (archive, paths.SOURCE):
            remove(path)


if __name__ == "__main__":
    run(main)
