"""Epochs of the project's loop beside the least that trains, eager, compiled and as CUDA graphs.

All train the same network, with the same optimiser and settings, on images that lie on the device. The loops by hand
shuffle, index, normalise, and take steps; ours counts right answers and validates on one batch besides, and keeps the
best weights. Each takes turns with the eager loop by hand; what its first epoch took more than its second one is
compilation and warm-up.
"""

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.on_gpu import trained
from benchmarks.on_gpu.part import Row, Setting

if TYPE_CHECKING:
    from torch import Tensor

    from darkroom.training.batches import Batches
    from darkroom.training.recipe import Recipe

STEPS, SMALL_STEPS = 200, 3  # of an epoch
ROUNDS, SMALL_ROUNDS = 7, 2
# Of each loop: how it is given to torch.compile; None: not at all.
OURS: dict[str, str | None] = {"ours": None, "ours, train.compile": "default"}
BY_HAND: dict[str, str | None] = {
    "by hand": None,
    "by hand, compiled": "default",
    "by hand, compiled to CUDA graphs": "reduce-overhead",
}
Epoch = Callable[[], None]


def epochs(setting: Setting, shape: tuple[int, int, int], batch: int, precision: str) -> Iterator[Row]:
    """Milliseconds of a step in each loop, and how many times as long as by hand that is."""
    batch, steps = (8, SMALL_STEPS) if setting.small else (batch, STEPS)
    # What compiles comes last: it may take the rest of the time.
    loops = sorted(OURS | BY_HAND, key=lambda name: (OURS | BY_HAND)[name] is not None)
    if setting.small:
        loops = [name for name in loops if (OURS | BY_HAND)[name] is None]
    start = partial(_epoch, setting, shape, batch, precision, steps)
    hand = start("by hand")
    for _ in range(2):
        _timed(hand, setting.device)
    for name in loops:
        row: Row = {"shape": "x".join(map(str, shape)), "batch": batch, "precision": precision, "loop": name}
        try:
            trained.forget_peak(setting.device)
            epoch = start(name)
            first, second = (_timed(epoch, setting.device) for _ in range(2))
            row |= {"warm-up s": first - second, "peak_mb": trained.peak_mb(setting.device)}
            yield row | _beside(epoch, hand, steps, setting)
        except Exception as error:  # one that does not compile leaves the others to be measured
            yield row | {"error": f"{type(error).__name__}: {error}"[:500]}


def _beside(epoch: Epoch, hand: Epoch, steps: int, setting: Setting) -> Row:
    """The two in turn: medians of the rounds."""
    times, others = [], []
    for _ in range(SMALL_ROUNDS if setting.small else ROUNDS):
        times.append(_timed(epoch, setting.device))
        others.append(_timed(hand, setting.device))
    ratios = [ours / other for ours, other in zip(times, others, strict=True)]
    return {"ms a step": statistics.median(times) / steps * 1e3, "x by hand": statistics.median(ratios)}


def _timed(epoch: Epoch, device: str) -> float:
    trained.synchronize(device)
    started = time.perf_counter()
    epoch()
    trained.synchronize(device)
    return time.perf_counter() - started


def _epoch(
    setting: Setting, shape: tuple[int, int, int], batch: int, precision: str, steps: int, name: str
) -> Epoch:  # fmt: skip
    """A function that trains a network of its own for one epoch, in the loop of this name."""
    options: dict[str, Any] = {"batch_size": batch, "precision": precision, "compile": bool(OURS.get(name))}
    model = trained.CNN.model_copy(update={"layers": "4P-4P"} if setting.small else {})
    recipe = trained.prepared(trained.facts(setting.device, shape, model, epochs=1, **options))
    images, labels = trained.noise(steps * batch, shape)
    data = trained.on_device(recipe, images, labels, train=np.arange(len(labels)), val=np.arange(batch))
    return partial(_ours, recipe, data) if name in OURS else _by_hand(recipe, data["train"], BY_HAND[name])


def _ours(recipe: "Recipe", data: "dict[str, Batches]") -> None:
    from darkroom.training import loop

    loop.fit(recipe, data["train"], data["val"])


def _by_hand(recipe: "Recipe", data: "Batches", mode: str | None) -> Epoch:
    """The least that trains."""
    import torch

    from darkroom.training.optimizers import make_optimizer

    settings, device = recipe.settings, recipe.fabric.device
    images, labels = next(data.read([torch.arange(len(data))])), data.labels
    mean, std, network = recipe.mean, recipe.std, recipe.network
    optimizer = make_optimizer(network, settings)
    model: Any = network if mode is None else torch.compile(network, mode=mode)

    def step(stored: "Tensor", answers: "Tensor") -> None:
        pixels = stored.permute(0, 3, 1, 2).float().sub_(mean).div_(std)
        half = torch.autocast(device.type, torch.bfloat16) if settings.precision == "bf16-mixed" else None
        with half or contextlib.nullcontext():
            logits = model(pixels)
        loss = torch.nn.functional.cross_entropy(logits.float(), answers, label_smoothing=settings.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def epoch() -> None:
        network.train()
        for batch in torch.split(torch.randperm(len(labels), device=device), settings.batch_size):
            step(images[batch], labels[batch])

    return epoch
