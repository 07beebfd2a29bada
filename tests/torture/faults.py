"""What goes wrong around a run: the disk, the memory, the clock, a second run, the server that records."""

import os
import random
import re
import shutil
import socket
import sqlite3
import subprocess
import time
from contextlib import contextmanager
from functools import partial

from tests import make
from tests.repository import run, wait_for
from tests.torture import pipeline as pipelines
from tests.torture.table import Row

DISK = 256 * 2**20  # bytes of the small disk
CLOCK = """
import random, time
steps, real = random.Random(0), time.time
time.time = lambda: real() + steps.choice([-1e6, 0, 1e6])
"""


class NotHere(Exception):
    """This machine does not permit the trial."""


def rows(seconds, seed):
    end, draw = time.monotonic() + seconds, random.Random(seed)
    with pipelines.finished() as pipeline:
        whole = pipeline.around + sum(pipeline.lasting.values())
        for what, asked, trials, share in TRIALS:
            held, failures = 0, []
            for trial in trials:
                if time.monotonic() + share * whole > end:
                    break
                try:
                    trouble = [*trial(pipeline, draw)][:1]
                except NotHere as reason:
                    what = f"{what} (not tried: {reason})"
                    break
                except (AssertionError, OSError, subprocess.SubprocessError) as error:
                    trouble = [f"{type(error).__name__} {str(error)[-300:]}"]
                held += not trouble
                failures += [" ".join((*getattr(trial, "args", ()), text)) for text in trouble]
                _put_back(pipeline)
            if held or failures or "not tried" in what:
                yield Row(what, held + len(failures), held, asked, tuple(failures))


def _put_back(pipeline):
    """Make the next trial start from the finished pipeline, whatever the last one left."""
    run(pipeline.folder, "git", "checkout", "-q", ".")
    run(pipeline.folder, "dvc", "checkout", "-q", "--force")
    shutil.rmtree(pipeline.folder / ".unrecorded", ignore_errors=True)


def _sentence(printed, *words):
    """What is wrong with the message in which a stage has ended: it is one sentence with these words."""
    if "Traceback" in printed:
        yield "a traceback: " + printed.partition("Traceback")[2][-300:]
    told = [line for line in printed.splitlines() if line.startswith("error: ")]
    if len(told) != 1 or not all(word in told[0] for word in words):
        yield f"says {told or printed[-300:]}"


def _again(pipeline):
    """What is not as it was after `dvc repro`."""
    ended = pipelines.repro(pipeline.folder)
    if ended.code:
        yield f"`dvc repro` failed: {ended.printed[-300:]}"
    yield from pipelines.differences(pipeline)


def _of_others(pipeline, stage):
    """Differences in what other stages have made."""
    own = [*pipelines.outs(stage), "dvc.lock"]
    for difference in pipelines.differences(pipeline):
        if not difference.startswith((*own, ".checkpoints", ".unrecorded")):
            yield f"after the failure {difference}"


@contextmanager
def _mounted(folder, *options):
    mounted = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
    if mounted.returncode:
        raise NotHere("no permission to mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _disk_full(stage, pipeline, draw):
    """The whole repository lies on a small disk, which another program fills when the stage has begun."""
    disk = pipeline.folder.parent / "disk"
    disk.mkdir(exist_ok=True)
    with _mounted(disk, "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs"):
        small = pipeline._replace(folder=disk / "repository")
        (disk / "tmp").mkdir()
        shutil.copytree(pipeline.folder, small.folder, symlinks=True)
        pipelines.forget(small, stage)
        process = pipelines.start(small.folder, "dvc", "repro", "-s", stage)
        try:
            while not pipelines.begins(process.stdout.readline()):
                assert process.poll() is None, f"DVC did not start {stage}"
            free = os.statvfs(disk)
            room = draw.choice([0, 4096, 2**15, 2**17])
            (disk / "other").write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - room)))
            printed, _ = process.communicate()
        finally:
            pipelines.kill(process)
        if process.returncode:
            yield from _sentence(printed, "the disk is full while writing ")
            yield from _of_others(small, stage)
        (disk / "other").unlink()
        yield from _again(small)


def _read_only(stage, pipeline, _draw):
    """The folder of the results may be read alone: by its rights, or, for root whom they do not bind, by a mount."""
    folder = pipeline.folder / "metrics"
    pipelines.forget(pipeline, stage)
    for name in pipelines.outs(stage):  # what stands there DVC would remove, and fail itself
        path = pipeline.folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if os.geteuid():
        folder.chmod(0o555)
        ended = pipelines.repro(pipeline.folder, "-s", stage)
        folder.chmod(0o755)
    else:
        with _mounted(folder, "--bind", str(folder)):
            subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
            ended = pipelines.repro(pipeline.folder, "-s", stage)
    yield from _sentence(ended.printed, "no permission for metrics/")
    yield from _of_others(pipeline, stage)
    yield from _again(pipeline)


def _little_memory(pipeline, _draw):
    """A set that may take no memory at all is read from disk, and gives the same model."""
    make.edit(pipeline.folder / "params.yaml", {"train.memory_share": 1e-9})
    ended = pipelines.repro(pipeline.folder, "-s", "train")
    if ended.code:
        yield ended.printed[-300:]
    named = ("models/model.safetensors", "metrics/history.csv")
    yield from (text for text in pipelines.differences(pipeline) if text.startswith(named))


