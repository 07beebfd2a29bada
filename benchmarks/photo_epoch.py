"""One epoch on photos, all layers of a network for photos: training.loop.fit beside timm's and torchvision's own loops.

The archive is scenes.zip in the folder that DARKROOM_TEST_ARCHIVES names, else one made here. Batches of 32, SGD,
float32, all cores. The floor is the same network and optimiser on one batch that lies in memory, again and again; what
ours has above it is the data, the augmentation (a random part of each stored photo, flipped or not) and the loop.

The others read their photos from a folder with two workers, as their own training scripts do: timm's with
timm.data.create_loader and its defaults, torchvision's with the transforms of its classification reference. Their
optimiser is the same, and their networks come from the library itself. None of them validates.

A second table: many epochs of the head alone, beside one pass of the body over the photos and the same epochs of the
head on what it made, which is the floor, and beside the body working on every photo in every epoch.
"""

import csv
import io
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import archives, epoch, packed
from benchmarks.fresh import Figures, best, clock, fresh, peak_mb
from benchmarks.table import Setting, Table
from darkroom.config.catalogue import Entry

REAL, STORED, SIDE, BATCH, CLASSES, WORKERS = "scenes.zip", 219, 192, 32, 6, 2
NETWORKS = ("timm/tf_efficientnet_lite0", "mobilenet_v2")
TARGET = 1.05
HEAD_EPOCHS, HEAD_TARGET = 20, 1.2
WARM = 2  # batches before the clock starts


def run(setting: Setting) -> list[Table]:
    archive, title = archives.photos(setting, REAL, make, 64 if setting.quick else 400)
    mine, theirs = setting.folder(), setting.folder()
    count = int(fresh(set_up, str(archive), str(mine), str(theirs))["train"])
    networks = NETWORKS[:1] if setting.quick else NETWORKS
    tables = [_table(setting, title, name, str(mine), str(theirs), count) for name in networks]
    return [*tables, _head_table(setting, title, NETWORKS[0], str(mine), count)]


def _table(setting: Setting, title: str, name: str, mine: str, theirs: str, count: int) -> Table:
    sides: dict[str, Callable[[], Figures]] = {
        "floor": lambda: fresh(floor, name, mine, count),
        "ours": lambda: fresh(ours, name, mine, count),
        "timm's loop": lambda: fresh(with_timm, name, theirs),
        "torchvision's loop": lambda: fresh(with_torchvision, name, theirs),
    }
    found = best(sides, setting.repeats, setting.together)
    low, our = found["floor"], found["ours"]
    rows = [
        [
            side,
            *(f"{figures[key]:.2f}" for key in ("wall", "cpu")),
            *(f"{figures[key] / low[key]:.2f}" for key in ("wall", "cpu")),
            *(f"{our[key] / figures[key]:.2f}" for key in ("wall", "cpu")),
            f"{figures['peak']:.0f}",
        ]
        for side, figures in found.items()
    ]
    columns = ("way", "s/epoch", "CPU s", "x floor", "x floor, CPU", "ours to it", "ours to it, CPU", "peak MB")
    notes = [
        f"{count} photos. Ours is wanted at {TARGET} of the floor at most, and below 1 of the others.",
        "Peak memory is that of the process; two workers of the others are not in it.",
    ]
    return Table(f"photo_epoch: {name} at {SIDE}, all layers", title, setting.repeats, columns, rows, notes=notes)


def _head_table(setting: Setting, title: str, name: str, mine: str, count: int) -> Table:
    found = best(
        {
            "floor": lambda: fresh(head_floor, name, mine, count),
            "ours": lambda: fresh(head, name, mine, count, 1),
            "the body in every epoch": lambda: fresh(head, name, mine, count, 0),
        },
        1 if setting.quick else setting.repeats,
        setting.together,
    )
    low = found["floor"]["cpu"]
    rows = [[way, f"{figures['cpu']:.2f}", f"{figures['cpu'] / low:.2f}"] for way, figures in found.items()]
    columns = ("way", "CPU s", "x floor")
    notes = [f"{count} photos in one view. Ours is wanted at {HEAD_TARGET} of the floor at most."]
    what = f"photo_epoch: {HEAD_EPOCHS} epochs of the head alone, {name} at {SIDE}"
    return Table(what, title, setting.repeats, columns, rows, notes=notes)


