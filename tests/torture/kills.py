"""kill -9 at a random moment of every stage, then `dvc repro`.

A round kills stages, the last one first, so that what it reads still stands; then one `dvc repro` mends all.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from typing import NamedTuple

from darkroom.base.errors import UserError
from darkroom.config.yaml_files import read_yaml
from tests.repository import run
from tests.torture import pipeline as pipelines
from tests.torture.pipeline import STAGES
from tests.torture.table import Row

EACH = 2  # kills of a stage in a round, at most
ASKED = "no half file at any time; `dvc repro` goes on, same bytes, nothing left over, one whole run in MLflow"
RWLOCK = ".dvc/tmp/rwlock"
REMEDIES = {"dvc.lock": "`git checkout dvc.lock`", RWLOCK: "remove it"}


class Trial(NamedTuple):
    stage: str
    seconds: float  # after the start of the stage
    trouble: list
    cut: list  # files of DVC's own that were half written, and are mended


def rows(seconds, seed):
    end, draw = time.monotonic() + seconds, random.Random(seed)
    killed, alone, tried = [], [], Counter()
    with pipelines.finished() as pipeline:
        lasting = pipeline.lasting
        while chosen := _choose(draw, tried, lasting, pipeline.around, end - time.monotonic()):
            trials = []
            for stage in sorted(chosen, key=STAGES.index, reverse=True):
                if stage == "train":  # the first training of a repository makes the store
                    _remove_store(pipeline.folder)
                if trial := _trial(pipeline, stage, draw.uniform(0, lasting[stage]), os.killpg):
                    tried[stage] += 1
                    trial.trouble.extend(pipelines.half_written(pipeline))
                    trials.append(trial)
            if "train" in chosen:  # a new store holds no evaluation, even if the one that was killed had written all
                pipelines.forget(pipeline, "evaluate")
            ended, trouble = _afterwards(pipeline)
            lasting = lasting | ended.lasting
            for trial in trials:
                trial.trouble.extend(trouble)
            killed += trials
            stage = draw.choice(STAGES)
            if trial := _trial(pipeline, stage, draw.uniform(0, lasting[stage]), os.kill):
                alone.append(trial)
    for stage in STAGES:
        if trials := [trial for trial in killed if trial.stage == stage]:
            yield _row(f"kill -9 of DVC and `{stage}`", trials, ASKED)
    if alone:
        yield _row("kill -9 of DVC alone, its stage still at work, and at once `dvc repro`", alone, ASKED)
    for file, remedy in REMEDIES.items():
        if count := sum(file in trial.cut for trial in (*killed, *alone)):
            what = f"of these kills, those that met DVC as it wrote `{file}`"
            yield Row(what, count, count, f"{remedy}, then as above: DVC does not write it at one stroke")


def _choose(draw, tried, lasting, around, left):
    """The stages of a round that fits into the seconds that are left: those first that were killed least."""
    whole = sum(lasting.values())
    mean = whole / len(STAGES)
    # A start of DVC and half a stage for each kill; everything once, and one stage twice, DVC alone being killed.
    count = int((left - 1.3 * (whole + 2 * mean + 4 * around)) / (1.3 * (around + mean / 2)))
    order = sorted(EACH * STAGES, key=lambda stage: (tried[stage], draw.random()))
    return order[: max(0, count)]


def _trial(pipeline, stage, seconds, send):
    """Run a stage by DVC, and kill it (`os.kill`: DVC alone; `os.killpg`: both); None if it had ended before."""
    pipelines.forget(pipeline, stage)
    process = pipelines.start(pipeline.folder, "dvc", "repro", "-s", stage)
    try:
        printed = ""
        while not pipelines.begins(line := process.stdout.readline()):
            printed += line
            if not line:
                return Trial(stage, 0.0, [f"DVC did not start it: {printed[-300:]}"], [])
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        send(process.pid, signal.SIGKILL)
        process.wait()  # for DVC holds a process that nobody has waited for to be at work
        trial = Trial(stage, seconds, [], [*_mend(pipeline, stage)])
        if send is os.kill:
            trial.trouble.extend(_afterwards(pipeline, process)[1])
        return trial
    finally:
        pipelines.kill(process)
    return None


def _afterwards(pipeline, stage_at_work=None):
    """What `dvc repro` makes of it; it may find a stage still at work whose DVC is gone."""
    ended = pipelines.repro(pipeline.folder)
    if stage_at_work:
        stage_at_work.communicate()  # ends with the last process that holds its output
    if ended.code:
        return ended, [f"`dvc repro` failed: {ended.printed.strip().splitlines()[-1]}"]
    folder = pipeline.folder
    recorded = pipelines.unrecorded(folder, folder / "mlflow.db", folder / "mlartifacts")
    return ended, [*pipelines.differences(pipeline), *recorded]


def _mend(pipeline, stage):
    """Do as docs/reliability.md says where DVC was killed while it wrote a file of its own; the names of these."""
    if _lock_is_cut(pipeline, stage):
        run(pipeline.folder, "git", "checkout", "-q", "dvc.lock")
        yield "dvc.lock"
    rwlock = pipeline.folder / RWLOCK
    try:
        json.loads(rwlock.read_bytes())
    except FileNotFoundError:
        return
    except ValueError:
        rwlock.unlink()
        yield RWLOCK


def _lock_is_cut(pipeline, stage):
    """Whether dvc.lock is not whole; this stage and those after it are not in it, or anew."""
    try:
        found = read_yaml(pipeline.folder / "dvc.lock")["stages"]
    except (UserError, KeyError, TypeError):
        return True
    changed = [name for name in found if found[name] != pipeline.lock["stages"][name]]
    return bool(changed) or not found.keys() >= set(STAGES[: STAGES.index(stage)])


def _remove_store(folder):
    for path in folder.glob("mlflow.db*"):
        path.unlink()
    shutil.rmtree(folder / "mlartifacts", ignore_errors=True)


def _row(what, trials, asked):
    failures = [f"{trial.stage} after {trial.seconds:.2f} s: {trial.trouble[0]}" for trial in trials if trial.trouble]
    return Row(what, len(trials), len(trials) - len(failures), asked, tuple(failures))
