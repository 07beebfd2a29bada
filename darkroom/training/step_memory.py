"""The memory that one training step takes: counted on a network without data, or measured in a trial.

Both are of a forward and a backward pass over random images, gradients included, weights and optimiser not.
"""

import weakref
from typing import Any

import psutil
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from darkroom.base import torch_setup
from darkroom.config.params import Train
from darkroom.network.shadow import shadow
from darkroom.training.optimizers import make_optimizer

Shape = tuple[int, int, int]  # height, width, channels
STEPS = 2  # of a trial: the first one also makes what stays
# What a step takes of a process's memory beside the tensors that are counted (libraries' own buffers, gaps), as a
# factor and bytes: usually, and at most. Six networks at 28 to 224 pixels took 0.8 to 1.7 times the counted bytes.
USUAL, MOST = (1.35, 60e6), (2.0, 100e6)


def usual(counted_bytes: int) -> int:
    """What a step takes where so many bytes were counted; half as much more or less."""
    return int(USUAL[0] * counted_bytes + USUAL[1])


def most(counted_bytes: int) -> int:
    """What a step takes at most where so many bytes were counted."""
    return int(MOST[0] * counted_bytes + MOST[1])


class _Living(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sums up the bytes of the tensors that operations make, from their making to their end."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for one in found if isinstance(found, tuple | list) else (found,):
            if isinstance(one, Tensor):
                self._add(one.untyped_storage())
        return found

    def _add(self, storage: torch.UntypedStorage) -> None:
        place, size = storage._cdata, storage.nbytes()
        if place not in self._known:
            self._known.add(place)
            self._now += size
            self.peak = max(self.peak, self._now)
            weakref.finalize(storage, self._remove, place, size).atexit = False

    def _remove(self, place: int, size: int) -> None:
        self._known.discard(place)
        self._now -= size


def counted(network: nn.Module, shape: Shape, count: int) -> int:
    """The most bytes that the tensors of a step on `count` images take at a time, in float32.

    Only a copy without data runs, on the meta device, so that any number of images costs no memory. The network's own
    values do not count.
    """
    height, width, channels = shape
    copy = shadow(network).train().requires_grad_(True)
    stored = torch.empty((count, height, width, channels), dtype=torch.uint8, device="meta")
    labels = torch.empty(count, dtype=torch.long, device="meta")
    living = _Living()
    living._known.update(one.untyped_storage()._cdata for one in (*copy.parameters(), *copy.buffers()))
    with living:
        _pass(copy, stored, labels)
    return living.peak


def on_cpu(network: nn.Module, shape: Shape, count: int) -> int:
    """The bytes by which a step on `count` images makes this process grow, as the system counts them.

    The C library keeps what is freed (`torch_setup.keep_memory`), so that the size after a step is the largest during
    it. A process that has freed memory before grows by less: the caller counts, too.
    """
    process = psutil.Process()
    before = process.memory_info().rss
    images, labels = _random(shape, count, torch.device("cpu"))
    network = network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    for _ in range(STEPS):
        _pass(network, images, labels)
        network.zero_grad(set_to_none=True)
    grown = process.memory_info().rss - before
    torch_setup.give_back_memory()
    return max(0, grown)


def on_gpu(network: nn.Module, settings: Train, shape: Shape, count: int, device: torch.device) -> int | None:
    """The most bytes that a step on `count` images takes on a GPU, by PyTorch's own account; None if it has too few.

    The network and its optimiser, which has taken a step, lie there at the same time.
    """
    found = _tried_on_gpu(network, settings, shape, count, device)
    network.to("cpu")  # after the call, whose error would hold its tensors
    torch.cuda.empty_cache()
    return found


def _tried_on_gpu(network: nn.Module, settings: Train, shape: Shape, count: int, device: torch.device) -> int | None:
    half = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(settings.precision)
    try:
        network = network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        optimizer = make_optimizer(network, settings)
        images, labels = _random(shape, count, device)
        before = 0
        for _ in range(STEPS):
            before = torch.cuda.memory_allocated(device)
            torch.cuda.reset_peak_memory_stats(device)
            with torch.autocast(device.type, half or torch.bfloat16, enabled=half is not None):
                _pass(network, images, labels)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return torch.cuda.max_memory_allocated(device) - before
    except torch.OutOfMemoryError:
        return None


def _random(shape: Shape, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Stored images (uint8, N x H x W x C) of random bytes, and labels; from a generator of its own."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=generator)
    return images.to(device), torch.zeros(count, dtype=torch.long, device=device)


def _pass(network: nn.Module, stored: Tensor, labels: Tensor) -> None:
    """Forward and backward, as a training does it: gradients are left in the network."""
    images = stored.permute(0, 3, 1, 2).float()
    loss = functional.cross_entropy(network(images.sub(128).div_(64)).float(), labels)
    loss.backward()  # type: ignore[no-untyped-call]
