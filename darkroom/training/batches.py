"""Reads the images of one split batch by batch: from the device's memory if they fit, else from disk, ahead of use.

No image is ever handled alone. A set that does not fit is read in large pieces. Its order is mixed in blocks that lie
together on disk, so that a pass over it runs at the speed of the disk, in bounded memory.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor

from darkroom.augment.randomness import to_device
from darkroom.dataset.packed import Images, Labels, Rows, chunks

WHOLE_BYTES = 2**30  # sets up to this size are shuffled image by image
BLOCK_BYTES = 2**18  # larger sets are shuffled in blocks of this size ...
MIX_BYTES = 2**26  # ... and then within stretches of this size
WINDOW_BYTES = 2**26  # the size of one read ahead; two such windows are in memory
GAP_BYTES = 2**16  # a gap up to this size is cheaper to read than to skip
CGROUP = Path("/sys/fs/cgroup")


class Source(Protocol):
    """What the loop needs of a split."""

    labels: Tensor
    device: torch.device

    def __len__(self) -> int: ...
    def order(self, generator: torch.Generator, *, balance: bool) -> Tensor: ...
    def read(self, parts: Sequence[Tensor]) -> Iterator[Tensor]: ...


class Batches:
    """One split: labels on the device, images (uint8, height x width x channels) on the device or on disk."""

    def __init__(
        self, images: Images, rows: Rows, labels: Labels, device: torch.device, *, memory_share: float
    ) -> None:
        self.labels = torch.from_numpy(labels).to(device)
        self.device = device
        self.image_bytes = int(np.prod(images.shape[1:]))
        self._images, self._rows = images, rows
        self.resident = len(rows) * self.image_bytes <= memory_share * free_memory(device)
        self._whole = _copied(images, rows, device) if self.resident else None

    def __len__(self) -> int:
        return len(self._rows)

    def order(self, generator: torch.Generator, *, balance: bool) -> Tensor:
        """Positions for one pass (int64, on the CPU): each image once or, with `balance`, each class equally often."""
        return balanced(self.labels, generator) if balance else shuffled(len(self), self.image_bytes, generator)

    def read(self, parts: Sequence[Tensor]) -> Iterator[Tensor]:
        """Yield the images of each part, on the device: uint8, N x H x W x C.

        `parts` hold positions in the split, int64 on the CPU.
        """
        if self._whole is not None:
            for part in parts:
                yield self._whole[to_device(part, self.device)]
            return
        with ThreadPoolExecutor(1, "read ahead") as reader:
            windows = list(self._windows(parts))
            ahead = reader.submit(self._load, windows[0]) if windows else None
            for at in range(len(windows)):
                assert ahead is not None
                loaded = ahead.result()
                ahead = reader.submit(self._load, windows[at + 1]) if at + 1 < len(windows) else None
                for images in loaded:
                    yield images.to(self.device, non_blocking=True)

    def _windows(self, parts: Sequence[Tensor]) -> Iterator[list[Tensor]]:
        """Group the parts into windows of at most `WINDOW_BYTES`, one part at least."""
        window: list[Tensor] = []
        for part in parts:
            if window and (sum(map(len, window)) + len(part)) * self.image_bytes > WINDOW_BYTES:
                yield window
                window = []
            window.append(part)
        if window:
            yield window

    def _load(self, window: list[Tensor]) -> list[Tensor]:
        """Read the images of a window's parts in the order in which they lie on disk."""
        rows = self._rows[torch.cat(window).numpy()]
        order = np.argsort(rows, kind="stable")
        found = np.empty((len(rows), *self._images.shape[1:]), np.uint8)
        place = 0
        for run in _runs(rows[order], *(max(1, size // self.image_bytes) for size in (GAP_BYTES, WINDOW_BYTES))):
            found[order[place : place + len(run)]] = self._piece(int(run[0]), int(run[-1]) + 1)[run - run[0]]
            place += len(run)
        whole = torch.from_numpy(found)
        if self.device.type == "cuda":
            whole = whole.pin_memory()
        return list(torch.split(whole, [len(part) for part in window]))

    def _piece(self, start: int, stop: int) -> Images:
        """The images from `start` to `stop`, read past the memory map, whose pages count as this process's memory."""
        if not isinstance(self._images, np.memmap):
            return self._images[start:stop]
        count = (stop - start) * self.image_bytes
        offset = int(self._images.offset) + start * self.image_bytes
        piece = np.fromfile(str(self._images.filename), np.uint8, count, offset=offset)
        return piece.reshape(-1, *self._images.shape[1:])


def of_splits(
    images: Images,
    rows: Mapping[str, Rows],
    labels: Mapping[str, Labels],
    device: torch.device,
    *,
    memory_share: float,
    processes: int = 1,
) -> dict[str, Batches]:
    """The splits of one training; the first ones are kept in memory while all take at most `memory_share` of the free.

    On a CPU, all `processes` of this machine share its memory and each holds all splits; a GPU serves one process.
    """
    left = memory_share * free_memory(device) / (processes if device.type == "cpu" else 1)
    found = {}
    for name, own in rows.items():
        needed = len(own) * int(np.prod(images.shape[1:]))
        found[name] = Batches(images, own, labels[name], device, memory_share=float(needed <= left))
        left -= needed if found[name].resident else 0
    return found


def _copied(images: Images, rows: Rows, device: torch.device) -> Tensor:
    """Copy these images to the device piece by piece, so that map pages or a second copy do not fill the memory."""
    whole = torch.empty((len(rows), *images.shape[1:]), dtype=torch.uint8, device=device)
    start = 0
    for part, found in chunks(images, rows):
        whole[start : start + len(part)] = torch.from_numpy(found)
        start += len(part)
    return whole


def _runs(rows: NDArray[np.int64], gap: int, longest: int) -> list[NDArray[np.int64]]:
    """Cut ascending rows at gaps of more than `gap`, and so that no run spans more than `longest`."""
    cuts = (np.diff(rows) > gap) | (np.diff(rows // longest) > 0)
    return [run for run in np.split(rows, np.flatnonzero(cuts) + 1) if len(run)]


def shuffled(count: int, image_bytes: int, generator: torch.Generator) -> Tensor:
    """Positions in random order (int64, on the CPU). The order depends on the size of the set, not on free memory."""
    if count * image_bytes <= WHOLE_BYTES:
        return torch.randperm(count, generator=generator)
    # 1. Shuffle blocks of images that lie together on disk.
    each = max(1, BLOCK_BYTES // image_bytes)
    blocks = torch.randperm(-(-count // each), generator=generator)
    positions = (blocks[:, None] * each + torch.arange(each)).flatten()
    # 2. Shuffle the images within stretches of many blocks.
    mixed = max(each, MIX_BYTES // image_bytes)
    return torch.cat(
        [
            part[torch.randperm(len(part), generator=generator)]
            for part in torch.split(positions[positions < count], mixed)
        ]
    )


def balanced(labels: Tensor, generator: torch.Generator) -> Tensor:
    """As many positions as labels (int64, on the CPU), each of a random image of a random class: rare ones repeat."""
    labels = labels.cpu()
    order = torch.argsort(labels, stable=True)
    counts = torch.bincount(labels)
    starts = counts.cumsum(0) - counts
    present = counts.nonzero().flatten()
    classes = present[torch.randint(len(present), (len(labels),), generator=generator)]
    within = (torch.rand(len(labels), generator=generator, dtype=torch.float64) * counts[classes]).long()
    return order[starts[classes] + within]


def free_memory(device: torch.device) -> int:
    """The free memory of the device in bytes; on a CPU, within the container's limit."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = int(psutil.virtual_memory().available)
    try:
        limit, used, table = ((CGROUP / f"memory.{name}").read_text().strip() for name in ("max", "current", "stat"))
    except OSError:  # no cgroup of version 2
        return free
    if limit == "max":
        return free
    # The cache of files counts as used, but the system frees it on demand.
    numbers = dict(line.split() for line in table.splitlines())
    cached = int(numbers.get("active_file", 0)) + int(numbers.get("inactive_file", 0))
    return max(0, min(free, int(limit) - int(used) + cached))
