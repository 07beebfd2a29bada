"""What a source may bring: an archive, or one file that holds pictures or labels, judged by its name and its head."""

import re
from pathlib import Path

from darkroom.intake.archive import is_archive, problem

# Files that hold pictures as rows or arrays, as `containers` reads them; idx as in train-images-idx3-ubyte.gz.
PICTURES = re.compile(r"(\.(csv|parquet|npz|npy)|[.-]idx\d?(-?ubyte)?(\.gz)?)$", re.IGNORECASE)
# Tables of labels, and packed samples of submissions: of use beside archives alone.
LABELS = re.compile(r"\.(tsv|txt|json|jsonl|ndjson|mat|csv\.gz|tsv\.gz)$", re.IGNORECASE)
ARCHIVES = ".zip, .7z, .tar, .tar.gz, .tar.bz2, .tar.xz"
CONTAINERS = ".csv, .parquet, .npz, .npy, idx"
HEADS = {
    ".gz": b"\x1f\x8b",
    ".parquet": b"PAR1",
    ".npz": b"PK",
    ".npy": b"\x93NUMPY",
    "ubyte": b"\0\0",
    ".idx": b"\0\0",
}


def holds_pictures(name: str) -> bool:
    """Whether a file's name says that it is no archive, but may hold pictures by itself."""
    return PICTURES.search(name) is not None and not is_archive(name)


def may_stand_in_list(name: str) -> bool:
    """Whether a file may be one of several that make up a data set."""
    return is_archive(name) or holds_pictures(name) or LABELS.search(name) is not None


def damage(file: Path) -> str | None:
    """Why a file cannot be what its name says, judged by its beginning or a zip's directory; None if it may be."""
    if is_archive(file.name):
        return problem(file)
    with file.open("rb") as stream:
        head = stream.read(512)
    if not head:
        return "it is empty"
    begins = next((magic for ending, magic in HEADS.items() if file.name.lower().endswith(ending)), b"")
    return None if head.startswith(begins) and not is_web_page(head) else "it begins otherwise"


def is_web_page(head: bytes) -> bool:
    """Whether a file that begins so is a page for a browser, such as a login."""
    return head.lstrip().startswith(b"<")
