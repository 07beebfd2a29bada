"""Turns an archive into the packed data set: array, index, classes, rejected and passed-over files, corrections."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from darkroom.base import paths
from darkroom.base.console import progress
from darkroom.base.errors import UserError
from darkroom.base.files import sha256, write_csv, write_json
from darkroom.base.paths import DATASETS
from darkroom.base.processor import cores
from darkroom.base.words import counted, listed
from darkroom.config.catalogue import Entry
from darkroom.config.entry_files import FOR_FETCH, FOR_NEITHER
from darkroom.config.params import Extract
from darkroom.config.stage_tables import PASSED_OVER, REJECTED
from darkroom.intake import archive, class_warnings, corrections, decoded, label_files, understanding
from darkroom.intake.decoded import Decoded
from darkroom.intake.labelled import Labelled, label
from darkroom.intake.layout import Layout
from darkroom.intake.opener import Opener
from darkroom.intake.packing import SLICE, Packed, pack
from darkroom.intake.sieve import NO_LIST, NO_PATTERN, Sieve
from darkroom.pictures.decoding import Target

# Keys of an entry that decide neither which pictures there are nor their pixels: changed, they decode nothing again.
# For those of its source the archive's own hash stands.
NOT_DECODED = {*FOR_FETCH, *FOR_NEITHER, "classes", "min_images"}
INDEX = pa.schema(
    {
        "row": pa.int64(),
        "path": pa.string(),
        "label": pa.int32(),
        "subset": pa.string(),
        "group": pa.string(),
        "sha256": pa.string(),
        "file_sha256": pa.string(),
        "width": pa.int32(),
        "height": pa.int32(),
        "channels": pa.int8(),
    }
)


@dataclass(frozen=True)
class Extracted:
    """The result of an extraction."""

    index: pa.Table  # labels are names of classes
    understood: list[str]  # lines for people
    warnings: list[str]


def extract(
    source: Path, entry: Entry, settings: Extract, folder: Path, dataset: str, digest: str | None = None
) -> Extracted:
    """Write the array, the index, the classes, rejected files and corrections of an archive to `folder`.

    `digest` is the archive's sha256, if it is known. Raises UserError if the archive gives too little data, and if
    names or corrections are wrong.
    """
    wrong = corrections.read(paths.CORRECTIONS, dataset)
    facts = [
        digest or sha256(source),
        entry.model_dump(mode="json", exclude=NOT_DECODED),
        settings.model_dump(exclude={"threads"}),
    ]
    with decoded.kept(facts, lambda place: _decode(source, entry, settings, place)) as found:
        labelled = label(found, entry, wrong, dataset)
        _check_classes(labelled, source, found.labels_from)
        decoded.share(found.pixels, labelled.rows, folder / paths.IMAGES.name)
    write_json(folder / paths.CLASSES.name, labelled.classes)
    _write_index(labelled.index, labelled.classes, folder / paths.INDEX.name)
    write_csv(folder / paths.REJECTED.name, pd.DataFrame(labelled.rejected, columns=list(REJECTED.columns)))
    passed_over = sorted([*found.passed_over, *labelled.left_out])
    write_csv(folder / paths.PASSED_OVER.name, pd.DataFrame(passed_over, columns=list(PASSED_OVER.columns)))
    write_csv(folder / paths.CORRECTED.name, labelled.applied.to_pandas())
    lines = [
        *understanding.data(labelled.index, labelled.classes, found.labels_from),
        *understanding.left_out(labelled.rejected, passed_over),
    ]
    if len(labelled.applied):
        lines.append(f"{corrections.in_words(labelled.applied)}, see {paths.CORRECTED}")
    odd = class_warnings.warnings(labelled.index, from_folders=found.labels_are_folders)
    return Extracted(labelled.index, lines, [*found.warnings, *odd])


def _decode(source: Path, entry: Entry, settings: Extract, folder: Path) -> Decoded:
    """Decode what belongs to a subset. Raises UserError if it is too little."""
    # 1. Read what says which pictures there are.
    limits = archive.Limits(settings.max_members, settings.max_bytes)
    tables, lists = label_files.read(source, entry, limits)
    layout = Layout(entry, tables, lists)
    named = [*tables, *(one for own in lists.values() for one in own)]
    opener = Opener(source, entry, layout, limits)
    sieve = Sieve(layout, frozenset(table.path for table in named), opener=opener)
    # 2. Decode them.
    files = archive.files(source, wanted=sieve, may_hold=sieve.may_hold, limits=limits)
    shown = progress(sieve.pictures(files), what="decode", unit="image")
    value_range = (entry.range[0], entry.range[1]) if entry.range else None
    target = Target(entry.shape, entry.resize, value_range, settings.max_pixels)
    packed = pack(shown, target, folder, threads=settings.threads or cores())
    # 3. Say what is odd.
    if before := sieve.before():
        raise UserError(f"{DATASETS}: {before}")
    _check_enough(packed, settings.max_rejected, source, sieve)
    passed_over = [(place, reason, found.files, found.example) for (place, reason), found in sieve.passed.items()]
    warnings = [
        *understanding.warnings(sieve, named, packed.index),
        *packed.noticed.in_words(entry.range),
        *opener.said,
    ]
    return Decoded(
        folder / decoded.PIXELS,
        packed.index,
        packed.rejected,
        sorted(passed_over),
        layout.labels_from(),
        layout.labels_are_folders,
        warnings,
    )


def _check_enough(packed: Packed, max_rejected: float, source: Path, sieve: Sieve) -> None:
    """Raise UserError if there are no pictures, or too many rejected files."""
    index, rejected = packed.index, packed.rejected
    count = len(index) + len(rejected)
    if not count or not (rejected or pc.any(pc.equal(index["subset"], "train")).as_py()):
        picture = "picture to train on" if count else "picture"
        raise UserError(
            f"{source} has no {picture} under {sieve.layout}; {_seen(sieve)}: correct the patterns in {DATASETS}"
        )
    if len(rejected) > max_rejected * count:
        examples = "; ".join(f"{path}: {reason}" for path, reason in rejected[:3])
        raise UserError(
            f"{len(rejected):,} of {count:,} files in {source} cannot be used, more than extract.max_rejected "
            f"({max_rejected:.2%}) allows. {examples}. Mend the archive, or raise extract.max_rejected"
        )


def _seen(sieve: Sieve) -> str:
    """What an archive holds that no subset takes."""
    folders = sorted({folder for folder, reason in sieve.passed if reason in (NO_PATTERN, NO_LIST)})
    if folders == ["."]:
        return "pictures lie in the archive's own top, outside of all folders"
    if folders:
        return f"pictures lie in {listed(folders, 5)}"
    others = [(reason, found.files) for (_, reason), found in sieve.passed.items()]
    count = sum(files for _, files in others)
    kinds = f", but {counted(count, 'other file')} ({listed(sorted({reason for reason, _ in others}), 5)})"
    return f"it holds no {'other ' * any(sieve.reached.values())}pictures{kinds if others else ''}"


def _check_classes(labelled: Labelled, source: Path, labels_from: str) -> None:
    """Raise UserError if the pictures to learn from are of fewer than two classes."""
    train = labelled.index.filter(pc.equal(labelled.index["subset"], "train"))
    found = pc.unique(train["label"]).to_pylist()
    if len(found) >= 2:
        return
    classes = counted(len(found), "class", "classes") + (f" ({listed(found)})" if found else "")
    if len(labelled.applied) or labelled.left_out:
        causes = [str(paths.CORRECTIONS)] * bool(len(labelled.applied))
        causes += [f"{DATASETS} (classes, min_images)"] * bool(labelled.left_out)
        verb = "leave" if len(causes) > 1 else "leaves"
        raise UserError(
            f"{' and '.join(causes)} {verb} training pictures of {classes}, and at least two are needed: take some of "
            "it back"
        )
    others = [name for name in labelled.classes if name not in found]
    verb = "stands" if len(others) == 1 else "stand"
    elsewhere = f"; {listed(others)} {verb} in other subsets alone" if others else ""
    raise UserError(
        f"{source} has training pictures of {classes}{elsewhere}, "
        f"and at least two are needed to learn to tell them apart (labels from {labels_from}): correct "
        f"`train` or `labels` in {DATASETS}; finding what is unlike one class alone is not what Darkroom does"
    )


def _write_index(index: pa.Table, classes: list[str], path: Path) -> None:
    """Write the index slice by slice, with row numbers, labels as numbers, and hashes in hexadecimal."""
    numbers = pa.array(classes, pa.string())
    with pq.ParquetWriter(path, INDEX) as writer:
        for start in range(0, max(1, len(index)), SLICE):
            part = index.slice(start, SLICE)
            columns = {name: part[name] for name in INDEX.names if name != "row"}
            columns["row"] = pa.array(range(start, start + len(part)), pa.int64())
            columns["label"] = pc.index_in(part["label"], value_set=numbers)
            for name in ("sha256", "file_sha256"):
                columns[name] = _in_hexadecimal(part[name])
            writer.write_table(pa.table({name: columns[name] for name in INDEX.names}, schema=INDEX))


def _in_hexadecimal(hashes: pa.ChunkedArray) -> pa.Array:
    """Hashes of 32 bytes each as text, all at once."""
    content = b"".join(
        memoryview(chunk.buffers()[1])[32 * chunk.offset : 32 * (chunk.offset + len(chunk))] for chunk in hashes.chunks
    )
    text = pa.py_buffer(content.hex().encode())
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(64), len(hashes), [None, text]).cast(pa.string())
