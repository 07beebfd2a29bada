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
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from darkroom.base import paths
from darkroom.base.files import code_of, fingerprint, remove, replacing
from darkroom.config import own_code
from darkroom.config.image_sizes import middle
from darkroom.network.normalisation import normalise

Features = NDArray[np.float32]  # N x width

BATCH = 32
FEATURES, HASHES = ".features.npy", ".hashes.npy"  # the ends of two files of equal length
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
        self.computed = 0  # pictures that the body worked on
        for hashes, features in _kept(self._folder):
            self._known.update(zip(hashes, features, strict=True))

    def __call__(self, images: Tensor) -> Features:
        """The features of some pictures: uint8, N x height x width x channels."""
        if self.part is not None:
            rows, columns = middle(images.shape[1:3], self.part)
            images = images[:, rows, columns]
        pixels = images.cpu().contiguous().numpy()
        hashes = [hashlib.sha256(picture).digest() for picture in pixels]  # type: ignore[arg-type]
        missing = {digest: at for at, digest in enumerate(hashes) if digest not in self._known}
        places = torch.tensor(list(missing.values()), dtype=torch.int64)
        for part in torch.split(places, BATCH) if missing else ():
            filled = torch.cat([part, part[-1:].expand(BATCH - len(part))])
            self._compute([hashes[at] for at in part], images[filled.to(images.device)])
        return np.array([self._known[digest] for digest in hashes], np.float32).reshape(-1, self.width)

    @torch.no_grad()
    def _compute(self, hashes: list[bytes], images: Tensor) -> None:
        self._body.eval()
        made = self._body(normalise(images.to(self._mean.device), self._mean, self._std)).float().cpu().numpy()
        self._known.update(zip(hashes, made, strict=False))  # the batch is filled up
        self._new += hashes
        self.computed += len(hashes)

    def keep(self) -> None:
        """Write what is new, if the disk has room; then delete what was not asked for longest, down to the limit."""
        if not self._new:
            return
        features = np.stack([self._known[digest] for digest in self._new])
        if features.nbytes < min(paths.FEATURES_LIMIT, FREE_SHARE * shutil.disk_usage(paths.root()).free):
            hashes = b"".join(self._new)
            name = hashlib.sha256(hashes).hexdigest()[:16]
            _write(self._folder / f"{name}{FEATURES}", features)
            _write(self._folder / f"{name}{HASHES}", np.frombuffer(hashes, np.uint8).reshape(-1, 32))
            _prune(paths.features(), self._folder)
        self._new = []


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
    """Hashes and features of each file; one that cannot be read is deleted, for it can be made again."""
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
        os.utime(place)


def _write(file: Path, array: NDArray[Any]) -> None:
    with replacing(file) as partial, partial.open("wb") as stream:
        np.save(stream, array)


def _prune(whole: Path, current: Path) -> None:
    bodies = sorted((one for one in whole.iterdir() if one.is_dir()), key=lambda one: one.stat().st_mtime)
    taken = {one: _size(one.iterdir()) for one in bodies}
    for one in bodies:
        if sum(taken.values()) <= paths.FEATURES_LIMIT:
            return
        if one != current:
            remove(one)
            del taken[one]


def _size(files: Iterable[Path]) -> int:
    return sum(file.stat().st_size for file in files if file.is_file())
