"""DVC with a tree of pictures beside DVC with the packed set: add, push to a remote, pull it all back.

The same labelled pictures, once as files in folders and once as the extract stage packs them. Each in a new git and
DVC repository with the project's own DVC settings, and a folder on the same disk as remote; `pull` works in a copy
that has no data, no cache, and none of DVC's memory of them, as on another machine. Seconds include the start of DVC,
which is the same on both sides. `--remote` names another place instead of that folder, as s3://bucket or ssh://host/folder,
with credentials as its own tools take them, and leaves there what it sent.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import packed, tree
from benchmarks.archives import LABELLED
from benchmarks.fresh import ROOT, Figures, best, children_cpu, fresh
from benchmarks.table import Setting, Table

COMMANDS = ("add", "push", "pull")


def run(setting: Setting) -> list[Table]:
    pictures, images = setting.folder(), setting.folder()
    tree.unpack(setting.archive, pictures, [LABELLED])
    count = fresh(packed.extract, str(setting.archive), str(images), False)["images"]
    # The tree takes a minute a run and varies little beside the ratios, which are large.
    runs = 1
    found = best(
        {
            "tree": lambda: measure(pictures, setting.folder(), setting.remote),
            "packed": lambda: measure(images, setting.folder(), setting.remote),
        },
        runs,
    )
    rows = []
    for command in COMMANDS:
        seconds = [found[side][f"{command}_{kind}"] for kind in ("wall", "cpu") for side in ("tree", "packed")]
        cells = [f"{value:.2f}" for value in seconds]
        rows.append([f"dvc {command}", *cells[:2], f"{seconds[0] / seconds[1]:.1f}", *cells[2:]])
    sizes = [f"{len(files):,} files, {sum(files) / 1e6:.1f} MB" for files in map(_sizes, (pictures, images))]
    notes = (
        f"{count:,.0f} pictures. Tree: {sizes[0]}; packed: {sizes[1]}. Remote: {setting.remote or 'a folder'}.",
        "Seconds by the clock, the start of DVC included.",
    )
    columns = ("command", "tree", "packed", "ratio", "tree CPU", "packed CPU")
    title = "dvc_tree: a tree of pictures beside the packed set"
    return [Table(title, setting.title, runs, columns, rows, notes=notes)]


def measure(source: Path, work: Path, remote: str | None) -> Figures:
    """Seconds of add, push and pull for a folder, through a folder of its own in the remote or in `work`."""
    first, second = work / "first", work / "second"
    shutil.copytree(source, first / "data")
    _call(["git", "init", "--quiet"], first)
    _dvc("init", first)
    shutil.copy(ROOT / ".dvc" / "config", first / ".dvc" / "config")
    _dvc("remote add --default --force folder", first, f"{remote or work}/{work.name}")
    figures = _dvc("add", first, "data") | _dvc("push", first)
    # A copy and no deletion: making files just after others were deleted is slow on some disks (see Setting.folder).
    shutil.copytree(first, second, ignore=shutil.ignore_patterns("data", "cache", "tmp"))
    figures |= _dvc("pull", second)
    if sorted(_sizes(second / "data")) != sorted(_sizes(source)):
        raise RuntimeError("`dvc pull` did not bring every file back")
    return figures


def _sizes(folder: Path) -> list[int]:
    """Bytes of every file."""
    return [path.stat().st_size for path in folder.rglob("*") if path.is_file()]


def _dvc(command: str, repository: Path, *arguments: str) -> Figures:
    wall, cpu = time.perf_counter(), children_cpu()
    _call([sys.executable, "-m", "dvc", *command.split(), "--quiet", *arguments], repository)
    return {f"{command}_wall": time.perf_counter() - wall, f"{command}_cpu": children_cpu() - cpu}


def environment(repository: Path) -> dict[str, str]:
    """Ours, but that DVC's settings and records on this machine are neither read nor changed."""
    own = {f"DVC_{name}_DIR": f"{repository}.{name}" for name in ("SITE_CACHE", "GLOBAL_CONFIG", "SYSTEM_CONFIG")}
    return os.environ | own | {"DVC_NO_ANALYTICS": "1"}


def _call(command: list[str], repository: Path) -> None:
    done = subprocess.run(
        command, cwd=repository, env=environment(repository), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
