"""The trials of a search: each is one training, one DVC experiment and one run in MLflow."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import Trial, TrialState

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.base.files import read_json
from darkroom.base.words import counted, duration
from darkroom.config.params import Params
from darkroom.tools import search_study
from darkroom.tools.search_claims import Claims
from darkroom.tools.search_file import Search
from darkroom.tools.search_folder import Folder
from darkroom.tools.search_process import Ended, Warm

KILLS = 3  # processes that may be lost over one trial, before it counts as failed
WAIT = 2.0  # seconds between two looks at the trials of others


class Failed(UserError):
    """A stage of a trial did not end well."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.error)
        self.ended = ended


@dataclass(frozen=True)
class Work:
    """What one process of a search works with."""

    search: Search
    params: Params  # without a trial
    study: optuna.Study
    claims: Claims
    folder: Folder
    warm: Warm


def run_all(work: Work) -> None:
    """Run trials until none is left for this process, and none is running elsewhere."""
    settings, begun, told = work.search.settings, time.monotonic(), False
    while settings.seconds is None or time.monotonic() - begun < settings.seconds:
        taken = search_study.next_trial(work.study, work.claims, settings.trials)
        if taken is not None:
            _run_trial(work, *taken)
            continue
        running = [
            trial.number
            for trial in work.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            if trial.number < settings.trials
        ]
        if not running:
            return
        if not told:
            print(f"waiting for {counted(len(running), 'trial')} of other processes", flush=True)
        told = True
        work.claims.beat()
        time.sleep(WAIT)
    print(f"the time is up ({settings.time}): the same command runs the trials that are left")


def name_of(work: Work, number: int) -> str:
    """The name of a trial's experiment."""
    return f"{work.search.settings.name}-{number:03}"


def _run_trial(work: Work, trial: Trial, resumed: bool) -> None:
    """Train once, save the experiment, tell Optuna."""
    started, name = time.monotonic(), name_of(work, trial.number)
    values = search_study.values_of(trial, work.search.space, work.search.settings.seeds[0])
    figures: list[dict[str, float]] = []
    cost = -_cpu_seconds()

    def go_on(epoch: dict[str, float]) -> bool:
        figures.append(epoch)
        return search_study.report(trial, epoch[work.search.settings.figure], int(epoch["epoch"]))

    def train(stage: str) -> None:
        nonlocal cost
        cost += run_stage(work, stage, {"DVC_EXP_NAME": name}, go_on)

    print(f"{name} {'goes on' if resumed else 'begins'}: {_shown(trial)}", flush=True)
    try:
        if not (resumed and work.folder.revision(name)):  # else it was killed just before it told of its result
            work.folder.begin(with_monitor(work, values))
            work.folder.reproduce("train", train)
            work.folder.save(name)
        else:
            work.folder.begin(with_monitor(work, values), of=name)
        value = float(read_json(work.folder.root / paths.TRAIN)[work.search.settings.figure])
        outcome: tuple[float | None, TrialState, str] = value, TrialState.COMPLETE, ""
    except Failed as failed:
        outcome = _outcome(failed.ended, figures)
        cost += failed.ended.cpu_seconds
    if not work.claims.holds(search_study.job(trial.number)):
        print(f"{name} was taken over by another process, for this one gave no sign of life: its result counts")
        return
    trial.set_user_attr(search_study.COST, round(cost + _cpu_seconds(), 2))
    search_study.tell(work.study, trial, *outcome)
    print(f"{name} {_ended(work, *outcome)} in {duration(time.monotonic() - started)}", flush=True)


def _outcome(ended: Ended, figures: list[dict[str, float]]) -> tuple[float | None, TrialState, str]:
    if ended.pruned:
        return None, TrialState.PRUNED, ended.error
    if figures and figures[-1]["train_loss"] != figures[-1]["train_loss"]:
        return None, TrialState.PRUNED, "diverged"  # so Optuna learns from it, which a failed trial does not teach
    return None, TrialState.FAIL, ended.error


def _ended(work: Work, value: float | None, state: TrialState, reason: str) -> str:
    if state == TrialState.COMPLETE:
        best = search_study.best(work.study, 1)[0]
        return (
            f"reached {work.search.settings.figure} {value:.4f} (best: {name_of(work, best.number)}, {best.value:.4f})"
        )
    return f"{'was pruned' if state == TrialState.PRUNED else 'failed'} ({reason})"


def _shown(trial: Trial) -> str:
    return ", ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in trial.params.items()
    )


def with_monitor(work: Work, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with the monitor that lets a training report the metric."""
    figure = work.search.settings.figure
    plain = figure in ("val_accuracy", "val_loss")
    return dict(values) if plain else {**values, "train.monitor": figure}


def run_stage(work: Work, stage: str, environment: Mapping[str, str], go_on: Any = None) -> float:
    """Run a stage in the warm process; one that was killed is run again. Returns its CPU seconds. Raises Failed."""
    for _ in range(KILLS):
        ended = work.warm.run(stage, {"DVC_STAGE": stage, **environment}, go_on, work.claims.beat)
        if not ended.killed:
            break
    if ended.error:
        raise Failed(ended)
    return ended.cpu_seconds


def _cpu_seconds() -> float:
    """What this process and those that it has waited for have used; the warm one is none of them."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
