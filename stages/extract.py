"""Decode the pictures of the archive into one array and one table."""

from darkroom.base import paths
from darkroom.base.console import done, run
from darkroom.base.errors import printable
from darkroom.base.files import replacing_folder
from darkroom.config.entry_files import EntryLayout
from darkroom.config.params import load
from darkroom.config.stage_files import Source
from darkroom.intake.extraction import extract
from darkroom.pictures.decoder_warnings import decoder_warnings


def main() -> None:
    params, entry = load()[0], EntryLayout.read(paths.ENTRY_LAYOUT).entry
    source = Source.read(paths.SOURCE)
    archive = paths.RAW / source.archive
    with replacing_folder(paths.DATA) as folder, decoder_warnings():
        found = extract(archive, entry, params.extract, folder, params.dataset, source.sha256)
    for line in found.understood:
        print(printable(line))
    for warning in found.warnings:
        print(f"warning: {printable(warning)}")
    done(f"wrote {paths.IMAGES} ({len(found.index):,} images) and {paths.INDEX}", "dvc repro audit")


if __name__ == "__main__":
    run(main)
