"""Bring the archive of the chosen data set to data/raw/, and write down what it is."""

from pathlib import Path

from darkroom import paths, sources
from darkroom.catalog import Entry
from darkroom.console import UserError, done, run, without_password
from darkroom.files import read_json, remove, sha256, write_json
from darkroom.params import load


def main() -> None:
    params, entry = load()
    paths.RAW.mkdir(parents=True, exist_ok=True)
    origin = _origin(entry, params.fetch.archive)
    archive = _kept(origin) or _bring(entry, params.fetch.archive)
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
    source = {
        "archive": archive.name,
        "origin": origin,
        "license": entry.license,
        "sha256": digest,
        "bytes": size,
    }
    write_json(paths.SOURCE, {"dataset": params.dataset, "title": entry.title, **source})
    done(f"wrote {archive} ({size / 1e6:.1f} MB) and {paths.SOURCE}", "dvc repro extract")


def _origin(entry: Entry, chosen: str | None) -> str:
    """Where the archive comes from, without any folder of this machine."""
    if chosen is not None:
        return f"file: {Path(chosen).name}"
    if entry.kaggle:
        return f"kaggle: {entry.kaggle}"
    if entry.url:
        return f"url: {without_password(entry.url)}"
    if entry.path:
        return f"file: {Path(entry.path).name}"
    return "bundled: scikit-learn"


def _kept(origin: str) -> Path | None:
    """The archive that was downloaded from there before: another recipe is no reason to download it again."""
    if not origin.startswith(("kaggle: ", "url: ")):
        return None
    try:
        source = read_json(paths.SOURCE)
        archive: Path = paths.RAW / source["archive"]
        return archive if source["origin"] == origin and sha256(archive) == source["sha256"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _bring(entry: Entry, chosen: str | None) -> Path:
    if chosen is not None:
        return sources.from_path(Path(chosen), paths.RAW)
    if entry.kaggle:
        return sources.from_kaggle(entry.kaggle, paths.RAW)
    if entry.url:
        return sources.from_url(entry.url, paths.RAW)
    if entry.path:
        return sources.from_path(Path(entry.path), paths.RAW)
    return sources.bundled_digits(paths.RAW)


def _keep_only(archive: Path) -> None:
    """Remove what an earlier data set or a broken download left beside the archive."""
    for path in paths.RAW.iterdir():
        if path not in (archive, paths.SOURCE):
            remove(path)


if __name__ == "__main__":
    run(main)
