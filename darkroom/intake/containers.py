"""Which files are containers, by name and first bytes, and what an entry asks of each."""

import re
from pathlib import Path, PurePosixPath
from typing import IO

from darkroom.base.errors import UserError
from darkroom.config.catalogue import Entry, LabelTable, PartOfColumn
from darkroom.config.patterns import Pattern, composed, plain
from darkroom.intake.contained import Asked
from darkroom.intake.table_columns import Key, tidied

IDX = re.compile(r"[.-]idx[0-9]?(-?ubyte)?(\.gz)?$", re.IGNORECASE)
PICKLES = tuple(bytes([0x80, version]) for version in range(2, 6))  # how CIFAR's batches begin
CIFAR_META = ("batches.meta", "meta")  # where the names of their classes stand
ENDINGS = {".csv": "CSV of pixels", ".npy": "NumPy array", ".npz": "NumPy arrays", ".parquet": "Parquet"}


def kind_by_name(path: str) -> str | None:
    """The kind of container that a file may be by its ending; a name without one may be that of a CIFAR batch."""
    if IDX.search(path):
        return "idx"
    ending = PurePosixPath(path).suffix.lower()
    return ENDINGS.get(ending) if ending else "CIFAR batch"


def kind_of(path: str, stream: IO[bytes]) -> str | None:
    """The kind of a container, by its name and, where that has no ending, its first bytes, which stay unread."""
    kind = kind_by_name(path)
    if kind == "CIFAR batch" and not stream.peek(2).startswith(PICKLES):  # type: ignore[attr-defined]
        return None
    return kind


def names_container(pattern: Pattern, path: str) -> bool:
    """Whether a pattern means a file (in composed Unicode) as a container, and not only the folder in which it lies.

    It ends as the file does, as data/train-*.parquet, or names a part of it after a `#`; a file without an ending it
    names itself, as cifar-10-batches-py/data_batch_*.
    """
    head = pattern.of_container or pattern
    kind = kind_by_name(path)
    if kind is None or head.match(path) is None:
        return False
    if kind != "CIFAR batch":
        return kind_by_name(head.text) == kind
    last = re.sub(r"\{.*\}|\*", "", head.text.rpartition("/")[2])
    return head.text == path if head.is_folder else bool(last)


def is_beside(path: str) -> bool:
    """Whether a file may belong to a container beside it: labels of an idx file, names of CIFAR's classes."""
    return kind_by_name(path) == "idx" or PurePosixPath(path).name in CIFAR_META


def own_tables(entry: Entry) -> list[LabelTable]:
    """The tables of an entry that are containers themselves: their rows are the pictures, and no column names these."""
    # A name without an ending may be a folder's; of CIFAR's batches the entry says which labels it wants.
    able = (one for one in entry.tables if one.image is None and (one.label is not None or Path(one.file).suffix))
    return [table for table in able if _is_container(table.file, entry)]


def _is_container(file: str, entry: Entry) -> bool:
    name = plain(file)
    for pattern in (one for own in entry.patterns.values() for one in own):
        head = pattern.of_container or pattern
        if name == head.text or head.text.endswith("/" + name) or names_container(pattern, name):
            return kind_by_name(name) is not None
    return False


def asked(path: str, entry: Entry, *, wants_labels: bool) -> Asked:
    """What an entry says of the container with this path. Raises UserError for what a container cannot give."""
    value_range = (entry.range[0], entry.range[1]) if entry.range else None
    table = next((one for one in own_tables(entry) if _means(one.file, composed(path))), None)
    if table is None:
        return Asked(range=value_range, wants_labels=wants_labels)
    if isinstance(table.label, list | PartOfColumn):
        raise UserError(f"labels of {path}, whose rows are pictures, stand in one column: write label: COLUMN")
    splits: dict[str, list[str]] | None = None
    if table.splits is not None:
        splits = {subset: [str(_key(one)) for one in marks] for subset, marks in table.splits.items()}
    label, group, split = (one if one is None else _key(one) for one in (table.label, table.group, table.split))
    return Asked(label, group, split, splits, value_range, wants_labels or label is not None)


def _means(file: str, path: str) -> bool:
    name = plain(file)
    return path == name or path.endswith("/" + name) or Pattern(name).match(path) is not None


def _key(key: Key) -> Key:
    return tidied(key) if isinstance(key, str) else key
