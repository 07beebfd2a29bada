"""Two machines that train as one, played by two network namespaces: one differs, one is lost.

`python -m tests.torture.nodes` prints what each trial said, and in how many seconds both had ended. It wants root and
the command `ip`.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from darkroom.base import paths
from darkroom.base.files import write_parquet
from darkroom.config.stage_files import Stats
from tests import make, models
from tests.conftest import ROOT
from tests.torture.table import Row

NAMES = (f"darkroom-{os.getpid()}-0", f"darkroom-{os.getpid()}-1")
DEVICES = (f"dark{os.getpid() % 10**6}a", f"dark{os.getpid() % 10**6}b")
LIMIT = 60  # seconds in which the one that is left must have ended
START = 240  # in which both have come and trained an epoch, on a busy machine
SETTINGS = {
    "dataset": "mine", "train.epochs": 3000, "train.batch_size": 16, "train.precision": "32", "train.threads": 1,
    "train.portable": False, "train.num_nodes": 2, "train.lr": 0.1, "model.layers": "4P-6", "augment": [],
    "tracking.enabled": False,
}  # fmt: skip


class Ended(NamedTuple):
    what: str
    codes: list[int]
    seconds: float  # from the start, or from the loss, until both had ended
    said: list[str]  # the last line of each
    trouble: str


def rows(seconds, seed):
    if reason := missing():
        print(f"nodes: not tried: {reason}")
        return
    end = time.monotonic() + seconds
    for what, trials, asked in (
        ("two machines, one of which would train otherwise", DIFFERENCES, "both refuse in one sentence that names it"),
        ("two machines, one of which is lost", LOSSES, "the other ends within a minute, in one sentence that names it"),
    ):
        found = [_tried(what, trial) for what, trial in trials.items() if time.monotonic() < end]
        failures = tuple(f"{trial.what}: {trial.trouble}" for trial in found if trial.trouble)
        yield Row(what, len(found), len(found) - len(failures), asked, failures)


def missing():
    """Why it cannot be tried here; nothing where it can."""
    if os.geteuid() or not shutil.which("ip"):
        return "two network namespaces want root and the command ip"
    answer = subprocess.run(["ip", "netns", "add", NAMES[0]], capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "delete", NAMES[0]], capture_output=True, check=False)
    return answer.stderr.strip()


@contextlib.contextmanager
def _network():
    def ip(*words):
        subprocess.run(["ip", *words], check=True)

    try:
        for name in NAMES:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("link", "add", DEVICES[0], "type", "veth", "peer", "name", DEVICES[1])
        for number, (name, device) in enumerate(zip(NAMES, DEVICES, strict=True), 1):
            ip("link", "set", device, "netns", name)
            ip("-n", name, "address", "add", f"10.77.0.{number}/24", "dev", device)
            ip("-n", name, "link", "set", device, "up")
        yield
    finally:
        for name in NAMES:
            subprocess.run(["ip", "netns", "delete", name], check=False)


def _machine(folder):
    """A copy of the code, with a small data set."""
    for name in ("darkroom", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("params.yaml", "datasets.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, folder)
    with contextlib.chdir(folder):
        make.edit(paths.DATASETS, {"mine": {"path": "x", "train": "train", "channels": 1, "image_size": 8}})
        make.edit(paths.PARAMS, SETTINGS)
        images, labels = models.blobs(60)
        make.packed(images, labels.tolist(), ["train"] * 45 + ["val"] * 15, ["ant", "bee", "cow"])
        Stats(mean=[0.2], std=[0.3], border=[0.0], split="train").write(paths.STATS)


def _tried(what, trial):
    print(f"nodes: {what}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as place, _network():
        folders = [Path(place) / name for name in ("first", "second")]
        for folder in folders:
            _machine(folder)
        return trial(what, folders)


def _start(folders, **environment):
    """Start both machines."""
    found = []
    for rank, (folder, name) in enumerate(zip(folders, NAMES, strict=True)):
        there = {"MASTER_ADDR": "10.77.0.1", "MASTER_PORT": "29501", "NODE_RANK": str(rank)}
        other = environment if rank else {}
        with (folder / "said").open("w") as said:
            command = ["ip", "netns", "exec", name, sys.executable, "-m", "stages.train"]
            found.append(
                subprocess.Popen(command, cwd=folder, env=os.environ | there | other, stdout=said, stderr=said)
            )
    return found


def _end(what, folders, processes, since, limit, lost=None):
    """Wait for the end of both; `lost` need not say anything."""
    trouble = []
    for process in processes:
        try:
            process.wait(max(0.1, since + limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            trouble.append(f"node {processes.index(process)} had not ended after {limit} seconds")
    seconds = time.monotonic() - since
    for process in processes:
        process.kill()
        process.wait()
    printed = [(folder / "said").read_text() for folder in folders]
    for rank, (process, text) in enumerate(zip(processes, printed, strict=True)):
        if process.returncode == 0:
            trouble.append(f"node {rank} ended as if all were well")
        if rank != lost and (text.count("error: ") != 1 or "Traceback" in text or "frame #" in text):
            trouble.append(f"node {rank} said: {text[-500:]}")
    said = [text.strip().splitlines()[-1] if text.strip() else "" for text in printed]
    return Ended(what, [process.returncode for process in processes], seconds, said, "; ".join(trouble))


def _edited(**changes):
    return lambda: make.edit(paths.PARAMS, {key.replace("__", "."): value for key, value in changes.items()})


def _labels():
    write_parquet(paths.INDEX, make.index_of([1, *pd.read_parquet(paths.INDEX)["label"][1:].tolist()]))


def _split():
    split = pd.read_parquet(paths.SPLIT)
    write_parquet(paths.SPLIT, split.assign(split=split["split"].to_numpy()[::-1]))


def _pixels():
    images = np.load(paths.IMAGES)
    images[0] ^= 1
    np.save(paths.IMAGES, images)


def _code():
    with Path("darkroom/training/step.py").open("a") as file:
        file.write("# changed\n")


def _package():
    Path("numpy-0.1.dist-info").mkdir()
    Path("numpy-0.1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 0.1\n")


def _other(change):
    """The second machine would train otherwise."""

    def trial(what, folders):
        with contextlib.chdir(folders[1]):
            change()
        started = time.monotonic()
        return _end(what, folders, _start(folders), started, START)

    return trial


def _lost(loss, rank):
    """A machine is lost after the first epochs."""

    def trial(what, folders):
        processes = _start(folders)
        end = time.monotonic() + START
        while not (folders[0] / paths.HISTORY).exists() and time.monotonic() < end:
            time.sleep(0.2)
        time.sleep(2)
        since = time.monotonic()
        loss(processes)
        return _end(what, folders, processes, since, LIMIT, lost=rank)

    return trial


def _signal(rank, number):
    return _lost(lambda processes: processes[rank].send_signal(number), rank)


def _no_link(processes):
    subprocess.run(["ip", "-n", NAMES[1], "link", "set", DEVICES[1], "down"], check=True)


DIFFERENCES = {
    "learning rate": _other(_edited(train__lr=0.01)),
    "batch size": _other(_edited(train__batch_size=8)),
    "epochs": _other(_edited(train__epochs=2)),
    "network": _other(_edited(model__layers="8P-6")),
    "labels": _other(_labels),
    "split": _other(_split),
    "pixels": _other(_pixels),
    "code": _other(_code),
    "version of numpy": _other(_package),
    "number of nodes": _other(_edited(train__num_nodes=3)),
    "devices on a node": _other(_edited(train__devices=2)),
}
LOSSES = {
    "kill -9 of node 1": _signal(1, signal.SIGKILL),
    "kill -9 of node 0": _signal(0, signal.SIGKILL),
    "Ctrl+C on node 1": _signal(1, signal.SIGINT),
    "Ctrl+C on node 0": _signal(0, signal.SIGINT),
    "the link down": _lost(_no_link, None),
}


def main():
    if reason := missing():
        sys.exit(reason)
    for what, trial in (DIFFERENCES | LOSSES).items():
        if any(word in what for word in sys.argv[1:] or [""]):
            ended = _tried(what, trial)
            print(f"{what}: {ended.codes}, {ended.seconds:.1f} s", *ended.said, ended.trouble, sep="\n  ", flush=True)


if __name__ == "__main__":
    main()