def make(target: str, count: int) -> Figures:
    """Write an archive as scenes.zip is one: `photos/`, and a table of image, label and object."""
    import cv2

    generator = np.random.default_rng(0)
    with zipfile.ZipFile(target, "w") as out:
        lines = ["image,label,object"]
        for number in range(count):
            photo = cv2.resize(generator.normal(128, 40, (30, 40, 3)).clip(0, 255).astype(np.uint8), (500, 375))
            out.writestr(f"photos/{number:04}.jpg", cv2.imencode(".jpg", photo)[1].tobytes())
            lines.append(f"{number:04}.jpg,class{number % CLASSES},{number}")
        out.writestr("photos.csv", "\n".join(lines) + "\n")
    return {"images": count}


def set_up(archive: str, mine: str, theirs: str) -> Figures:
    """Extract and split to `mine`, and unpack the training photos to a folder for each class in `theirs`."""
    from darkroom.dataset.packed import load_index

    described = Entry.model_validate(
        {
            "path": archive,
            "train": "**/*",
            "labels": {"file": "photos.csv", "image": "image", "label": "label", "group": "object"},
            "channels": 3,
            "image_size": STORED,
            "resize": "crop",
        }
    )
    os.chdir(mine)
    table = packed.divided(Path(archive), described)
    wanted = load_index()[table["split"].eq("train").to_numpy()]["path"]
    with zipfile.ZipFile(archive) as members:
        rows = csv.DictReader(io.TextIOWrapper(members.open("photos.csv"), encoding="utf-8"))
        labels = {row["image"].rpartition("/")[2]: row["label"] for row in rows}
        for path in wanted:
            place = Path(theirs) / labels[path.rpartition("/")[2]] / path.rpartition("/")[2]
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(members.read(path))
    return {"train": len(wanted)}


def ours(name: str, folder: str, count: int) -> Figures:
    """The train stage's loop, on `count` photos."""
    torch, network = _start(name)
    from darkroom.augment import pipeline
    from darkroom.config.augmentations import Augmentation
    from darkroom.training import loop, processes
    from darkroom.training.recipe import Recipe

    settings = _settings()
    fabric = processes.fabric(settings, torch.device("cpu"), settings.precision)
    data, _ = packed.load_train(folder, "cpu", count)
    warm, _ = packed.load_train(folder, "cpu", WARM * BATCH)
    none, _ = packed.load_train(folder, "cpu", 1)
    mean = torch.full((3, 1, 1), 127.5)
    flip = [Augmentation.model_validate({"flip": {"probability": 0.5}})]
    change = pipeline.build(flip, mean.flatten(), mean.flatten(), (SIDE, SIDE))
    recipe = Recipe(fabric, network, mean, mean, settings, change)
    loop.fit(recipe, warm, none)
    with clock() as figures:
        loop.fit(recipe, data, none)
    return figures | {"peak": peak_mb()}


def head(name: str, folder: str, count: int, once: int) -> Figures:
    """The train stage's loop, the head alone; without `once` the body works on every photo in every epoch."""
    torch, network = _start(name)
    from darkroom.augment.views import Views
    from darkroom.training import loop, processes
    from darkroom.training.recipe import Recipe

    os.environ["DVC_ROOT"] = tempfile.mkdtemp(dir=folder)  # nothing is kept of an earlier run
    settings = _settings().model_copy(update={"epochs": HEAD_EPOCHS, "freeze_epochs": HEAD_EPOCHS})
    fabric = processes.fabric(settings, torch.device("cpu"), settings.precision)
    data, _ = packed.load_train(folder, "cpu", count)
    none, _ = packed.load_train(folder, "cpu", 1)
    mean = torch.full((3, 1, 1), 127.5)
    views = Views((), None) if once else None
    recipe = Recipe(fabric, network, mean, mean, settings, lambda images, draw: images, views)
    with clock() as figures:
        loop.fit(recipe, data, none)
    return figures


def head_floor(name: str, folder: str, count: int) -> Figures:
    """One pass of the body, then the same epochs of the head on what it made."""
    torch, network = _start(name)
    from darkroom.network.normalisation import normalise
    from darkroom.training.optimizers import make_optimizer

    data, _ = packed.load_train(folder, "cpu", count)
    mean = torch.full((3, 1, 1), 127.5)
    body, last = network.eval().get_submodule("features"), network.get_submodule("head")
    body.requires_grad_(False)
    parts = torch.split(torch.arange(count), BATCH)
    with clock() as figures:
        with torch.no_grad():
            features = torch.cat([body(normalise(images, mean, mean)) for images in data.read(parts)])
        optimizer = make_optimizer(network, _settings())
        for _ in range(HEAD_EPOCHS):
            for part in torch.randperm(count).split(BATCH):
                torch.nn.functional.cross_entropy(last(features[part]), data.labels[part]).backward()
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
    return figures


