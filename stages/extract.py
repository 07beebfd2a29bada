"""Decode the pictures of the archive into one array and one table."""

import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from darkroom.base import paths
from darkroom.base.console import done, progress, run, silent_libraries
from darkroom.base.errors import UserError
from darkroom.base.files import replacing_folder, write_csv, write_json
from darkroom.base.processor import cores
from darkroom.config.catalogue import Entry, Layout
from darkroom.config.params import Extract, load
from darkroom.config.stage_files import Source
from darkroom.config.stage_tables import REJECTED
from darkroom.intake import archive, corrections
from darkroom.intake.packing import SLICE, pack
from darkroom.pictures.decoding import is_hidden, looks_like_image

INDEX = pa.schema(
    {
        "row": pa.int64(),
        "path": pa.string(),
        "label": pa.int32(),
        "subset": pa.string(),
        "sha256": pa.string(),
        "width": pa.int32(),
        "height": pa.int32(),
        "channels": pa.int8(),
    }
)


def main() -> None:
    params, entry = load()
    source = paths.RAW / Source.read(paths.SOURCE).archive
    with replacing_folder(paths.DATA) as folder, silent_libraries():
        found = extract(source, entry, params.extract, folder, params.dataset)
    told = f"; {len(found.rejected):,} files were rejected, see {paths.REJECTED}" if found.rejected else ""
    if found.others:
        endings = ", ".join(f"{ending} {count:,}" for ending, count in found.others.most_common(5))
        told += f"; {found.others.total():,} files that do not end like pictures were passed over ({endings})"
    if len(found.applied):
        told += f"; {corrections.in_words(found.applied)}, see {paths.CORRECTED}"
    done(f"wrote {paths.IMAGES} ({len(found.index):,} images) and {paths.INDEX}{told}", "dvc repro audit")


class Extracted(NamedTuple):
    """What came of the files of an archive."""

    index: pa.Table
    rejected: list[tuple[str, str]]  # path and reason
    others: Counter[str]  # by their endings, files among the data that do not look like pictures
    applied: pa.Table  # corrections


def extract(source: Path, entry: Entry, settings: Extract, folder: Path, dataset: str) -> Extracted:
    """Write the array, the index, the classes, rejected files and corrections of an archive to `folder`."""
    layout = Layout(entry)
    elsewhere: set[str] = set()
    others = Counter[str]()
    wrong = corrections.read(paths.CORRECTIONS, dataset)
    to_drop = {one.path for one in wrong if one.label is None}
    dropped: dict[str, str | None] = {}  # labels by path

    def wanted(path: str) -> bool:
        if not looks_like_image(path):
            if not is_hidden(path) and layout.place(path) is not None:
                others[PurePosixPath(path).suffix.lower()[:10] or "without an ending"] += 1
            return False
        place = layout.place(path)
        if place is None:
            if len(elsewhere) < 5:
                elsewhere.add(path.rpartition("/")[0] or path)
            return False
        if path in to_drop:
            dropped[path] = place.label
            return False
        return True

    limits = archive.Limits(settings.max_members, settings.max_bytes)
    files = archive.files(source, wanted=wanted, may_hold=layout.may_hold, limits=limits)
    threads = settings.threads or cores()
    index, rejected = pack(
        progress(files, what="decode", unit="image"),
        layout,
        entry.shape,
        folder,
        max_pixels=settings.max_pixels,
        threads=threads,
    )
    _check(index, rejected, settings.max_rejected, source, layout, elsewhere, others)
    labels = _labels(index)
    names = dict(zip(labels, _names(labels, entry, dataset, set(dropped.values())), strict=True))
    index, applied = corrections.apply(index, dropped, wrong, names)
    labels = _labels(index)  # without classes that have lost their last picture
    if len(labels) < 2:
        raise UserError(
            f"{paths.CORRECTIONS} leaves labelled pictures of {len(labels)} class{'es' if not labels else ''}, and at "
            "least two are needed: take some corrections back"
        )
    write_json(folder / paths.CLASSES.name, [names[label] for label in labels])
    _write_index(index, labels, folder / paths.INDEX.name)
    write_csv(folder / paths.REJECTED.name, pd.DataFrame(rejected, columns=list(REJECTED.columns)))
    write_csv(folder / paths.CORRECTED.name, applied.to_pandas())
    return Extracted(index, rejected, others, applied)


