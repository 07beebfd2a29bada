"""From a nested archive to a trained classifier: this pipeline beside what else a user might take.

Each of the others is a script of its own in benchmarks/peers, written after that package's documentation, and reads
the tree that benchmarks/peers/unpack.py makes; all train on the same images, with all cores. Ours is a fresh clone of
this repository and `dvc exp run`, every stage of it. The clock starts with the archive; the first result is the
accuracy on val after the first epoch. CPU time is that of all processes, an epoch's with its validation. Then each
runs twice for one epoch on a small made archive with one seed, to see whether the weights come out the same.

Packages lie in one folder each, below --peers: what is missing there is left out.
"""

import ast
import hashlib
import os
import pty
import re
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from benchmarks import archives, packed
from benchmarks.dvc_tree import environment
from benchmarks.fresh import ROOT, Figures, fresh
from benchmarks.table import Setting, Table
from darkroom.base import paths
from darkroom.base.console import bar
from darkroom.base.files import read_json, write_csv

EPOCHS = 3
SEED = 0
WEIGHTS = "weights.pt"
INSTALL = (
    "--peers DIR, with DIR/NAME from `uv pip install --no-deps --target DIR/NAME`:",
    "lightning lightning==2.6.6 torchmetrics==1.9.0",
    "hydra hydra-core==1.3.2 omegaconf==2.3.0 antlr4-python3-runtime==4.9.3 hydra-colorlog==1.2.0 colorlog rootutils "
    "python-dotenv lightning==2.6.6 torchmetrics==1.9.0 rich markdown-it-py mdurl pygments, and in that folder "
    "`git clone https://github.com/ashleve/lightning-hydra-template`",
    "timm timm==1.0.31 huggingface_hub",
    "fastai fastai==2.8.12 fastcore fastdownload fasttransform 'fastprogress<1.1' 'plum-dispatch<2.10' beartype rich",
    "ultralytics ultralytics==8.4.190 ultralytics-thop ultralytics-platform polars polars-runtime-32 nvidia-ml-py",
)


@dataclass(frozen=True, slots=True)
class Peer:
    """A script, the folder of its package, and how its output says that an epoch has ended."""

    name: str
    package: str | None
    network: str
    mark: str = r"epoch (\d+) val"


PEERS = (
    Peer("torchvision", None, "2 conv, 2 linear"),
    Peer("lightning", "lightning", "2 conv, 2 linear"),
    Peer("hydra", "hydra", "784-64-128-64-10"),
    Peer("timm", "timm", "resnet18"),
    Peer("fastai", "fastai", "resnet18", r"^(\d+) +\d\.\d+ +\d\.\d+ +\d\.\d+"),
    Peer("ultralytics", "ultralytics", "yolo26n-cls", r"^ +all +\d"),
)
MARK = r"epoch (\d+)/\d+, val"
FAST = (
    "model.layers=16P-64P-128",
    "train.batch_size=96",
    "train.lr=0.25",
    "train.ema=0.0",
    "augment=[{shift: {pixels: 1}}]",
)
OURS = {"ours, default network": ("32P-64-64P-128-128", ()), "ours, fast recipe": ("16P-64P-128", FAST)}


