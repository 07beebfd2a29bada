"""From archive to pixels: the extract stage beside the two usual ways, and the memory that it takes.

Compared is CPU time on one core for the same pictures, of an archive as Kaggle packed it (nested) and as Kaggle
serves it unpacked (flat). Ours also probes, hashes, sorts and writes array, index and classes to disk; the others stop
when they have the pixels and labels in memory, so what they leave out is in their favour. CPU time, for a neighbour on
the machine hardly changes it.
"""

import io
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import archives, packed, tree
from benchmarks.fresh import Figures, best, clock, fresh, peak_mb
from benchmarks.table import Setting, Table

TARGETS = {"nested": 35, "flat": 20}  # µs for each image
MEMORY_TARGET = 600  # MB, for the tenfold archive


def run(setting: Setting) -> list[Table]:
    shapes = {"nested": setting.archive, "flat": archives.flat(setting.archive, setting.folder() / "flat.zip")}
    return [_time(setting, shapes), _memory(setting, shapes)]


def _time(setting: Setting, shapes: dict[str, Path]) -> Table:
    ways: dict[str, Callable[[str, str], Figures]] = {
        "ours": ours,
        "zipfile, tarfile, PIL in memory": in_memory,
        "unpack to disk, os.walk, PIL": on_disk,
    }

    def call(way: Callable[[str, str], Figures], archive: Path) -> Callable[[], Figures]:
        return lambda: fresh(way, str(archive), str(setting.folder()), one_core=True)

    sides = {f"{shape}: {name}": call(way, path) for shape, path in shapes.items() for name, way in ways.items()}
    found = best(sides, setting.repeats)
    rows = []
    for shape in shapes:
        mine = found[f"{shape}: ours"]
        for name in ways:
            theirs = found[f"{shape}: {name}"]
            if theirs["images"] != mine["images"]:
                raise RuntimeError(f"{shape}, {name}: {theirs['images']} images where ours has {mine['images']}")
            target = str(TARGETS[shape]) if name == "ours" else ""
            each = theirs["cpu"] / theirs["images"] * 1e6
            rows.append([shape, name, f"{each:.1f}", f"{theirs['cpu'] / mine['cpu']:.2f}", target])
    return Table(
        "extract: from archive to pixels, CPU time on one core",
        setting.title,
        setting.repeats,
        ("archive", "way", "µs/image", "ratio to ours", "target"),
        rows,
        names=2,
        notes=(
            f"{mine['images']:,.0f} images each; imports are not counted. Ours includes hashes, index and writing to",
            "disk; the others end with pixels and labels in memory.",
        ),
    )


def _memory(setting: Setting, shapes: dict[str, Path]) -> Table:
    large = setting.folder() / "tenfold.zip"
    fresh(archives.tenfold, str(shapes["flat"]), str(large))
    rows = []
    for name, archive in {**shapes, "flat, tenfold": large}.items():
        figures = fresh(memory, str(archive), str(setting.folder()))
        images, size = f"{figures['images']:,.0f}", f"{archive.stat().st_size / 1e6:.1f}"
        pixels = f"{figures['images'] * archives.SIDE**2 / 1e6:.0f}"
        target = str(MEMORY_TARGET) if archive == large else ""
        rows.append([name, images, size, pixels, f"{figures['imports']:.0f}", f"{figures['peak']:.0f}", target])
    return Table(
        "extract: peak memory of the process, all cores",
        setting.title,
        1,
        ("archive", "images", "archive MB", "pixels MB", "imports MB", "peak MB", "target"),
        rows,
        notes=("Imports are part of the peak.",),
    )


def ours(archive: str, folder: str) -> Figures:
    """The function of the extract stage."""
    return packed.extract(archive, folder)


def memory(archive: str, folder: str) -> Figures:
    """As `ours`, with the memory of this process after the imports and at its peak."""
    import darkroom.intake.extraction  # noqa: F401

    imports = peak_mb()
    return ours(archive, folder) | {"imports": imports, "peak": peak_mb()}


def in_memory(archive: str, folder: str) -> Figures:
    """Read each member with zipfile or tarfile and decode it with PIL; no file is written."""
    images, labels = [], []
    with clock() as figures:
        for path, content in _members(archive):
            images.append(np.asarray(Image.open(io.BytesIO(content))))
            labels.append(path.split("/")[-2])
        np.stack(images)
    return figures | {"images": len(labels)}


def _members(archive: str) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as outer:
        for name in outer.namelist():
            if not name.startswith(archives.SETS):
                continue
            if not name.endswith(".tar.gz"):
                yield name, outer.read(name)
                continue
            with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as inner:
                for member in inner:
                    stream = inner.extractfile(member)
                    if stream is not None:
                        yield member.name, stream.read()


def on_disk(archive: str, folder: str) -> Figures:
    """Unpack everything to disk, walk the tree, open each file with PIL."""
    images, labels = [], []
    with clock() as figures:
        tree.unpack(Path(archive), Path(folder))
        for where, _, names in os.walk(folder):
            for name in names:
                with Image.open(os.path.join(where, name)) as picture:  # noqa: PTH118, as such scripts do
                    images.append(np.asarray(picture))
                labels.append(os.path.basename(where))  # noqa: PTH119
        np.stack(images)
    return figures | {"images": len(labels)}