def _check(
    index: pa.Table,
    rejected: list[tuple[str, str]],
    max_rejected: float,
    source: Path,
    layout: Layout,
    elsewhere: set[str],
    others: Counter[str],
) -> None:
    """Stop where the archive gave no data, or too little of it."""
    count = len(index) + len(rejected)
    if not count:
        seen = f"pictures lie in {', '.join(sorted(elsewhere))}" if elsewhere else "it holds no pictures"
        if others:
            seen += f", but {others.total():,} files of other kinds there ({', '.join(dict(others.most_common(5)))})"
        raise UserError(f"{source} has no picture under {layout}; {seen}: correct the folders in datasets.yaml")
    if len(rejected) > max_rejected * count:
        examples = "; ".join(f"{path}: {reason}" for path, reason in rejected[:3])
        raise UserError(
            f"{len(rejected):,} of {count:,} files in {source} cannot be used, more than extract.max_rejected "
            f"({max_rejected:.2%}) allows. {examples}. Mend the archive, or raise extract.max_rejected"
        )
    classes = pc.count_distinct(index["label"]).as_py()
    if classes < 2:
        raise UserError(
            f"{source} has labelled pictures of {classes} class{'es' if classes != 1 else ''} under {layout}, and at "
            "least two are needed: the label of a picture is the name of the folder in which it lies"
        )


def _labels(index: pa.Table) -> list[str]:
    return sorted(pc.unique(index["label"]).drop_null().to_pylist(), key=_natural)


def _names(labels: list[str], entry: Entry, dataset: str, dropped: set[str | None]) -> list[str]:
    """The classes as people should read them, in the order of their numbers; `dropped` are labels no longer used."""
    unknown = [label for label in entry.classes if label not in labels and label not in dropped]
    if unknown:
        raise UserError(
            f"datasets.yaml: {dataset}.classes names {unknown[0]!r}, but the archive has no such label: "
            f"known are {', '.join(labels[:20])}"
        )
    names = [entry.classes.get(label, label) for label in labels]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UserError(
            f"datasets.yaml: {dataset}.classes gives two labels the name {twice[0]!r}: name one differently"
        )
    return names


def _write_index(index: pa.Table, labels: list[str], path: Path) -> None:
    """Write the index as it is kept: with row numbers, labels as numbers, hashes in hexadecimal; slice by slice."""
    numbers = pa.array(labels, pa.string())
    with pq.ParquetWriter(path, INDEX) as writer:
        for start in range(0, max(1, len(index)), SLICE):
            part = index.slice(start, SLICE)
            hashes = pa.array([digest.hex() for digest in part["sha256"].to_pylist()], pa.string())
            rows = pa.array(range(start, start + len(part)), pa.int64())
            columns = {name: part[name] for name in INDEX.names if name != "row"}
            columns |= {"row": rows, "label": pc.index_in(part["label"], value_set=numbers), "sha256": hashes}
            writer.write_table(pa.table({name: columns[name] for name in INDEX.names}, schema=INDEX))


def _natural(label: str) -> list[tuple[int, int, str]]:
    """Sorts 2 before 10, and numbers before words."""
    # Python reads no number of thousands of digits, and a label that long is none.
    parts = [part for part in re.split(r"(\d+)", label) if part]
    return [(0, int(part), "") if part.isdecimal() and len(part) < 1000 else (1, 0, part) for part in parts]


if __name__ == "__main__":
    run(main)
