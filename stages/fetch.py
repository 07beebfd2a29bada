"""Fetch the archive of the chosen data set to data/raw/, and record where it came from."""

from darkroom.base import paths
from darkroom.base.console import done, run
from darkroom.config.entry_files import EntrySource
from darkroom.intake.fetching import fetch


def main() -> None:
    source = fetch(EntrySource.read(paths.ENTRY_SOURCE), paths.RAW)
    source.write(paths.SOURCE)
    done(
        f"wrote {paths.RAW / source.archive} ({source.bytes / 1e6:.1f} MB) and {paths.SOURCE}",
        "dvc repro extract",
    )


if __name__ == "__main__":
    run(main)
