"""Reads the sample submission that an entry names from its archive, and says what extract understood of it."""

import gzip
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from darkroom.base.errors import UserError
from darkroom.base.words import counted, size
from darkroom.config.catalogue import Entry
from darkroom.intake import archive, label_files
from darkroom.intake.sieve import OTHER_KIND
from darkroom.intake.table_columns import named
from darkroom.intake.understanding import UNUSED

MAX_BYTES = 2**29
PassedOver = tuple[str, str, int, str]  # folder, reason, number of files, the first of them


def read(source: Path, entry: Entry, limits: archive.Limits) -> tuple[str, bytes]:
    """The path and the content of the sample, unpacked where it is a .gz; both empty where the entry names none.

    Raises UserError if the archive lacks it, or if it is too large.
    """
    if entry.sample is None:
        return "", b""
    path, content = label_files.contents(source, {entry.sample.sample}, limits)[entry.sample.sample]
    if path.lower().endswith(".gz"):
        try:
            with gzip.GzipFile(fileobj=pa.BufferReader(content)) as packed:
                content = packed.read(MAX_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"the sample submission {path} cannot be unpacked: {error}") from None
    if len(content) > MAX_BYTES:
        raise UserError(f"the sample submission {path} has more than {size(MAX_BYTES)}: cut it down")
    return path, content


def in_words(sample: bytes, entry: Entry, classes: Sequence[str], index: pa.Table) -> tuple[list[str], list[str]]:
    """Lines on what was understood of a sample, and warnings. Raises UserError if it does not fit the data."""
    if entry.sample is None:
        return [], []
    from darkroom.intake.sample_submission import understand  # here, for few entries name a sample

    pictures = index["path"].filter(pc.equal(index["subset"], "unlabeled")).to_pylist()
    found = understand(sample, entry, classes, pictures)
    understood = f"submission as {found.text.path}: {found.in_words()}; its ids are {found.ids.way}{found.answers.hint}"
    left = found.ids.left
    if not len(left):
        return [understood], []
    verb = "has" if len(left) == 1 else "have"
    example = named(pictures[left[0]])
    warning = f"{counted(len(left), 'picture')} without label {verb} no row in {found.text.path}, the first being "
    return [understood], [f"{warning}{example}: predict leaves {'it' if len(left) == 1 else 'them'} out"]


def without(
    path: str, passed_over: Iterable[PassedOver], warnings: Iterable[str]
) -> tuple[list[PassedOver], list[str]]:
    """Files passed over, and warnings of them, but for the sample: the decoding of pictures does not know of it."""
    kept = []
    samples = path.rpartition("/")[0] or ".", f"{OTHER_KIND}: {PurePosixPath(path).suffix.lower()}"
    for folder, reason, files, example in passed_over:
        files -= bool(path) and (folder, reason) == samples
        if files:
            kept.append((folder, reason, files, example))
    return kept, [one for one in warnings if not (path and one.startswith(f"{path} {UNUSED}"))]
