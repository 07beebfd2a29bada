"""What MLflow costs a training: the train stage itself, with a real SQLite store and without.

Five epochs of S1's network. Measured are the calls that the stage makes to tracking.recording: opening the run (the
import of MLflow is in it), one call for each epoch, the model at the end, closing; and the CPU time of MLflow's own
thread, which samples the machine meanwhile. The calls stop the training; the thread runs beside it, but on two busy
cores it takes from it what it uses. Calls and thread together are the part that grows with the epochs; the rest is
paid once. The whole difference between the two sides' epochs is shown too, and is mostly noise.

The store is made before, for a team has one; what making it costs is shown apart.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import packed
from benchmarks.archives import entry
from benchmarks.epoch import MODEL, TRAIN
from benchmarks.fresh import Figures, best, clock, fresh
from benchmarks.table import Setting, Table
from darkroom.config.fetch_archives import Fetch
from darkroom.config.params import Baseline, Errors, Evaluate, Inside, Params, Tracking, Tta

EPOCHS = 5
TARGET = 0.02  # of an epoch, at most

# As shipped, but for the network and a training like S1's.
PARAMS = Params(
    dataset="benchmark",
    fetch=Fetch(archive={}),
    extract=packed.EXTRACT,
    split=packed.SPLIT,
    baseline=Baseline(max_train=5000, seed=42),
    model=MODEL,
    augment=[],
    train=TRAIN.model_copy(update={"epochs": EPOCHS}),
    evaluate=Evaluate(batch_size=512, tta=Tta(copies=0, changes=None)),
    errors=Errors(worst=40, pairs=6, per_pair=8, explained=20, suspects=40, train_folds=0),
    inside=Inside(layer=None, maps=None, max_images=5000, seed=42),
    tracking=Tracking(enabled=True, experiment=None, register_as=None, steps=None),
)


def run(setting: Setting) -> list[Table]:
    folder = str(setting.folder())
    count = fresh(packed.set_up, str(setting.archive), folder)["train"]
    fresh(statistics, folder)
    made = fresh(make_store, folder)["wall"]
    found = best(
        {
            "without": lambda: fresh(train, str(setting.archive), folder, 0),
            "with": lambda: fresh(train, str(setting.archive), folder, 1),
        },
        setting.repeats,
    )
    plain, tracked = found["without"], found["with"]
    each = (tracked["epoch"] + tracked["background"]) / EPOCHS
    share = each / (plain["training"] / EPOCHS)
    once = tracked["open"] + tracked["trained"] + tracked["close"]
    growing = {
        "an epoch of training": plain["training"],
        "each epoch: MLflow's call": tracked["epoch"],
        "each epoch: its thread, CPU": tracked["background"],
        "each epoch: both": EPOCHS * each,
    }
    rows = [
        [name, f"{1000 * seconds / EPOCHS:.1f}", f"{seconds / plain['training']:.2%}"]
        for name, seconds in growing.items()
    ]
    constant = {
        "once: opening the run": tracked["open"],
        "once: files and model": tracked["trained"],
        "once: closing the run": tracked["close"],
        "once: all": once,
        "once for a store: making it": made,
    }
    rows += [[name, f"{1000 * seconds:.0f}", ""] for name, seconds in constant.items()]
    difference = tracked["training"] / plain["training"] - 1
    notes = (
        f"{count:,.0f} training images, {EPOCHS} epochs. What grows with the epochs is {share:.2%} of an epoch; the "
        f"target is under {TARGET:.0%}.",
        f"Epochs with MLflow, by the clock: {difference:+.1%}, noise included. The whole stage takes "
        f"{plain['wall']:.1f} s without, {tracked['wall']:.1f} s with.",
    )
    columns = ("what", "ms", "of an epoch")
    return [Table("tracking: what MLflow costs", setting.title, setting.repeats, columns, rows, notes=notes)]


def statistics(folder: str) -> Figures:
    """The stage `stats`."""
    from stages.stats import main

    os.chdir(folder)
    main()
    return {}


def make_store(folder: str) -> Figures:
    """Create the SQLite store, without the import of MLflow."""
    import mlflow  # noqa: F401

    from darkroom.tracking import store

    _enter(folder)
    with clock() as figures:
        store.prepare()
    return figures


def train(archive: str, folder: str, enabled: int) -> Figures:
    """The train stage, its calls to MLflow under the clock."""
    _enter(folder)
    from darkroom.base import torch_setup

    torch_setup.torch_for(threads=TRAIN.threads, portable=TRAIN.portable)
    import stages.train
    from darkroom.tracking import recording

    spent: Figures = dict.fromkeys(("training", "open", "epoch", "background", "trained", "close"), 0.0)
    real_training, real_epoch = recording.training, recording.Run.epoch

    @contextmanager
    def training(*arguments: Any, **options: Any) -> Iterator[recording.Run]:
        started = time.perf_counter()
        with real_training(*arguments, **options) as record:
            spent["open"] = time.perf_counter() - started
            yield record
            if record.run_id is None and enabled:
                raise RuntimeError("the store failed: nothing was measured")
            spent["background"] = _background_cpu()
            started = time.perf_counter()
        spent["close"] = time.perf_counter() - started

    def epoch(record: recording.Run, figures: dict[str, float], steps: Any = ()) -> None:
        spent["training"] += figures["seconds"]
        with _adding(spent, "epoch"):
            real_epoch(record, figures, steps)

    real_trained = recording.Run.trained

    def trained(record: recording.Run, digest: str) -> None:
        with _adding(spent, "trained"):
            real_trained(record, digest)

    _replace(recording, "training", training)
    _replace(recording.Run, "epoch", epoch)
    _replace(recording.Run, "trained", trained)
    params = PARAMS.model_copy(
        update={"tracking": Tracking(enabled=bool(enabled), experiment=None, register_as=None, steps=None)}
    )
    with clock() as figures:
        stages.train.train(params, entry(Path(archive)))
    return figures | spent


def _enter(folder: str) -> None:
    """Work in the folder, which is then the root of the repository: its store, no other."""
    for name in ("DVC_ROOT", "DVC_EXP_NAME", "MLFLOW_TRACKING_URI"):
        os.environ.pop(name, None)
    os.chdir(folder)


def _replace(owner: object, name: str, function: Callable[..., object]) -> None:
    setattr(owner, name, function)


@contextmanager
def _adding(spent: Figures, name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    spent[name] += time.perf_counter() - started


def _background_cpu() -> float:
    """CPU seconds of the thread in which MLflow samples the machine."""
    import psutil

    named = {thread.native_id for thread in threading.enumerate() if thread.name == "SystemMetricsMonitor"}
    return float(sum(one.user_time + one.system_time for one in psutil.Process().threads() if one.id in named))
