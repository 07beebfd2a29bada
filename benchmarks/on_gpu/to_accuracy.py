"""Seconds until a training reaches an accuracy: 99 % on MNIST, 94 % on CIFAR-10 or 98 % on a made set of its size."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import archives
from benchmarks.on_gpu import sets, trained
from benchmarks.on_gpu.part import LeftOut, Row, Setting

if TYPE_CHECKING:
    from darkroom.training.batches import Batches
    from darkroom.training.loop import Result
    from darkroom.training.recipe import Recipe

MNIST_TARGET, CIFAR_TARGET = 0.99, 0.94
MADE_TARGET = 0.98  # the made set is the easier one: 5 epochs of the catalogue's recipe gave 98.2 % on val
SIZES, SMALL_SIZES = (48_000, 2_000, 10_000), (256, 64, 128)
LENGTHS, SMALL_LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24), (1, 2)  # epochs, until one is enough
WARM_IMAGES = 1_000
PRECISION = {"cuda": "bf16-mixed", "cpu": "32"}  # what `auto` would most likely choose there

Way = tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]  # changes of CNN, augmentation, changes of SETTINGS
# As docs/results.md names it, and as the catalogue trains the set.
MNIST_WAYS: dict[str, Way] = {
    "fast recipe, 3 epochs": (
        {"layers": "16P-64P-128"},
        [{"shift": {"pixels": 1}}],
        {"epochs": 3, "batch_size": 96, "lr": 0.25, "schedule": "linear"},
    ),
    "catalogue's recipe, 17 epochs": (
        {},
        [{"affine": {"degrees": 10, "scale": 0.1, "shift": 0.07}}],
        {"epochs": 17, "schedule": "linear", "ema": 0.99},
    ),
}
CIFAR_WAYS: dict[str, Way] = {
    "catalogue's recipe": ({}, [{"flip": {}}, {"shift": {"pixels": 2}}], {}),
    "airbench's recipe, as far as parameters go": (
        {"layers": "24-64P-64-256P-256-256P-256", "activation": "gelu"},
        [{"flip": {"alternate": True}}, {"crop": {"padding": 2}}],
        {
            "batch_size": 1024,
            "lr": 0.8,
            "momentum": 0.85,
            "schedule": "linear",
            "warmup": 0.23,
            "label_smoothing": 0.2,
            "ema": 0.9,
        },
    ),
}


def mnist(setting: Setting) -> Iterator[Row]:
    """Our recipes on MNIST: seconds to the first epoch with 99 % on val, of the training, and from the archive on."""
    from darkroom.training import loop

    archive = setting.archives / archives.REAL if setting.archives else None
    if setting.small:
        archive, _ = archives.choose(setting.work, quick=True)
    if archive is None or not archive.is_file():
        raise LeftOut(f"there is no {archives.REAL}: name its folder by --archives or {archives.VARIABLE}")
    started = time.perf_counter()
    side = sets.mnist(archive)
    read = time.perf_counter() - started
    for name, way in list(MNIST_WAYS.items())[: 1 if setting.small else None]:
        _warmed_up(setting, way, side)
        trained.forget_peak(setting.device)
        started = time.perf_counter()
        recipe, data = _started(setting, way, side)
        trained.synchronize(setting.device)
        loaded = time.perf_counter() - started
        result = loop.fit(recipe, data["train"], data["val"])
        seconds = [row["seconds"] for row in result.history]
        there = [at for at, row in enumerate(result.history, 1) if row["val_accuracy"] >= MNIST_TARGET]
        yield {
            "set": side.title + (", made" if setting.small else ""),
            "way": name,
            "target %": 100 * MNIST_TARGET,
            "s to target": sum(seconds[: there[0]]) if there else None,
            "s training": sum(seconds),
            "s with reading the archive": read + loaded + sum(seconds),
            "test %": 100 * _tested(recipe, result, data["test"]),
            "epochs": len(seconds),
            "peak_mb": trained.peak_mb(setting.device),
        }


def cifar(setting: Setting, name: str) -> Iterator[Row]:
    """A way of ours on the set of CIFAR-10's size: trainings of more and more epochs, until one reaches the target."""
    from darkroom.training import loop

    side, way = _set(setting), CIFAR_WAYS[name]
    _warmed_up(setting, way, side)

    def fit(epochs: int) -> Row:
        recipe, data = _started(setting, way, side, epochs=epochs)
        result = loop.fit(recipe, data["train"], data["val"])
        accuracy = _tested(recipe, result, data["test"])
        return {"s training": sum(row["seconds"] for row in result.history), "test %": 100 * accuracy}

    yield from _longer(setting, side, f"ours, {name}", fit)


