"""`darkroom search`: try parameters over many short trainings, and tell which are best."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import Trial, TrialState

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.base.files import read_json
from darkroom.base.words import counted, duration
from darkroom.config import params
from darkroom.config.params import Params
from darkroom.config.yaml_files import read_yaml
from darkroom.tools import search_best, search_file, search_page, search_study
from darkroom.tools.search_claims import Claims
from darkroom.tools.search_file import Search
from darkroom.tools.search_folder import Folder, check_committed
from darkroom.tools.search_process import Ended, Warm
from darkroom.tracking import run_facts, trials

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


def run(storage: str | None) -> None:
    """Run trials until none is left, then train the best again, and write the page. Begun work goes on."""
    # 1. What is wrong in search.yaml is told before anything is made.
    content = read_yaml(paths.PARAMS)
    base, entry = params.load()
    search = search_file.read(content, entry)
    settings = search.settings
    if base.train.devices * base.train.num_nodes > 1:
        raise UserError("params.yaml: a trial is trained by one process: set train.devices and train.num_nodes to 1")
    url = search_study.address(settings, storage)
    study, claims = search_study.open_study(url, settings)
    commit = study.user_attrs.get(search_study.COMMIT) or check_committed()
    text = paths.PARAMS.read_text(encoding="utf-8")
    new = search_study.begin(study, claims, search, commit, text)
    commit, text = (study.user_attrs[key] for key in (search_study.COMMIT, search_study.PARAMS))
    # 2. A folder at the search's commit, with its data.
    folder = Folder(commit, text)
    try:
        folder.prepare()
        facts = search_study.facts_of(settings, base, study.user_attrs)
        parent = trials.begin(base, settings.name, study.user_attrs[search_study.IDENTITY], facts)
        environment = {"DVC_ROOT": str(paths.root()), "DVC_EXP_BASELINE_REV": commit}
        warm = Warm(folder.root, folder.log, environment | ({run_facts.SEARCH_RUN: parent} if parent else {}))
        work = Work(search, base, study, claims, folder, warm)
        try:
            folder.make_data(lambda stage: _run_stage(work, stage, {}))
            print(_understood(work, new), flush=True)
            _run_trials(work)
            _end(work, parent)
        finally:
            warm.close()
    finally:
        folder.release()


def _understood(work: Work, new: bool) -> str:
    settings, commit = work.search.settings, work.study.user_attrs[search_study.COMMIT]
    begun = "begins" if new else "goes on"
    rule = f"{'lowest' if settings.lower_is_better else 'highest'} {settings.figure}"
    return (
        f"search {settings.name} of {work.params.dataset} {begun} at commit {commit[:7]}: "
        f"{counted(settings.trials, 'trial')} of {counted(len(work.search.space), 'key')}, {rule}"
    )


def _run_trials(work: Work) -> None:
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

    def go_on(epoch: dict[str, float]) -> bool:
        figures.append(epoch)
        return search_study.report(trial, epoch[work.search.settings.figure], int(epoch["epoch"]))

    print(f"{name} {'goes on' if resumed else 'begins'}: {_shown(trial)}", flush=True)
    try:
        if not (resumed and work.folder.revision(name)):  # else it was killed just before it told of its result
            work.folder.begin(_with_monitor(work, values))
            work.folder.reproduce("train", lambda stage: _run_stage(work, stage, {"DVC_EXP_NAME": name}, go_on))
            work.folder.save(name)
        else:
            work.folder.begin(_with_monitor(work, values), of=name)
        value = float(read_json(work.folder.root / paths.TRAIN)[work.search.settings.figure])
        outcome: tuple[float | None, TrialState, str] = value, TrialState.COMPLETE, ""
    except Failed as failed:
        outcome = _outcome(failed.ended, figures)
    if not work.claims.holds(search_study.job(trial.number)):
        print(f"{name} was taken over by another process, for this one gave no sign of life: its result counts")
        return
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


def _with_monitor(work: Work, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with the monitor that lets a training report the metric."""
    figure = work.search.settings.figure
    plain = figure in ("val_accuracy", "val_loss")
    return dict(values) if plain else {**values, "train.monitor": figure}


def _run_stage(work: Work, stage: str, environment: Mapping[str, str], go_on: Any = lambda figures: True) -> None:
    """Run a stage in the warm process; one that was killed is run again. Raises Failed."""
    for _ in range(KILLS):
        ended = work.warm.run(stage, {"DVC_STAGE": stage, **environment}, go_on, work.claims.beat)
        if not ended.killed:
            break
    if ended.error:
        raise Failed(ended)


def _end(work: Work, parent: str | None) -> None:
    """Train the best again over the seeds, and write the page, by one process alone."""
    settings = work.search.settings
    if not work.claims.take("the end"):
        print(f"another process trains the best of {settings.name} again, and writes the page")
        return
    chosen = search_study.best(work.study, settings.best)
    if not chosen:
        raise UserError(f"no trial of {settings.name} has reached its end: {work.folder.log} says what went wrong")
    names: list[str] = []
    for trial in chosen:
        for seed in settings.seeds:
            name = f"{name_of(work, trial.number)}-seed-{seed}"
            if not work.folder.revision(name):
                print(f"{name} begins: the best again, up to evaluate", flush=True)
                values = _with_monitor(work, trial.user_attrs[search_study.VALUES]) | {"train.seed": seed}
                work.folder.begin(values, of=name_of(work, trial.number))
                work.folder.reproduce("evaluate", partial(_run_stage, work, environment={"DVC_EXP_NAME": name}))
                work.folder.save(name)
            names.append(name)
    result = search_best.compare(names, settings, work.study.user_attrs[search_study.COMMIT])
    page = search_page.write(Path("search") / settings.name, work.study, settings, result)
    trials.end(parent, search_best.figures(work.study, result), [page, page.with_name("trials.csv")])
    print(search_best.in_words(result))
    print(f"wrote {page}\nnext: dvc exp apply {result.winner} && dvc repro", flush=True)
