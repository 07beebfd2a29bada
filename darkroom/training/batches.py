"""Images of one split by the batch: out of the device's memory where they fit, else from disk, read ahead by a thread.

No image is ever handled alone. A set that does not fit is read in large pieces: the order of its images is mixed in
blocks that lie together on disk, so that a pass over it runs at the speed of the disk, in bounded memory.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor

from darkroom.augment.randomness import to_device
from darkroom.dataset.packed import Images, Labels, Rows, chunks

WHOLE_BYTES = 2**30  # sets up to this size are shuffled image by image
BLOCK_BYTES = 2**18  # images of larger ones that stay together ...
MIX_BYTES = 2**26  # ... and those among which they are mixed
WINDOW_BYTES = 2**26  # read ahead of the training; two such windows are in memory
GAP_BYTES = 2**16  # reading past so much is cheaper than another read
CGROUP = Path("/sys/fs/cgroup")


class Batches:
    """One split: labels on the device, images (uint8, height x width x channels) there or on disk."""

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
        """Positions for one pass (int64, on the CPU): every image once, or, to `balance`, classes equally often."""
        return balanced(self.labels, generator) if balance else shuffled(len(self), self.image_bytes, generator)

    def read(self, parts: Sequence[Tensor]) -> Iterator[Tensor]:
        """The images at these positions of the split, part after part, on the device: uint8, N x H x W x C.

        `parts` are int64 on the CPU.
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
        window: list[Tensor] = []
        for part in parts:
            if window and (sum(map(len, window)) + len(part)) * self.image_bytes > WINDOW_BYTES:
                yield window
                window = []
            window.append(part)
        if window:
            yield window

    def _load(self, window: list[Tensor]) -> list[Tensor]:
        """The images of some batches, read in the order in which they lie on disk."""
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
        """Neighbouring images. Read, not mapped: pages of a map count as this process's memory."""
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
    """The splits of one training, which take `memory_share` of what is free together, the first ones first.

    So many `processes` of this machine, each with all of them, share the memory of a CPU; a GPU is of one alone.
    """
    left = memory_share * free_memory(device) / (processes if device.type == "cpu" else 1)
    found = {}
    for name, own in rows.items():
        needed = len(own) * int(np.prod(images.shape[1:]))
        found[name] = Batches(images, own, labels[name], device, memory_share=float(needed <= left))
        left -= needed if found[name].resident else 0
    return found


def _copied(images: Images, rows: Rows, device: torch.device) -> Tensor:
    """These images on the device, piece by piece: neither pages of a map nor a second copy fill the host's memory."""
    whole = torch.empty((len(rows), *images.shape[1:]), dtype=torch.uint8, device=device)
    start = 0
    for part, found in chunks(images, rows):
        whole[start : start + len(part)] = torch.from_numpy(found)
        start += len(part)
    return whole


def _runs(rows: NDArray[np.int64], gap: int, longest: int) -> list[NDArray[np.int64]]:
    """Ascending rows, cut where more than `gap` lie between neighbours, and so that none spans more than `longest`."""
    cuts = (np.diff(rows) > gap) | (np.diff(rows // longest) > 0)
    return [run for run in np.split(rows, np.flatnonzero(cuts) + 1) if len(run)]


def shuffled(count: int, image_bytes: int, generator: torch.Generator) -> Tensor:
    """Positions in random order (int64, on the CPU); large sets in blocks. Depends on the set alone, not on memory."""
    if count * image_bytes <= WHOLE_BYTES:
        return torch.randperm(count, generator=generator)
    each = max(1, BLOCK_BYTES // image_bytes)
    blocks = torch.randperm(-(-count // each), generator=generator)
    positions = (blocks[:, None] * each + torch.arange(each)).flatten()
    mixed = max(each, MIX_BYTES // image_bytes)
    return torch.cat(
        [
            part[torch.randperm(len(part), generator=generator)]
            for part in torch.split(positions[positions < count], mixed)
        ]
    )


def balanced(labels: Tensor, generator: torch.Generator) -> Tensor:
    """As many positions as there are labels, each drawn from a random class: rare images come repeatedly."""
    labels = labels.cpu()
    order = torch.argsort(labels, stable=True)
    counts = torch.bincount(labels)
    starts = counts.cumsum(0) - counts
    present = counts.nonzero().flatten()
    classes = present[torch.randint(len(present), (len(labels),), generator=generator)]
    within = (torch.rand(len(labels), generator=generator, dtype=torch.float64) * counts[classes]).long()
    return order[starts[classes] + within]


def free_memory(device: torch.device) -> int:
    """Bytes that may still be taken, a container's limit included."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = int(psutil.virtual_memory().available)
    try:
        limit, used, table = ((CGROUP / f"memory.{name}").read_text().strip() for name in ("max", "current", "stat"))
    except OSError:  # no cgroup of version 2
        return free
    if limit == "max":
        return free
    # Files that were read lately count as used, but make room.
    numbers = dict(line.split() for line in table.splitlines())
    cached = int(numbers.get("active_file", 0)) + int(numbers.get("inactive_file", 0))
    return max(0, min(free, int(limit) - int(used) + cached))
