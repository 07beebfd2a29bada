"""The whole data path, from the archive to batches: S1's tree of files beside our one array.

Set-up is what is done once: S1 unpacks the archives and copies each file into the tree of its split; ours runs the
functions of the stages `extract` and `split`. Then each epoch is only fed: every training image once, in random
order, in normalised batches of 128; nothing is trained. S1 reads each file again, through a Dataset and a
DataLoader without workers; ours indexes the array, through darkroom.training.batches as
darkroom.training.loop does. The files were just written, so S1 reads
them from the system's cache and not from a disk. Each side has all cores; S1's way uses one of them.
"""

from collections.abc import Callable
from pathlib import Path

from benchmarks import packed, tree
from benchmarks.fresh import Figures, best, clock, fresh
from benchmarks.table import Setting, Table

EPOCHS = 50  # of S1
SET_UP = {"ours": "ours, set-up", "S1, cv2": "S1, set-up", "S1, PIL": "S1, set-up"}


def run(setting: Setting) -> list[Table]:
    made: dict[str, str] = {}  # where the last set-up of each side lies

    def set_up(side: str, function: Callable[[str, str], Figures]) -> Figures:
        made[side] = str(setting.folder())
        return fresh(function, str(setting.archive), made[side])

    # Each set-up is made anew for each run; both of S1's readers then read the same files.
    found = best(
        {
            "ours, set-up": lambda: set_up("ours", packed.set_up),
            "S1, set-up": lambda: set_up("S1", tree.set_up),
            "ours": lambda: fresh(feed_packed, made["ours"]),
            "S1, cv2": lambda: fresh(feed_tree, made["S1"], "cv2"),
            "S1, PIL": lambda: fresh(feed_tree, made["S1"], "PIL"),
        },
        setting.repeats,
    )
    rows, ours = [], 0.0
    for name, once in SET_UP.items():
        feed = found[name]
        wall, cpu = (found[once][kind] + feed[f"load_{kind}"] for kind in ("wall", "cpu"))
        total = wall + EPOCHS * feed["wall"]
        ours = ours or total  # the first row
        cells = [f"{value:.3f}" for value in (wall, cpu, feed["wall"], feed["cpu"])]
        rows.append([name, *cells, f"{total:.1f}", f"{total / ours:.1f}"])
    return [
        Table(
            "data_path: from archive to batches, seconds",
            setting.title,
            setting.repeats,
            ("way", "set-up", "CPU", "feed an epoch", "CPU", f"{EPOCHS} epochs, computed", "ratio to ours"),
            rows,
            notes=(
                f"{found['ours']['images']:,.0f} training images. {EPOCHS} epochs = set-up + {EPOCHS} x feeding an "
                "epoch: computed, not run.",
                "Set-up includes loading the array, or listing the files. Imports are not counted; nothing is trained.",
            ),
        )
    ]


def feed_packed(folder: str) -> Figures:
    """Load the array and feed one epoch from it."""
    from darkroom.base import torch_setup

    torch = torch_setup.torch_for(threads=0, portable=False)
    from benchmarks.s1 import BATCH, MEAN, STD
    from darkroom.network.normalisation import normalise

    mean, std = torch.full((1, 1, 1), MEAN * 255), torch.full((1, 1, 1), STD * 255)
    data, load = packed.load_train(folder)
    normalise(next(data.read([torch.arange(BATCH)])), mean, std)  # the first call of a process is slower
    seen = 0
    with clock() as figures:
        parts = torch.split(torch.randperm(len(data)), BATCH)
        for part, images in zip(parts, data.read(parts), strict=True):
            normalise(images, mean, std)
            seen += len(data.labels[part])
    return _with_load(figures, load, seen)


def feed_tree(folder: str, reader: str) -> Figures:
    """List the files and feed one epoch from them."""
    from benchmarks import s1

    with clock() as load:
        batches = s1.loader(Path(folder) / "train", reader)
    next(iter(batches))
    seen = 0
    with clock() as figures:
        for _, labels in batches:
            seen += len(labels)
    return _with_load(figures, load, seen)


def _with_load(figures: Figures, load: Figures, images: int) -> Figures:
    return figures | {f"load_{kind}": seconds for kind, seconds in load.items()} | {"images": images}
