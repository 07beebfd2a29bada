"""A set larger than the memory it may take: one pass over images on disk, in shuffled batches.

Made images, 64x64x3, in one .npy file as the extract stage writes it. Ours is training.batches with no memory to keep
the set in. Beside it the same file read from end to end in pieces of 4 MiB, which is what the disk gives, in no order;
and single images of a memory map at random, stacked to batches, as a Dataset without workers reads them (for a minute
at most). Before each side the system is asked to forget the file (posix_fadvise, DONTNEED), so that it comes from the
disk; a virtual machine's host may still have it in memory. Peak memory of a process holds pages of a map.
"""

import os
import time
from pathlib import Path

import numpy as np

from benchmarks.fresh import Figures, best, clock, fresh, peak_mb
from benchmarks.table import Setting, Table

SHAPE = (64, 64, 3)
BATCH = 128
PIECE = 2**22  # bytes of one sequential read
LIMIT = 60  # seconds for random reads
CAN_FORGET = hasattr(os, "posix_fadvise")


def run(setting: Setting) -> list[Table]:
    file = str(setting.folder() / "images.npy")
    fresh(make, file, setting.stream_mb)
    found = best(
        {
            "ours, shuffled": lambda: fresh(ours, file),
            "sequential read": lambda: fresh(sequential, file),
            "random images of a memory map": lambda: fresh(random, file),
        },
        setting.repeats,
    )
    through = found["sequential read"]["seconds_per_mb"]
    rows = [
        [
            name,
            f"{1 / figures['seconds_per_mb']:,.0f}",
            f"{through / figures['seconds_per_mb']:.2f}",
            f"{1000 * figures['cpu_per_mb']:.2f}",
            f"{figures['imports']:.0f}",
            f"{figures['peak']:.0f}",
            f"{figures['peak'] - figures['imports']:.0f}",
        ]
        for name, figures in found.items()
    ]
    columns = ("way", "MB/s", "of sequential", "CPU ms/MB", "imports MB", "peak MB", "over imports")
    size = Path(file).stat().st_size
    data = f"{size / 1e6:,.0f} MB of made images, {'x'.join(map(str, SHAPE))}, batches of {BATCH}"
    forgotten = "was asked to forget it" if CAN_FORGET else "could not be asked to forget it"
    note = f"The file's pages: before each side the system {forgotten} (posix_fadvise, DONTNEED)."
    return [Table("streaming: one pass over a set on disk", data, setting.repeats, columns, rows, notes=(note,))]


def make(file: str, megabytes: int) -> Figures:
    """Write the file, noise as images."""
    count = max(BATCH, megabytes * 2**20 // int(np.prod(SHAPE)))
    images = np.lib.format.open_memmap(file, "w+", np.uint8, (count, *SHAPE))
    generator = np.random.default_rng(0)
    for part in np.array_split(np.arange(count), -(-count // 4096)):
        images[part[0] : part[-1] + 1] = generator.integers(0, 256, (len(part), *SHAPE), np.uint8)
    images.flush()
    return {"images": count}


def ours(file: str) -> Figures:
    """As the engine reads a set that does not fit."""
    from darkroom.base import torch_setup

    torch = torch_setup.torch_for(threads=0, portable=False)
    from darkroom.training.batches import Batches, shuffled

    images = np.load(file, mmap_mode="r")
    labels = np.zeros(len(images), np.int64)
    data = Batches(images, np.arange(len(images)), labels, torch.device("cpu"), memory_share=0)
    _forget(file)
    imports, seen = peak_mb(), 0
    with clock() as figures:
        order = shuffled(len(data), data.image_bytes, torch.Generator().manual_seed(0))
        for batch in data.read(torch.tensor_split(order, -(-len(order) // BATCH))):
            seen += len(batch)
    if seen != len(images):
        raise RuntimeError(f"{seen} images were read of {len(images)}")
    return _per_mb(figures, seen * data.image_bytes, imports)


def sequential(file: str) -> Figures:
    """The file from end to end, as dd reads it."""
    _forget(file)
    imports, seen, buffer = peak_mb(), 0, bytearray(PIECE)
    with clock() as figures, Path(file).open("rb", buffering=0) as stream:
        while count := stream.readinto(buffer):
            seen += count
    return _per_mb(figures, seen, imports)


def random(file: str) -> Figures:
    """One image after another from anywhere in a memory map."""
    images = np.load(file, mmap_mode="r")
    _forget(file)
    imports, seen, end = peak_mb(), 0, time.perf_counter() + LIMIT
    with clock() as figures:
        order = np.random.default_rng(0).permutation(len(images))
        for part in np.array_split(order, -(-len(order) // BATCH)):
            seen += np.stack([images[at] for at in part]).nbytes
            if time.perf_counter() > end:
                break
    return _per_mb(figures, seen, imports)


def _forget(file: str) -> None:
    """Ask the system to drop the file's pages from its cache, once they are on the disk."""
    if CAN_FORGET:
        with Path(file).open("rb") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _per_mb(figures: Figures, count: int, imports: float) -> Figures:
    megabytes = count / 1e6
    return {
        "seconds_per_mb": figures["wall"] / megabytes,
        "cpu_per_mb": figures["cpu"] / megabytes,
        "imports": imports,
        "peak": peak_mb(),
    }