def run(setting: Setting) -> list[Table]:
    epochs = 1 if setting.quick else EPOCHS
    small = setting.folder() / "small"
    small.mkdir()
    tiny, _ = archives.choose(small, quick=True)
    shared = {archive: unpacked(archive, setting.folder()) for archive in {setting.archive, tiny}}
    there = [peer for peer in PEERS if installed(peer, setting.peers)]
    rows = []
    for name, (network, changes) in bar(what="ours", unit="run", items=list(OURS.items())):
        folder = setting.folder()
        figures = ours(folder, setting.archive, epochs, changes)
        same = len({_ours_digest(setting.folder(), tiny, changes) for _ in range(2)}) == 1
        rows.append(_row(name, network, len(changes) + 2, figures, 0.0, same))
    for peer in bar(what="peers", unit="peer", items=there):
        data, spent = shared[setting.archive]
        figures = theirs(peer, setting.folder(), data, epochs, setting.peers)
        same = len({_their_digest(peer, setting.folder(), shared[tiny][0], setting.peers) for _ in range(2)}) == 1
        lines = code_lines("unpack") + code_lines(f"with_{peer.name}")
        rows.append(_row(peer.name, peer.network, lines, figures, spent, same))
    columns = ("lines", "first result, s", "all, s", "CPU s/epoch", "CPU s, all", "test, %", "same weights")
    notes = [
        f"{epochs} epochs, seed {SEED}; lines: what the user writes, without blank lines and comments; ours: options.",
        f"Theirs begin with unpack.py ({shared[setting.archive][1]:.1f} s), which is in their seconds and lines.",
        "Ours ends with the report: audit, baselines, error analysis and MLflow are in its seconds.",
        "Same weights: whether two runs of one epoch on a small set, with one seed, gave the same weights.",
    ]
    if len(there) < len(PEERS):
        notes += ["Not installed: " + ", ".join(peer.name for peer in PEERS if peer not in there), *INSTALL]
    return [
        Table(
            "comparison: from the archive to a classifier",
            setting.title,
            1,
            ("way", "network", *columns),
            rows,
            names=2,
            notes=notes,
        )
    ]


def installed(peer: Peer, packages: Path | None) -> bool:
    """Whether its script can be run here."""
    return peer.package is None or (packages is not None and (packages / peer.package).is_dir())


def _row(name: str, network: str, lines: int, figures: Figures, before: float, same: bool) -> list[str]:
    return [
        name,
        network,
        str(lines),
        f"{before + figures['first']:.1f}",
        f"{before + figures['wall']:.1f}",
        f"{figures['epoch_cpu']:.1f}",
        f"{figures['cpu']:.1f}",
        f"{100 * figures['test']:.2f}",
        "yes" if same else "no",
    ]


def code_lines(script: str) -> int:
    """Lines of a script of benchmarks/peers without blank ones, comments and its docstring."""
    text = (ROOT / "benchmarks" / "peers" / f"{script}.py").read_text(encoding="utf-8")
    head = ast.parse(text).body[0]
    lines = text.splitlines()[head.end_lineno :]
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in lines)


def unpacked(archive: Path, folder: Path) -> tuple[Path, float]:
    """The tree of an archive, divided as our split stage divides it, and the seconds that unpacking took."""
    (folder / "ours").mkdir()
    fresh(packed.set_up, str(archive), str(folder / "ours"))
    index, split = (pd.read_parquet(folder / "ours" / path) for path in (paths.INDEX, paths.SPLIT))
    write_csv(folder / "split.csv", index.merge(split, on="row")[["path", "split"]])
    started = time.perf_counter()
    _call([sys.executable, "-m", "benchmarks.peers.unpack", str(archive), str(folder / "split.csv"), str(folder)], ROOT)
    return folder, time.perf_counter() - started


def theirs(peer: Peer, folder: Path, data: Path, epochs: int, packages: Path | None) -> Figures:
    """Run a script; it works in `folder`."""
    command = [sys.executable, "-m", f"benchmarks.peers.with_{peer.name}", str(data), str(epochs), str(SEED)]
    places = [ROOT, *([packages / peer.package] if packages and peer.package else [])]
    own = {"PYTHONPATH": os.pathsep.join(map(str, places)), "YOLO_CONFIG_DIR": str(folder), "MPLCONFIGDIR": str(folder)}
    figures, printed = watch(command, folder, os.environ | own, peer.mark)
    (test,) = re.findall(r"^test ([\d.]+)", printed, re.MULTILINE)
    return figures | {"test": float(test)}


def ours(folder: Path, archive: Path, epochs: int, changes: Sequence[str]) -> Figures:
    """`dvc exp run` in a fresh clone, on the archive."""
    clone = folder / "clone"
    _call(["git", "clone", "--quiet", str(ROOT), str(clone)], folder)
    _call(["git", "config", "user.name", "benchmark"], clone)
    _call(["git", "config", "user.email", "benchmark@example.com"], clone)
    settings = ["dataset=mnist", f"fetch.archive.mnist={archive}", f"train.epochs={epochs}", *changes]
    command = [sys.executable, "-m", "dvc", "exp", "run", *(word for one in settings for word in ("-S", one))]
    own = environment(clone) | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    figures, _ = watch(command, clone, own, MARK)
    return figures | {"test": read_json(clone / paths.EVALUATE)["test"]["accuracy"]}


