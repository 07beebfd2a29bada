"""DVC with a tree of pictures beside DVC with the packed set: add, push to a remote, pull it all back.

The same labelled pictures, once as files in folders and once as the extract stage packs them. Each in a new git and
DVC repository with the project's own DVC settings, and a folder on the same disk as remote; before `pull`, workspace,
cache and DVC's memory of both are deleted, as on another machine. Seconds include the start of DVC, which is the same
on both sides. A remote across a network costs a request for each file, and the ratios there are larger.
"""

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks import packed, tree
from benchmarks.archives import LABELLED
from benchmarks.fresh import ROOT, Figures, best, fresh
from benchmarks.table import Setting, Table

COMMANDS = ("add", "push", "pull")


def run(setting: Setting) -> list[Table]:
    pictures, images = setting.work / "pictures", setting.work / "images"
    images.mkdir()
    tree.unpack(setting.archive, pictures, [LABELLED])
    count = fresh(packed.extract, str(setting.archive), str(images), False)["images"]
    # The tree takes a minute or two a run and varies little beside the ratios, which are large.
    runs = 1
    found = best(
        {
            "tree": lambda: measure(pictures, setting.work / "repository"),
            "packed": lambda: measure(images, setting.work / "repository"),
        },
        runs,
    )
    rows = []
    for command in COMMANDS:
        seconds = [found[side][f"{command}_{kind}"] for kind in ("wall", "cpu") for side in ("tree", "packed")]
        cells = [f"{value:.2f}" for value in seconds]
        rows.append([f"dvc {command}", *cells[:2], f"{seconds[0] / seconds[1]:.1f}", *cells[2:]])
    notes = (f"{count:,.0f} pictures. Seconds by the clock, the start of DVC included.",)
    columns = ("command", "tree", "packed", "ratio", "tree CPU", "packed CPU")
    title = "dvc_tree: a tree of pictures beside the packed set"
    return [Table(title, setting.title, runs, columns, rows, notes=notes)]


def measure(source: Path, repository: Path) -> Figures:
    """Seconds of add, push and pull for a folder, in a repository made for it and deleted after it."""
    remote, state = repository.with_suffix(".remote"), repository.with_suffix(".state")
    # Neither DVC's records of this machine nor its settings are read or changed.
    environment = os.environ | {
        "DVC_SITE_CACHE_DIR": str(state),
        "DVC_GLOBAL_CONFIG_DIR": str(state / "global"),
        "DVC_SYSTEM_CONFIG_DIR": str(state / "system"),
        "DVC_NO_ANALYTICS": "1",
    }
    try:
        shutil.copytree(source, repository / "data")
        _call(["git", "init", "--quiet"], repository, environment)
        _dvc(["init", "--quiet"], repository, environment)
        shutil.copy(ROOT / ".dvc" / "config", repository / ".dvc" / "config")
        _dvc(["remote", "add", "--default", "--force", "folder", str(remote)], repository, environment)
        figures: Figures = {}
        for command, arguments in {"add": ["data"], "push": [], "pull": []}.items():
            if command == "pull":
                for folder in (repository / "data", repository / ".dvc" / "cache", repository / ".dvc" / "tmp", state):
                    shutil.rmtree(folder)
            figures |= _dvc([command, "--quiet", *arguments], repository, environment)
        if sum(path.is_file() for path in (repository / "data").rglob("*")) != sum(
            path.is_file() for path in source.rglob("*")
        ):
            raise RuntimeError("`dvc pull` did not bring every file back")
        return figures
    finally:
        for folder in (repository, remote, state):
            shutil.rmtree(folder, ignore_errors=True)


def _dvc(arguments: list[str], folder: Path, environment: Mapping[str, str]) -> Figures:
    wall, cpu = time.perf_counter(), _children_cpu()
    _call([sys.executable, "-m", "dvc", *arguments], folder, environment)
    command = arguments[0]
    return {f"{command}_wall": time.perf_counter() - wall, f"{command}_cpu": _children_cpu() - cpu}


def _call(command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
