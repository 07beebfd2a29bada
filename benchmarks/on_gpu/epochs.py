"""Epochs of the project's loop beside the least that trains, eager, compiled and as CUDA graphs.

All train the same network, with the same optimiser and settings, on images that lie on the device. The loops by hand
shuffle, index, normalise, and take steps; ours counts right answers and validates on one batch besides, and keeps the
best weights. The sides take turns; what the first epoch took more than the median one is compilation and warm-up.
"""

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.on_gpu import trained
from benchmarks.on_gpu.part import Row, Setting

if TYPE_CHECKING:
    from torch import Tensor

    from darkroom.training.batches import Batches
    from darkroom.training.recipe import Recipe

STEPS, SMALL_STEPS = 200, 3  # of an epoch
ROUNDS = 7
BY_HAND = "by hand"
# Ways of a loop by hand to torch.compile; None: not at all.
MODES = {BY_HAND: None, "by hand, compiled": "default", "by hand, compiled to CUDA graphs": "reduce-overhead"}


def epochs(setting: Setting, shape: tuple[int, int, int], batch: int, precision: str) -> Iterator[Row]:
    """Milliseconds of a step in each loop."""
    if setting.small:
        batch = 8
    steps = SMALL_STEPS if setting.small else STEPS
    ready: dict[str, Callable[[], None]] = {}
    rows: dict[str, Row] = {}
    epoch: Callable[[], None]
    modes = {name: mode for name, mode in MODES.items() if not setting.small or mode is None}
    for name in ("ours", "ours, train.compile", *modes):
        if setting.small and name == "ours, train.compile":
            continue  # minutes on a CPU
        options: dict[str, Any] = {"batch_size": batch, "precision": precision, "compile": name.endswith("compile")}
        network = trained.CNN.model_copy(update={"layers": "4P-4P"} if setting.small else {})
        make = partial(trained.prepared, trained.facts(setting.device, shape, network, epochs=1, **options))
        rows[name] = {"shape": "x".join(map(str, shape)), "batch": batch, "precision": precision, "loop": name}
        try:
            recipe = make()
            data = _data(recipe, shape, steps * batch, batch)
            epoch = by_hand(recipe, data, modes[name]) if name in modes else partial(_ours, recipe, data)
            trained.forget_peak(setting.device)
            first = _timed(epoch, setting.device)
            second = _timed(epoch, setting.device)
            rows[name] |= {"warm-up s": first - second, "peak_mb": trained.peak_mb(setting.device)}
            ready[name] = epoch
        except Exception as error:  # one that does not compile leaves the others to be measured
            yield rows.pop(name) | {"error": f"{type(error).__name__}: {error}"[:500]}
    found: dict[str, list[float]] = {name: [] for name in ready}
    for done in range(2 if setting.small else ROUNDS):
        if done and setting.left < 3 * sum(times[-1] for times in found.values()):
            break
        for name, call in ready.items():
            found[name].append(_timed(call, setting.device))
    for name, times in found.items():
        ratios = [ours / hand for ours, hand in zip(times, found.get(BY_HAND, times), strict=True)]
        figures = {"ms a step": statistics.median(times) / steps * 1e3, "x by hand": statistics.median(ratios)}
        yield rows[name] | figures | {"rounds": len(times)}


def _timed(epoch: Callable[[], None], device: str) -> float:
    trained.synchronize(device)
    started = time.perf_counter()
    epoch()
    trained.synchronize(device)
    return time.perf_counter() - started


def _data(recipe: "Recipe", shape: tuple[int, int, int], count: int, val: int) -> "dict[str, Batches]":
    import numpy as np

    images, labels = trained.noise(count, shape)
    return trained.on_device(recipe, images, labels, train=np.arange(count), val=np.arange(val))


def _ours(recipe: "Recipe", data: "dict[str, Batches]") -> None:
    from darkroom.training import loop

    loop.fit(recipe, data["train"], data["val"])


def by_hand(recipe: "Recipe", data: "dict[str, Batches]", mode: str | None) -> Callable[[], None]:
    """A function that trains for one epoch: the least that does."""
    import torch

    from darkroom.training.optimizers import make_optimizer

    settings, device = recipe.settings, recipe.fabric.device
    images, labels = next(data["train"].read([torch.arange(len(data["train"]))])), data["train"].labels
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