def watch(command: list[str], folder: Path, environment: dict[str, str], mark: str) -> tuple[Figures, str]:
    """Run a command on a terminal of its own, as a user does, and see when its output says that an epoch has ended.

    Returns seconds to the first epoch's end (first) and to the last line (wall), and CPU seconds of the whole (cpu) and
    of an epoch after the first (epoch_cpu; of the first, where there is no other); and what was printed.
    """
    terminal, inside = pty.openpty()
    termios.tcsetwinsize(inside, (24, 120))  # a terminal without columns shows no progress bars
    started = time.perf_counter()
    process = psutil.Popen(command, cwd=folder, env=environment, stdin=inside, stdout=inside, stderr=inside)
    os.close(inside)
    marks: dict[str, tuple[float, float]] = {}
    lines, cpu = [], 0.0
    for line in _lines(terminal):
        lines.append(line)
        found = re.search(mark, line)
        if found:
            cpu = _cpu(process)
            marks.setdefault(found[1] if found.groups() else str(len(marks)), (time.perf_counter() - started, cpu))
    ended = os.wait4(process.pid, 0)
    printed = "\n".join(lines)
    if ended[1]:
        raise RuntimeError(f"{' '.join(command)} failed:\n{printed[-3000:]}")
    if not marks:
        raise RuntimeError(f"{' '.join(command)} said of no epoch that it ended:\n{printed[-3000:]}")
    times = list(marks.values())
    each = (times[-1][1] - times[0][1]) / (len(times) - 1) if len(times) > 1 else times[0][1]
    whole = ended[2].ru_utime + ended[2].ru_stime
    return {"first": times[0][0], "wall": time.perf_counter() - started, "epoch_cpu": each, "cpu": whole}, printed


def _lines(terminal: int) -> Iterator[str]:
    """What a program writes to its terminal, line by line, until it has ended; a line may be overwritten (\\r)."""
    rest = b""
    while True:
        try:
            piece = os.read(terminal, 2**16)
        except OSError:  # Linux says so when the other side is closed
            piece = b""
        if not piece:
            break
        *whole, rest = re.split(rb"[\r\n]+", rest + piece)
        for line in whole:
            yield re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", line).decode("utf-8", "replace")
    yield rest.decode("utf-8", "replace")
    os.close(terminal)


def _cpu(process: psutil.Process) -> float:
    """Seconds of CPU time of a process and all below it, those that have ended included."""
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += sum(one.cpu_times()[:4])
        except psutil.NoSuchProcess:  # its parent counts it now
            continue
    return total


def _ours_digest(folder: Path, archive: Path, changes: Sequence[str]) -> str:
    ours(folder, archive, 1, changes)
    return hashlib.sha256((folder / "clone" / paths.WEIGHTS).read_bytes()).hexdigest()


def _their_digest(peer: Peer, folder: Path, data: Path, packages: Path | None) -> float:
    theirs(peer, folder, data, 1, packages)
    weights = next(folder.glob("weights.*"))
    package = packages / peer.package if packages and peer.package else None
    return fresh(digest, str(weights), packages=package)["digest"]


def digest(file: str) -> Figures:
    """A number made of all tensors in a file of torch's: equal weights, equal numbers."""
    os.environ["YOLO_CONFIG_DIR"] = str(Path(file).parent)  # else Ultralytics writes to the user's home
    import torch

    total = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, torch.Tensor):
            total.update(value.contiguous().cpu().numpy().tobytes())
        elif isinstance(value, torch.nn.Module):
            add(value.state_dict())
        elif isinstance(value, dict):
            for part in value.values():
                add(part)
        elif isinstance(value, list | tuple):
            for part in value:
                add(part)

    add(torch.load(file, weights_only=False))
    return {"digest": float(int(total.hexdigest()[:12], 16))}


def _call(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