def floor(name: str, folder: str, count: int) -> Figures:
    """The same network and optimiser on one batch."""
    torch, network = _start(name)
    from darkroom.network.normalisation import normalise
    from darkroom.training.optimizers import make_optimizer

    data, _ = packed.load_train(folder, "cpu", BATCH)
    stored = next(data.read([torch.arange(BATCH)]))[:, :SIDE, :SIDE].contiguous()
    mean = torch.full((3, 1, 1), 127.5)
    images, optimizer = normalise(stored, mean, mean), make_optimizer(network, _settings())
    network.train()

    def train(count: int) -> None:
        for part in torch.tensor_split(torch.arange(count), -(-count // BATCH)):
            torch.nn.functional.cross_entropy(network(images[: len(part)]), data.labels[: len(part)]).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    train(WARM * BATCH)
    with clock() as figures:
        train(count)
    return figures | {"peak": peak_mb()}


def with_timm(name: str, folder: str) -> Figures:
    """timm's train.py: its dataset, loader and transforms, and its loop."""
    import torch
    from timm.data import create_dataset, create_loader  # type: ignore[attr-defined]
    from timm.utils import AverageMeter  # type: ignore[attr-defined]

    network = _library(name)

    def loader() -> Any:
        return create_loader(
            create_dataset("", folder), (3, SIDE, SIDE), BATCH, is_training=True, num_workers=WORKERS,
            device=torch.device("cpu"), mean=(0.5,) * 3, std=(0.5,) * 3, pin_memory=False,
        )  # fmt: skip

    losses: Any = AverageMeter()  # type: ignore[no-untyped-call]

    def step(loss: Any, logits: Any, labels: Any) -> None:
        losses.update(loss.item(), len(labels))

    return _epoch(network, loader, step)


def with_torchvision(name: str, folder: str) -> Figures:
    """torchvision's references/classification: its transforms for training, its loop, accuracy after each step."""
    import torch
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    network = _library(name)
    steps = [
        transforms.RandomResizedCrop(SIDE),
        transforms.RandomHorizontalFlip(),
        transforms.PILToTensor(),
        transforms.ConvertImageDtype(torch.float),
        transforms.Normalize((0.5,) * 3, (0.5,) * 3),
    ]
    photos = ImageFolder(folder, transforms.Compose(steps))

    def loader() -> Any:
        return torch.utils.data.DataLoader(photos, BATCH, shuffle=True, num_workers=WORKERS)

    found: list[float] = []

    def step(loss: Any, logits: Any, labels: Any) -> None:
        ranked = logits.topk(5).indices.eq(labels[:, None])
        found.extend([loss.item(), ranked[:, :1].sum().item(), ranked.sum().item()])

    return _epoch(network, loader, step)


def _epoch(network: Any, loader: Callable[[], Iterable[Any]], told: Callable[..., None]) -> Figures:
    import torch

    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9)

    def train(batches: Iterable[Any]) -> None:
        network.train()
        for images, labels in batches:
            logits = network(images)
            loss = torch.nn.functional.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            told(loss, logits, labels)

    train(islice(loader(), WARM))
    photos = loader()
    with clock() as figures:
        train(photos)
        del photos  # its workers end, so that their CPU time counts
    return figures | {"peak": peak_mb()}


def _library(name: str) -> Any:
    import timm
    import torch
    import torchvision

    torch.manual_seed(0)
    if name.startswith("timm/"):
        return timm.create_model(name.removeprefix("timm/"), num_classes=CLASSES)
    return torchvision.models.get_model(name, num_classes=CLASSES)


def _settings() -> Any:
    return epoch.TRAIN.model_copy(update={"batch_size": BATCH, "momentum": 0.9})


def _start(name: str) -> tuple[Any, Any]:
    """Torch, and the network as the train stage has it."""
    from darkroom.base import torch_setup

    torch = torch_setup.torch_for(threads=0, portable=False)
    from darkroom.network import architectures

    torch.manual_seed(0)
    wanted = epoch.MODEL.model_copy(update={"name": name, "input_size": SIDE, "hidden": []})
    network = architectures.build(wanted, (STORED, STORED, 3), CLASSES)
    return torch, network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
