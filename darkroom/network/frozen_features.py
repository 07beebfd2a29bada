"""What a body that stays as it is makes of pictures: computed once, and kept by hash for later stages and runs.

`.features` lies at the root of the repository, a folder for each body; it may be deleted at any time. A folder's name
is a hash of all that decides the features beside the pixels, and a picture is known by the sha256 of the pixels that
the body sees. So no kept value is ever out of date, and data sets that share pictures share their features.

The body always works on batches of one size, the last one filled up, so that the features of a picture do not depend
on which other pictures are known already: equal bytes with and without the folder.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from darkroom.base import paths
from darkroom.base.files import code_of, fingerprint, remove, replacing
from darkroom.base.words import size
from darkroom.config import own_code
from darkroom.config.image_sizes import middle
from darkroom.network.normalisation import normalise

Features = NDArray[np.float32]  # N x width

BATCH = 32
FEATURES, HASHES = ".features.npy", ".hashes.npy"  # the ends of two files of equal length
PIECE = 4096  # pictures whose features are written together
FREE_SHARE = 0.1  # of the free disk that new features may take


class FrozenBody:
    """A network's body in evaluation mode, float32, and what it has made of pictures so far."""

    def __init__(self, body: nn.Module, mean: Tensor, std: Tensor, part: tuple[int, int] | None, width: int) -> None:
        """`mean` and `std` are channels x 1 x 1 on the scale of bytes.

        The body sees the middle of a picture, `part` (height, width), or all of it; `width` is its number of features.
        """
        self.part, self.width = part, width
        self._body, self._mean, self._std = body, mean, std
        self._folder = paths.features() / _key(body, mean, std)
        self._known: dict[bytes, Features] = {}
        self._new: list[bytes] = []
        self._can_write = True
        for hashes, features in _kept(self._folder):
            self._known.update(zip(hashes, features, strict=True))

    def __call__(self, images: Tensor) -> Features:
        """The features of some pictures: uint8, N x height x width x channels."""
        if self.part is not None:
            rows, columns = middle(images.shape[1:3], self.part)
            images = images[:, rows, columns]
        pixels = images.cpu().contiguous().numpy()
        shape = str(pixels.shape[1:]).encode()
        hashes = [hashlib.sha256(shape + picture.tobytes()).digest() for picture in pixels]
        missing = {digest: at for at, digest in enumerate(hashes) if digest not in self._known}
        places = torch.tensor(list(missing.values()), dtype=torch.int64)
        for part in torch.split(places, BATCH) if missing else ():
            filled = torch.cat([part, part[-1:].expand(BATCH - len(part))])
            self._compute([hashes[at] for at in part], images[filled.to(images.device)])
        found = np.array([self._known[digest] for digest in hashes], np.float32).reshape(-1, self.width)
        if len(self._new) >= PIECE:
            self.keep()
        return found

    @torch.no_grad()
    def _compute(self, hashes: list[bytes], images: Tensor) -> None:
        self._body.eval()
        made = self._body(normalise(images.to(self._mean.device), self._mean, self._std)).float().cpu().numpy()
        self._known.update(zip(hashes, made, strict=False))  # the batch is filled up
        self._new += hashes

    def keep(self) -> None:
        """Write what is new, if the disk has room; then delete what was not asked for longest, down to the limit.

        Trouble with the disk is told once, for nothing but time is lost.
        """
        if not self._new or not self._can_write:
            return
        try:
            self._write()
        except OSError as error:
            self._can_write = False
            print(f"warning: features are not kept in {paths.features()} ({error}): later stages compute them again")
        self._new = []

    def _write(self) -> None:
        features = np.stack([self._known[digest] for digest in self._new])
        free = shutil.disk_usage(paths.root()).free
        if features.nbytes > min(paths.FEATURES_LIMIT, FREE_SHARE * free):
            raise OSError(f"{size(features.nbytes)} are too much for the limit, or for {size(free)} of free disk")
        hashes = b"".join(self._new)
        name = hashlib.sha256(hashes).hexdigest()[:16]
        _save(self._folder / f"{name}{FEATURES}", features)
        _save(self._folder / f"{name}{HASHES}", np.frombuffer(hashes, np.uint8).reshape(-1, 32))
        # From now on they are read from disk as they are asked for.
        kept = np.asarray(np.load(self._folder / f"{name}{FEATURES}", mmap_mode="r"))
        self._known.update(zip(self._new, kept, strict=True))
        with suppress(OSError):  # another process may prune at the same time
            _prune(self._folder / name)


def _key(body: nn.Module, mean: Tensor, std: Tensor) -> str:
    state = hashlib.sha256()
    for name, value in sorted(body.state_dict().items()):
        state.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        state.update(value.cpu().contiguous().view(-1).view(torch.uint8).numpy())  # type: ignore[arg-type]
    facts = [
        state.hexdigest(),
        repr(body),
        mean.flatten().tolist(),
        std.flatten().tolist(),
        torch.cuda.get_device_name(mean.device) if mean.is_cuda else mean.device.type,
        torch.get_num_threads(),
        torch.backends.cpu.get_cpu_capability(),
        {name: os.environ.get(name) for name in ("ONEDNN_MAX_CPU_ISA", "MKL_CBWR")},
        [version(package) for package in ("torch", "torchvision", "timm")],
        BATCH,
    ]
    return fingerprint(facts, [*code_of(["network"]), *own_code.files()])[:32]


def _kept(place: Path) -> Iterator[tuple[list[bytes], Features]]:
    """Hashes and features of each pair of files; one that cannot be read is deleted, for it can be made again."""
    for file in sorted(place.glob(f"*{HASHES}")):
        other = file.with_name(file.name.removesuffix(HASHES) + FEATURES)
        try:
            hashes, features = np.load(file), np.load(other, mmap_mode="r")  # what is not asked for stays on disk
            if len(hashes) != len(features):
                raise ValueError("one was cut off")
        except (OSError, ValueError, EOFError):
            remove(file)
            remove(other)
            continue
        yield [digest.tobytes() for digest in hashes], np.asarray(features)
        with suppress(OSError):
            os.utime(file)  # it was asked for


def _save(file: Path, array: NDArray[Any]) -> None:
    with replacing(file) as partial, partial.open("wb") as stream:
        np.save(stream, array)


def _prune(newest: Path) -> None:
    """Delete the pairs of files of any body that were not asked for longest, down to the limit, but for the newest."""
    pairs = sorted(paths.features().glob(f"*/*{HASHES}"), key=lambda file: file.stat().st_mtime)
    both = {file: (file, file.with_name(file.name.removesuffix(HASHES) + FEATURES)) for file in pairs}
    taken = {file: sum(one.stat().st_size for one in pair) for file, pair in both.items()}
    for file in pairs:
        if sum(taken.values()) <= paths.FEATURES_LIMIT:
            return
        if file != newest.with_name(f"{newest.name}{HASHES}"):
            for one in both[file]:
                remove(one)
            del taken[file]
