"""What a benchmark is given, and the plain table that it gives back."""

import platform
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from darkroom.base import processor


@dataclass(frozen=True, slots=True)
class Setting:
    """The archive to work on and what it is, a folder for all that is written, and the runs of each side."""

    archive: Path
    title: str
    work: Path
    repeats: int
    quick: bool  # little work: shows that it runs
    stream_mb: int  # megabytes of images that `streaming` writes and reads
    lightning: Path | None  # a folder with pytorch_lightning, for its side alone
    flip: float  # share of the labels that `suspects` makes wrong
    folds: int  # models that `suspects` trains for the training images
    most: int  # small pictures of the largest set that `scale` makes
    peers: Path | None  # a folder with a folder of packages for each peer of `comparison` and `augmentation`
    remote: str | None  # where `dvc_tree` pushes to, instead of a folder

    @property
    def together(self) -> int:
        """Sides to run at the same time, where they do not build on one another: quick runs measure little anyway."""
        return processor.cores() if self.quick else 1

    def folder(self) -> Path:
        """A new, empty folder. Nothing in it is deleted before all benchmarks have ended.

        On ext4 without a journal, which virtual machines often have, a new file passes by every inode that was freed
        in the last minutes: where a tree was deleted before, making one cost ten times as much.
        """
        return Path(tempfile.mkdtemp(dir=self.work))


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a heading; the first `names` columns hold words, the others figures."""

    title: str
    data: str
    runs: int
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    names: int = 1
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.columns, *self.rows, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if at < self.names else cell.rjust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in (self.columns, ["-" * width for width in widths], *self.rows)
        ]
        runs = f"best of {self.runs} runs" if self.runs > 1 else "one run"
        notes = ["", *self.notes] if self.notes else []
        return "\n".join([self.title, f"{self.data}; {runs}", machine(), "", *lines, *notes])


def machine() -> str:
    """The machine in one line: CPU, cores, Python, torch."""
    python, torch = platform.python_version(), version("torch")  # without importing torch
    return f"{processor.name()}, {processor.cores()} cores, Python {python}, torch {torch}"
