"""One epoch on photos, all layers of a network for photos: training.loop.fit beside timm's and torchvision's own loops.

The archive is scenes.zip in the folder that DARKROOM_TEST_ARCHIVES names, else one made here. Batches of 32, SGD,
float32, all cores. The floor is the same network and optimiser on one batch that lies in memory, again and again; what
ours has above it is the data, the augmentation (a random part of each stored photo, flipped or not) and the loop.

The others read their photos from a folder with two workers, as their own training scripts do: timm's with
timm.data.create_loader and its defaults, torchvision's with the transforms of its classification reference. Their
optimiser is the same, and their networks come from the library itself. None of them validates.
"""

import csv
import io
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
WARM = 2  # batches before the clock starts


def run(setting: Setting) -> list[Table]:
    archive, title = archives.photos(setting, REAL, make, 64 if setting.quick else 400)
    mine, theirs = setting.folder(), setting.folder()
    count = int(fresh(set_up, str(archive), str(mine), str(theirs))["train"])
    networks = NETWORKS[:1] if setting.quick else NETWORKS
    return [_table(setting, title, name, str(mine), str(theirs), count) for name in networks]


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
    import os

    from darkroom.base import paths
    from darkroom.base.files import replacing_folder, write_parquet
    from darkroom.dataset import splits
    from darkroom.dataset.packed import load_classes, load_index
    from darkroom.intake.extraction import extract

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
    with replacing_folder(paths.DATA) as images:
        extract(Path(archive), described, packed.EXTRACT, images, "photos")
    index, classes = load_index(), load_classes()
    table = splits.divide(index, classes, packed.SPLIT).table
    write_parquet(paths.SPLIT, table)
    wanted = index[table["split"].eq("train").to_numpy()]["path"]
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
