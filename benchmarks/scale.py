"""How time and memory grow with the number of images: each stage a process of its own, as DVC runs it.

Made pictures of ten classes: 28x28 grey ones, and a fiftieth as many of 224x224 in colour, as JPEG in one zip. Each is
a pattern of its class, moved, with noise; every hundredth is a copy of the one before. A small network is trained for
one epoch, once with the images in memory as far as `train.memory_share` allows, and once from disk. What a size has
written is deleted before the next one: the largest needs some 7 GB.
"""

import os
import runpy
import shutil
import time
import zipfile
from pathlib import Path

import cv2
import numpy as np

from benchmarks.fresh import ROOT, Figures, children_cpu, fresh, peak_mb
from benchmarks.table import Setting, Table
from darkroom.base import paths
from darkroom.base.console import bar
from darkroom.config.yaml_files import dump, read_yaml

CLASSES = 10
SMALL, LARGE = 28, 224
FEWER = 50  # small pictures for a large one
FEWEST = 10_000
COPIES = 100  # every hundredth picture is a copy
BLOCK = 1000  # pictures drawn together
SEED = 0
STAGES = ("entry", "fetch", "extract", "audit", "split", "stats", "baseline", "train", "train from disk")

# Not from params.yaml: that is the user's to change.
LAYERS = "8P-16P-32P"
PARAMS: dict[str, dict[str, object]] = {
    "model": {"name": "cnn", "layers": LAYERS, "batch_norm": True, "pooling": "max", "hidden": []},
    "train": {"epochs": 1, "batch_size": 128, "precision": "32", "memory_share": 0.5, "threads": 0, "device": "cpu"},
    "tracking": {"enabled": False},
}


def run(setting: Setting) -> list[Table]:
    fewest = 500 if setting.quick else FEWEST
    small = [count for count in (fewest, 10 * fewest, 100 * fewest) if count <= setting.most]
    large = [count // FEWER for count in small[1:] or small]
    return [
        _table(setting, f"{SMALL}x{SMALL} grey", small, SMALL, 1),
        _table(setting, f"{LARGE}x{LARGE} colour", large, LARGE, 3),
    ]


def _table(setting: Setting, what: str, counts: list[int], side: int, channels: int) -> Table:
    found = {count: _measure(setting.folder(), count, side, channels) for count in counts}
    rows = []
    for name in STAGES:
        before = None
        for count, figures in ((count, found[count][name]) for count in counts):
            wall, cpu, peak = figures["wall"], figures["cpu"], figures["peak"]
            further = f"{1e6 * (cpu - before[1]) / (count - before[0]):,.1f}" if before else ""
            cells = [f"{wall:.1f}", f"{cpu:.1f}", f"{1e6 * cpu / count:,.1f}", further, f"{peak:,.0f}"]
            rows.append([name, f"{count:,}", *cells])
            before = count, cpu
    columns = ("stage", "images", "seconds", "CPU s", "CPU µs/image", "CPU µs/further image", "peak MB")
    sizes = ", ".join(
        f"{count:,}: zip {stages['fetch']['zip']:,.0f} MB, pixels {count * side * side * channels / 1e6:,.0f} MB"
        for count, stages in found.items()
    )
    notes = (
        f"{sizes}.",
        "A further image: what each costs beyond the smaller set. Where a stage is linear this stays the same.",
        "Seconds include the start of Python and the imports; peak memory of the process, imports included.",
        f"Network {LAYERS}, one epoch over 60 % of the images, validation on 20 %.",
    )
    return Table(f"scale: {what}, each stage a process of its own", "made pictures", 1, columns, rows, notes=notes)


def _measure(folder: Path, count: int, side: int, channels: int) -> dict[str, Figures]:
    """Figures of each stage for so many pictures. Nothing is left of the folder."""
    archive = folder / "made.zip"
    fresh(make, str(archive), count, side, channels)
    found = {}
    for name in bar(what=f"{count:,} pictures", unit="stage", items=STAGES):
        _configure(folder, side, channels, from_disk=name.endswith("disk"))
        wall, cpu = time.perf_counter(), children_cpu()
        figures = fresh(stage, str(folder), name.partition(" ")[0])
        found[name] = figures | {"wall": time.perf_counter() - wall, "cpu": children_cpu() - cpu}
    found["fetch"]["zip"] = archive.stat().st_size / 1e6
    shutil.rmtree(folder)
    return found


def _configure(folder: Path, side: int, channels: int, *, from_disk: bool) -> None:
    """Parameters and catalogue."""
    params = read_yaml(ROOT / paths.PARAMS)
    params |= {"dataset": "made", "augment": []}
    for section, settings in PARAMS.items():
        params[section] |= settings
    if from_disk:
        params["train"]["memory_share"] = 0.0
    entry = {"path": str(folder / "made.zip"), "train": "made", "channels": channels, "image_size": side}
    for path, content in ((paths.PARAMS, params), (paths.DATASETS, {"made": entry})):
        (folder / path).write_text(dump(content), encoding="utf-8")


def stage(folder: str, name: str) -> Figures:
    """Run one stage in a folder."""
    os.chdir(folder)
    runpy.run_module(f"stages.{name}", run_name="__main__")
    return {"peak": peak_mb()}


def make(file: str, count: int, side: int, channels: int) -> Figures:
    """Write a zip of JPEG pictures, a folder for each class."""
    generator = np.random.default_rng(SEED)
    patterns = generator.integers(0, 256, (CLASSES, 7, 7, channels), np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as packed:
        for start in range(0, count, BLOCK):
            labels = generator.integers(0, CLASSES, BLOCK)
            moves = generator.integers(-3, 4, (BLOCK, 2))
            noise = generator.integers(0, 160, (BLOCK, SMALL, SMALL, channels), np.uint8)
            for at in range(min(BLOCK, count - start)):
                number = start + at
                if number % COPIES or not number:
                    label = int(labels[at])
                    image = np.roll(patterns[label], moves[at], axis=(0, 1)) // 3 + noise[at]
                    if side != SMALL:
                        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
                    content = cv2.imencode(".jpg", image)[1].tobytes()
                packed.writestr(f"made/{label}/{number:07}.jpg", content)
    return {"images": count}