def _clock_jumps(pipeline, _draw):
    """Every look at the clock may be eleven days early or late, for DVC too."""
    jumps = pipeline.folder.parent / "clock"
    jumps.mkdir(exist_ok=True)
    (jumps / "sitecustomize.py").write_text(CLOCK)
    for stage in ("train", "evaluate"):
        pipelines.forget(pipeline, stage)
    ended = pipelines.repro(pipeline.folder, PYTHONPATH=str(jumps))
    if ended.code:
        yield ended.printed[-300:]
    if {"train", "evaluate"} - ended.lasting.keys():
        yield "the stages did not run"
    yield from pipelines.differences(pipeline)


def _two_at_once(pipeline, draw):
    stage = draw.choice(["audit", "split", "baseline"])
    pipelines.forget(pipeline, stage)
    first = pipelines.start(pipeline.folder, "dvc", "repro", "-s", stage)
    try:
        while not pipelines.begins(first.stdout.readline()):
            assert first.poll() is None
        second = pipelines.repro(pipeline.folder, "-s", stage)
        printed, _ = first.communicate()
    finally:
        pipelines.kill(first)
    if first.returncode:
        yield f"the first failed: {printed[-300:]}"
    if second.code and not re.search(r"busy|lock", second.printed):
        yield f"the second says {second.printed[-300:]}"
    if "Traceback" in second.printed:
        yield "a traceback of the second"
    yield from _again(pipeline)


def _server_down(pipeline, _draw):
    """Nobody listens where the server should be."""
    for stage in ("train", "evaluate"):
        pipelines.forget(pipeline, stage)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        ended = pipelines.repro(pipeline.folder, MLFLOW_TRACKING_URI=f"http://127.0.0.1:{held.getsockname()[1]}")
    if ended.code or ended.printed.count("warning: MLflow") != 2:
        yield ended.printed[-300:]
    yield from (text for text in pipelines.differences(pipeline) if not text.startswith(".unrecorded"))


def _server_dies(pipeline, _draw):
    """The server is killed when it knows some epochs, and comes back before the evaluation."""
    make.edit(pipeline.folder / "params.yaml", {"train.epochs": 300})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store, away = pipeline.folder.parent / "server.db", pipeline.folder.parent / "server"
    address = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}
    kept = [f"--backend-store-uri=sqlite:///{store}", f"--artifacts-destination={away}", "--workers=1"]
    serve = partial(pipelines.start, pipeline.folder, "mlflow", "server", "--host=127.0.0.1", f"--port={port}", *kept)

    def answers():
        with socket.socket() as asked:
            return asked.connect_ex(("127.0.0.1", port)) == 0

    def epochs():
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as content:
            return content.execute("select count(*) from metrics where key = 'val_loss'").fetchone()[0]

    server = serve()
    try:
        wait_for(answers, 300)
        training = pipelines.start(pipeline.folder, "dvc", "repro", "-s", "train", **address)
        try:
            wait_for(lambda: epochs() >= 3 or training.poll() is not None, 300)
            pipelines.kill(server)
            known, began = epochs(), time.monotonic()
            printed, _ = training.communicate()
            delay = time.monotonic() - began
        finally:
            pipelines.kill(training)
        if training.returncode or "Traceback" in printed:
            yield printed[-300:]
        if not 3 <= known < 300:
            yield f"killed after {known} epochs: not in the middle"
        if delay > 120 + 2 * pipeline.lasting["train"]:
            yield f"the training went on for {delay:.0f} s after the server's death"
        server = serve()
        wait_for(answers, 300)
        ended = pipelines.repro(pipeline.folder, "-s", "evaluate", **address)
        if ended.code:
            yield ended.printed[-300:]
        yield from pipelines.unrecorded(pipeline.folder, store, away)
    finally:
        pipelines.kill(server)


SAME = "the same bytes"
TRIALS = [
    (
        "the disk fills up while a stage writes",
        f"one sentence that names the file; other results stand; with room again `dvc repro`, {SAME}",
        [partial(_disk_full, stage) for stage in ("extract", "train", "evaluate", "report")],
        0.5,
    ),
    (
        "a folder of results that may only be read",
        f"one sentence that names the file; other results stand; when it may be written `dvc repro`, {SAME}",
        [partial(_read_only, stage) for stage in ("stats", "audit")],
        0.4,
    ),
    ("two `dvc repro` at once", f"the second waits or says who is at work; then {SAME}", [_two_at_once], 0.4),
    ("no memory for the images of the training", "the same weights, from disk", [_little_memory], 0.4),
    ("a clock that jumps by days, back and forth", SAME, [_clock_jumps], 0.6),
    ("no MLflow server at its address", f"a warning for each stage, and {SAME}", [_server_down], 0.6),
    (
        "MLflow's server killed in the middle of a training, back before the evaluation",
        "the training ends, within two minutes more; the server then holds all epochs, figures, and the model",
        [_server_dies],
        1.5,
    ),
]
