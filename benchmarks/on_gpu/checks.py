"""Tests of what the project does on a GPU: same bytes, going on after a cut, half precision, streamed images, memory.

Each yields rows with `test` and `passed`, and the figures behind it. They run on a CPU too, but for what it lacks.
"""

import dataclasses
import io
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.on_gpu import sets, trained
from benchmarks.on_gpu.part import LeftOut, Row, Setting
from darkroom.base.processor import cores
from darkroom.config.model_facts import ModelFacts

if TYPE_CHECKING:
    from torch import Tensor

    from darkroom.training.loop import Result, State
    from darkroom.training.recipe import Recipe

CHANGES = (
    {"flip": {"alternate": True}},
    {"affine": {"degrees": 10, "scale": 0.1, "shift": 0.1}},
    {"color": {"brightness": 0.2}},
    {"erase": {"probability": 0.5}},
    {"blur": {"probability": 0.3}},
)
EPOCHS, CUT = 4, 2  # of the trainings that are compared; the epoch after which one of them is cut


class Cut(Exception):
    """Ends a training."""


def train(setting: Setting, precision: str, *, cut: int = 0, resume: "State | None" = None, **changes: Any) -> Any:
    """The result of one short training, and its state after epoch `cut`, where it ends then."""
    from darkroom.training import loop

    count = 128 if setting.small else 4_000
    images, labels = sets.shapes(count + count // 4, seed=1)
    facts = small_facts(setting, precision, **changes)
    recipe = trained.prepared(facts)
    data = trained.on_device(recipe, images, labels, train=np.arange(count), val=np.arange(count, len(labels)))
    kept = io.BytesIO()

    def on_epoch(figures: "dict[str, float]", state: Any) -> None:
        if figures["epoch"] == cut:
            import torch

            torch.save(state(), kept)
            raise Cut

    try:
        return loop.fit(recipe, data["train"], data["val"], resume=resume, on_epoch=on_epoch)
    except Cut:
        return kept


def small_facts(setting: Setting, precision: str, **changes: Any) -> ModelFacts:
    """A training that makes use of what there is: dropout, augmentation, mixup, averaged weights."""
    model = trained.CNN.model_copy(update={"dropout": 0.1} | ({"layers": "8P-8P"} if setting.small else {}))
    options = {"epochs": EPOCHS, "batch_size": 64, "precision": precision, "ema": 0.9, "mixup": 0.2, **changes}
    return trained.facts(setting.device, (sets.SIDE, sets.SIDE, 3), model, CHANGES, **options)


def precision(setting: Setting, name: str) -> Iterator[Row]:
    """That a training learns, gives the same bytes twice, and the same bytes after a cut."""
    import torch

    if name == "16-mixed" and setting.device == "cpu":
        raise LeftOut("no CUDA: a CPU has no 16-mixed")
    trained.forget_peak(setting.device)
    first: Result = train(setting, name)
    losses = [row["train_loss"] for row in first.history]
    row: Row = {"test": f"{name}: the loss falls", "passed": bool(np.isfinite(losses).all() and losses[-1] < losses[0])}
    yield row | {"first": losses[0], "last": losses[-1], "peak_mb": trained.peak_mb(setting.device)}
    second: Result = train(setting, name)
    yield _same(f"{name}: two trainings of one seed give the same bytes", first.weights, second.weights)
    state = torch.load(io.BytesIO(train(setting, name, cut=CUT).getvalue()), map_location="cpu", weights_only=True)
    resumed: Result = train(setting, name, resume=state)
    yield _same(f"{name}: cut after epoch {CUT} and taken up, the same bytes", first.weights, resumed.weights)


def _same(test: str, ours: "dict[str, Tensor]", theirs: "dict[str, Tensor]") -> Row:
    apart = max(float((ours[name].double() - theirs[name].double()).abs().max()) for name in ours)
    return {"test": test, "passed": trained.digest(ours) == trained.digest(theirs), "largest difference": apart}


def warned(setting: Setting) -> Iterator[Row]:
    """Which operations of a training PyTorch itself calls nondeterministic. A list to read, no test."""
    import torch

    torch.use_deterministic_algorithms(True, warn_only=True)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        train(setting, "32", epochs=1)
    named = sorted({str(one.message).split(" ")[0] for one in found if "deterministic" in str(one.message)})
    yield {"test": "operations without a deterministic kernel, by PyTorch's list", "passed": None, "named": named}


def skipped_step(setting: Setting) -> Iterator[Row]:
    """That steps which 16-mixed skips, for their gradients are no numbers, leave weights and momentum as they were."""
    import torch

    from darkroom.training.batches import Batches
    from darkroom.training.step import Step

    recipe = _scaled(trained.prepared(small_facts(setting, "16-mixed", ema=0.0, mixup=0.0)), scale=2.0**40)
    scaler: Any = recipe.fabric.strategy.precision.scaler  # type: ignore[attr-defined]
    count = 8 if setting.small else 64
    images, labels = sets.shapes(count, seed=2)
    data = Batches(images, np.arange(count), labels, torch.device(setting.device), memory_share=1)
    step = Step(recipe, data, frozen=False)
    step.start()
    weight = recipe.network.get_submodule("features").get_parameter("conv1.weight")
    # The scale is halved after each skipped step, until the gradients are numbers.
    skipped, unchanged, before = 0, True, weight.detach().clone()
    for batch in step.batches([torch.arange(count)] * 100):
        before, scale = weight.detach().clone(), scaler.get_scale()
        step(batch, torch.Generator().manual_seed(0), 1)
        if scaler.get_scale() >= scale:
            break
        skipped += 1
        unchanged = unchanged and torch.equal(before, weight)
    yield {
        "test": "16-mixed: a skipped step changes no weight",
        "passed": unchanged and skipped > 0,
        "skipped": skipped,
    }
    settings = recipe.settings
    momentum = step.optimizer.state[weight]["momentum_buffer"]
    # The first step that counts: its momentum is its gradient, so the weights move by rate x (1 + momentum) of that.
    moved = (before - weight.detach()) / (settings.lr * (1 + settings.momentum))
    apart = float(((moved - momentum).abs().max() / momentum.abs().max()).cpu())
    test = "16-mixed: after skipped steps the momentum is the first gradient"
    yield {"test": test, "passed": bool(apart < 1e-3), "relative difference": apart}


def _scaled(recipe: "Recipe", scale: float) -> "Recipe":
    """The recipe in 16-mixed with this first scale of the loss; on a CPU too, where Fabric would take bfloat16."""
    import torch
    from lightning_fabric import Fabric
    from lightning_fabric.plugins import MixedPrecision

    device = recipe.fabric.device.type
    scaler = torch.amp.GradScaler(device, init_scale=scale)  # type: ignore[attr-defined]
    fabric = Fabric(accelerator=device, devices=1, plugins=MixedPrecision("16-mixed", device, scaler))
    return dataclasses.replace(recipe, fabric=fabric)


def streamed(setting: Setting) -> Iterator[Row]:
    """That images from disk through pinned memory are those that lie on the device, and train to the same bytes."""
    import time

    import torch

    from darkroom.training.batches import Batches, free_memory

    count, shape, device = 500 if setting.small else 60_000, (sets.SIDE, sets.SIDE, 3), torch.device(setting.device)
    images, labels = trained.noise(count, shape)
    np.save("images.npy", images)
    mapped, rows = np.load("images.npy", mmap_mode="r"), np.arange(count)
    # Half of what the images need: they do not fit, and stay on disk.
    share = images.nbytes / 2 / free_memory(device)
    here = Batches(images, rows, labels, device, memory_share=1)
    there = Batches(mapped, rows, labels, device, memory_share=share)
    held = here.resident and not there.resident
    yield {"test": "images beyond memory_share stay on disk", "passed": held, "MB": images.nbytes / 1e6}
    parts = list(torch.split(torch.randperm(count, generator=torch.Generator().manual_seed(0)), 128))
    wrong = torch.zeros((), dtype=torch.int64, device=device)
    busy = torch.rand(64 if setting.small else 2048, 64 if setting.small else 2048, device=device)
    for ours, theirs in zip(here.read(parts), there.read(parts), strict=True):
        busy = (busy @ busy).softmax(1)  # the device is late, so that copies pile up
        wrong += (ours != theirs).sum()
    yield {"test": "streamed batches equal those on the device", "passed": int(wrong) == 0, "batches": len(parts)}
    trained.synchronize(setting.device)
    started = time.perf_counter()
    for stored in there.read(parts):
        wrong += stored[0, 0, 0, 0]
    trained.synchronize(setting.device)
    rate = images.nbytes / 1e6 / (time.perf_counter() - started)
    yield {"test": "speed of streaming", "passed": None, "MB/s": rate, "processor cores": cores()}
    first, second = train(setting, "32"), train(setting, "32", memory_share=0.0)
    yield _same("streamed images train to the same bytes", first.weights, second.weights)


def pinned_copies(setting: Setting) -> Iterator[Row]:
    """That small tensors, pinned and copied without waiting, arrive as they were, though the device is late."""
    import torch

    from darkroom.augment.randomness import to_device

    device, generator = torch.device(setting.device), torch.Generator().manual_seed(0)
    side, count = (64, 50) if setting.small else (4096, 2_000)
    busy, sent, got = torch.rand(side, side, device=device), [], []
    for at in range(count):
        if at % 20 == 0:
            busy = (busy @ busy).softmax(1)
        values = torch.randint(2**40, (int(torch.randint(1, 4096, (), generator=generator)),), generator=generator)
        sent.append(values.clone())
        got.append(to_device(values, device))
        del values  # its pinned copy must outlive it
    wrong = sum(not torch.equal(ours, theirs.cpu()) for ours, theirs in zip(sent, got, strict=True))
    yield {"test": "pinned copies arrive as they were", "passed": wrong == 0, "copies": count, "wrong": wrong}