def airbench(setting: Setting) -> Iterator[Row]:
    """The peer on the same images; its seconds are without validation."""
    import torch

    from benchmarks.peers import airbench

    side = _set(setting)
    train, test = side.rows["train"], side.rows["test"]
    images, seen = (airbench.prepare(side.images[rows], side.images[train], setting.device) for rows in (train, test))
    labels, answers = (torch.from_numpy(side.labels[rows]).to(setting.device) for rows in (train, test))
    widths = (8, 16, 16) if setting.small else (64, 256, 256)
    few = slice(0, 128 if setting.small else 4 * airbench.BATCH)

    def fit(epochs: int) -> Row:
        found = airbench.train(images, labels, seen, answers, epochs=epochs, widths=widths)
        row = {"s training": found.seconds, "test %": 100 * found.accuracy}
        return row | {"test %, six views": 100 * found.voted}

    airbench.train(images[few], labels[few], seen[few], answers[few], epochs=2, widths=widths)  # warm-up
    yield from _longer(setting, side, "peer, airbench's recipe by hand", fit)


def _longer(setting: Setting, side: sets.Sides, way: str, fit: Callable[[int], Row]) -> Iterator[Row]:
    """A row for each length of the training, up to the first whose accuracy on the test images is the target's."""
    target = 0.0 if setting.small else CIFAR_TARGET if setting.cifar else MADE_TARGET
    last = 0.0
    for epochs in SMALL_LENGTHS if setting.small else LENGTHS:
        if 2.2 * last > setting.left:
            raise LeftOut(f"{epochs} epochs and more: no time was left")
        trained.forget_peak(setting.device)
        started = time.perf_counter()
        row = fit(epochs)
        last = time.perf_counter() - started
        best = max(row["test %"], row.get("test %, six views", 0.0))
        reached = bool(best >= 100 * target)
        shared = {"set": side.title, "way": way, "target %": 100 * target, "epochs": epochs, "reached": reached}
        yield shared | row | {"peak_mb": trained.peak_mb(setting.device)}
        if reached:
            return


def _set(setting: Setting) -> sets.Sides:
    if setting.cifar:
        return sets.cifar(setting.cifar)
    return sets.made(*(SMALL_SIZES if setting.small else SIZES), setting.work)


def _started(setting: Setting, way: Way, side: sets.Sides, **changes: Any) -> "tuple[Recipe, dict[str, Batches]]":
    """The recipe with the statistics of the training images, and the images on the device."""
    from darkroom.dataset import channel_statistics

    model, augment, train = way
    if setting.small:
        model = {"layers": "4P-8P"}
        train = train | {"epochs": 1, "batch_size": 64}
    mean, std = channel_statistics.mean_and_std(side.images, side.rows["train"])
    border = channel_statistics.border(side.images, side.rows["train"])
    shape = side.images.shape[1:]
    made = trained.facts(
        setting.device,
        (shape[0], shape[1], shape[2]),
        trained.CNN.model_copy(update=model),
        augment,
        precision=PRECISION[setting.device],
        **(train | changes),
    )
    recipe = trained.prepared(made.model_copy(update={"mean": mean, "std": std, "border": border}))
    return recipe, trained.on_device(recipe, side.images, side.labels, **side.rows)


def _warmed_up(setting: Setting, way: Way, side: sets.Sides) -> None:
    """Train once on a few of the images: the first call of a kernel loads it."""
    from darkroom.training import loop

    few = {name: rows[:WARM_IMAGES] for name, rows in side.rows.items()}
    recipe, data = _started(setting, way, side._replace(rows=few), epochs=2)
    loop.fit(recipe, data["train"], data["val"])


def _tested(recipe: "Recipe", result: "Result", test: "Batches") -> float:
    from darkroom.training import loop

    recipe.network.load_state_dict(result.weights)
    found = loop.logits(recipe, test).argmax(1).numpy()
    return float(np.mean(found == test.labels.cpu().numpy()))
