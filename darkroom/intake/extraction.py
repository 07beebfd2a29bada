"""Turns an archive into the packed data set: array, index, classes, rejected files, corrections."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from darkroom.base import paths
from darkroom.base.console import progress
from darkroom.base.errors import UserError
from darkroom.base.files import write_csv, write_json
from darkroom.base.processor import cores
from darkroom.base.words import counted
from darkroom.config.catalogue import Entry, Layout
from darkroom.config.params import Extract
from darkroom.config.stage_tables import REJECTED
from darkroom.intake import archive, class_names, corrections
from darkroom.intake.packing import SLICE, pack
from darkroom.pictures.decoding import is_hidden, looks_like_image

FOLDERS_NAMED = 5  # of those that hold pictures which belong to no subset
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


@dataclass
class Sieve:
    """Decides by its path whether a file of an archive is part of the data, and notes the files that it leaves out."""

    layout: Layout
    to_drop: set[str]  # paths that a correction leaves out, composed
    dropped: dict[str, str | None] = field(default_factory=dict)  # those that the archive has, with their labels
    elsewhere: set[str] = field(default_factory=set)  # some folders of pictures that belong to no subset
    others: Counter[str] = field(default_factory=Counter)  # files among the data that are no pictures, by ending

    def __call__(self, path: str) -> bool:
        if not looks_like_image(path):
            if not is_hidden(path) and self.layout.place(path) is not None:
                self.others[PurePosixPath(path).suffix.lower()[:10] or "without an ending"] += 1
            return False
        place = self.layout.place(path)
        if place is None:
            if len(self.elsewhere) < FOLDERS_NAMED:
                self.elsewhere.add(path.rpartition("/")[0] or path)
            return False
        if self.to_drop and corrections.composed(path) in self.to_drop:
            self.dropped[path] = place.label
            return False
        return True

    def is_data(self, file: archive.File) -> bool:
        """Whether a file that passed by its path, or a link, is part of the data."""
        if not file.link:
            return True
        if PurePosixPath(file.path).suffix or is_hidden(file.path):
            return self(file.path)
        return self.layout.place(file.path) is not None  # it may stand for a folder of pictures


@dataclass(frozen=True)
class Extracted:
    """The result of an extraction."""

    index: pa.Table
    rejected: list[tuple[str, str]]  # path and reason
    others: Counter[str]  # by their endings, files among the data that do not look like pictures
    applied: pa.Table  # corrections

    def in_words(self) -> str:
        """What was left out or corrected, in one line; empty if nothing was."""
        told = f"; {len(self.rejected):,} files were rejected, see {paths.REJECTED}" if self.rejected else ""
        if self.others:
            endings = ", ".join(f"{ending} {count:,}" for ending, count in self.others.most_common(5))
            told += f"; {self.others.total():,} files that do not end like pictures were passed over ({endings})"
        if len(self.applied):
            told += f"; {corrections.in_words(self.applied)}, see {paths.CORRECTED}"
        return told


def extract(source: Path, entry: Entry, settings: Extract, folder: Path, dataset: str) -> Extracted:
    """Write the array, the index, the classes, rejected files and corrections of an archive to `folder`.

    Raises UserError if the archive gives too little data, and if names or corrections are wrong.
    """
    layout = Layout(entry)
    wrong = corrections.read(paths.CORRECTIONS, dataset)
    # 1. Decode what belongs to a subset.
    sieve = Sieve(layout, {corrections.composed(one.path) for one in wrong if one.label is None})
    limits = archive.Limits(settings.max_members, settings.max_bytes)
    files = archive.files(source, wanted=sieve, may_hold=layout.may_hold, limits=limits)
    threads = settings.threads or cores()
    shown = progress(filter(sieve.is_data, files), what="decode", unit="image")
    index, rejected = pack(shown, layout, entry.shape, folder, max_pixels=settings.max_pixels, threads=threads)
    _check_enough(index, rejected, settings.max_rejected, source, sieve)
    # 2. Name the classes, correct labels, and number those that are left.
    labels = class_names.labels(index)
    new = corrections.new_classes(wrong, entry.classes)
    dropped = {*sieve.dropped.values(), *new}
    names = new | dict(zip(labels, class_names.names(labels, entry, dataset, dropped), strict=True))
    index, applied = corrections.apply(index, sieve.dropped, wrong, names)
    labels = class_names.labels(index)  # without classes that have lost their last picture
    if len(labels) < 2:
        raise UserError(
            f"{paths.CORRECTIONS} leaves labelled pictures of {counted(len(labels), 'class', 'classes')}, and at least "
            "two are needed: take some corrections back"
        )
    # 3. Write.
    write_json(folder / paths.CLASSES.name, [names[label] for label in labels])
    _write_index(index, labels, folder / paths.INDEX.name)
    write_csv(folder / paths.REJECTED.name, pd.DataFrame(rejected, columns=list(REJECTED.columns)))
    write_csv(folder / paths.CORRECTED.name, applied.to_pandas())
    return Extracted(index, rejected, sieve.others, applied)


def _check_enough(
    index: pa.Table, rejected: list[tuple[str, str]], max_rejected: float, source: Path, sieve: Sieve
) -> None:
    """Raise UserError if there are no pictures, too many rejected files, or fewer than two classes."""
    count = len(index) + len(rejected)
    if not count:
        elsewhere, others = sorted(sieve.elsewhere), sieve.others
        seen = f"pictures lie in {', '.join(elsewhere)}" if elsewhere else "it holds no pictures"
        if others:
            seen += f", but {others.total():,} files of other kinds there ({', '.join(dict(others.most_common(5)))})"
        raise UserError(f"{source} has no picture under {sieve.layout}; {seen}: correct the folders in datasets.yaml")
    if len(rejected) > max_rejected * count:
        examples = "; ".join(f"{path}: {reason}" for path, reason in rejected[:3])
        raise UserError(
            f"{len(rejected):,} of {count:,} files in {source} cannot be used, more than extract.max_rejected "
            f"({max_rejected:.2%}) allows. {examples}. Mend the archive, or raise extract.max_rejected"
        )
    classes = pc.count_distinct(index["label"]).as_py()
    if classes < 2:
        raise UserError(
            f"{source} has labelled pictures of {counted(classes, 'class', 'classes')} under {sieve.layout}, and "
            "at least two are needed: the label of a picture is the name of the folder in which it lies"
        )


def _write_index(index: pa.Table, labels: list[str], path: Path) -> None:
    """Write the index slice by slice, with row numbers, labels as numbers, and hashes in hexadecimal."""
    numbers = pa.array(labels, pa.string())
    with pq.ParquetWriter(path, INDEX) as writer:
        for start in range(0, max(1, len(index)), SLICE):
            part = index.slice(start, SLICE)
            hashes = pa.array([digest.hex() for digest in part["sha256"].to_pylist()], pa.string())
            rows = pa.array(range(start, start + len(part)), pa.int64())
            columns = {name: part[name] for name in INDEX.names if name != "row"}
            columns |= {"row": rows, "label": pc.index_in(part["label"], value_set=numbers), "sha256": hashes}
            writer.write_table(pa.table({name: columns[name] for name in INDEX.names}, schema=INDEX))
