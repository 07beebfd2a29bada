"""The study of a search in Optuna: its database, its slots for trials, what a trial tries, and when it is pruned.

All trials of a study are there from its beginning, as slots that wait, so that any number of machines run each once.
"""

import json
import time
import uuid
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from darkroom.base import paths
from darkroom.base.errors import UserError, without_password
from darkroom.config.params import Params
from darkroom.tools.search_claims import Claims
from darkroom.tools.search_file import Between, Key, Settings
from darkroom.tracking.store import sqlite_address, sqlite_file

FILE = "studies.db"  # in .search
# What a study keeps: the commit, params.yaml and space that it began with, and a name that no other search has.
COMMIT, PARAMS, SPACE, IDENTITY, BEGUN = "commit", "params", "space", "identity", "begun"
VALUES, REASON, COST = "values", "reason", "cpu_seconds"  # of a trial: what it set, why it ended early, its cost
WARM_UP = 1  # first epochs that say too little of a trial to prune it
POLL = 0.5  # seconds
TRIES = 5


def address(settings: Settings, given: str | None) -> str:
    """The address of the database: that of the command line, of search.yaml, or a file beside the project."""
    folder = paths.root() / ".search"
    folder.mkdir(exist_ok=True)
    return given or settings.storage or sqlite_address(folder / FILE)


def open_study(url: str, settings: Settings) -> tuple[optuna.Study, Claims]:
    """The study of this name, made if there is none, and the claims of its jobs. Raises UserError without database."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", module="optuna")
    direction = StudyDirection.MINIMIZE if settings.lower_is_better else StudyDirection.MAXIMIZE
    pruner = optuna.pruners.MedianPruner(n_warmup_steps=WARM_UP + 1) if settings.prune else optuna.pruners.NopPruner()
    # Another process may hold the file for a moment.
    options = {"connect_args": {"timeout": 60}} if sqlite_file(url) else {"pool_pre_ping": True}
    reason = ""
    for _ in range(TRIES):  # where two processes make the tables of a new database together, one of them fails
        try:
            storage = RDBStorage(url, engine_kwargs=options)
            study = optuna.create_study(
                storage=storage, study_name=settings.name, direction=direction, pruner=pruner, load_if_exists=True
            )
            return study, Claims(storage.engine, settings.name)
        except (SQLAlchemyError, RuntimeError, ImportError) as error:
            reason = str(error).splitlines()[0][:200]
            time.sleep(POLL)
    raise UserError(
        f"the storage {without_password(url)} cannot be opened ({reason}): name a database that runs, as "
        "postgresql+psycopg2://USER:PASSWORD@HOST/NAME"
    )


def begin(study: optuna.Study, claims: Claims, settings: Settings, commit: str, params: str) -> bool:
    """Note what the study begins with, and open slots for its trials; whether it is new.

    Raises UserError where the study has begun with another space or metric.
    """
    new = False
    while BEGUN not in study.user_attrs:
        if claims.take("begin"):
            new = True
            facts = {COMMIT: commit, PARAMS: params, SPACE: settings.text, IDENTITY: uuid.uuid4().hex, BEGUN: True}
            for key, value in facts.items():
                study.set_user_attr(key, value)
        time.sleep(0 if new else POLL)
    if study.user_attrs[SPACE] != settings.text:
        raise UserError(
            f"search.yaml: the search {settings.name} has begun with another space or metric, and its trials "
            "would not compare: give the new one another name"
        )
    wanted = settings.trials
    while (missing := wanted - len(study.get_trials(deepcopy=False))) > 0:
        if claims.take(f"slots to {wanted}"):
            for _ in range(missing):
                study.enqueue_trial({})
        else:
            time.sleep(POLL)
    return new


def next_trial(study: optuna.Study, claims: Claims, trials: int) -> tuple[Trial, bool] | None:
    """A trial for this process, and whether a process that has died had begun it; None where none is left for it."""
    found = study.get_trials(deepcopy=False)[:trials]
    for trial in found:
        if trial.state == TrialState.RUNNING and claims.take(job(trial.number)):
            return Trial(study, trial._trial_id), True
    while any(trial.state == TrialState.WAITING for trial in found):
        taken = study.ask()
        if claims.take(job(taken.number)):
            return taken, False
        found = study.get_trials(deepcopy=False)[:trials]
    return None


def job(number: int) -> str:
    """The name of a trial among the claims."""
    return f"trial {number}"


def values_of(trial: Trial, space: Sequence[Key], seed: int) -> dict[str, Any]:
    """What the trial sets of params.yaml, drawn by Optuna, by dotted keys; a resumed one sets the same again."""
    trial.study.sampler = TPESampler(seed=int(np.random.SeedSequence([seed, trial.number]).generate_state(1)[0]))
    found: dict[str, Any] = {}
    for key in space:
        if all(found.get(other) in values for other, values in key.when.items()):
            found[key.name] = _value(trial, key)
    trial.set_user_attr(VALUES, found)
    return found


def _value(trial: Trial, key: Key) -> Any:
    tried = key.tried
    if isinstance(tried, Between):
        if key.whole:
            return trial.suggest_int(
                key.name, int(tried.low), int(tried.high), step=int(tried.step or 1), log=tried.log
            )
        return trial.suggest_float(key.name, tried.low, tried.high, step=tried.step, log=tried.log)
    if len(tried.choices) == 1:
        return tried.choices[0]
    # Optuna keeps plain values; a list, as of augment, is told by its text.
    texts = [value if not isinstance(value, list | dict) else json.dumps(value) for value in tried.choices]
    return tried.choices[texts.index(trial.suggest_categorical(key.name, texts))]


def report(trial: Trial, value: float, epoch: int) -> bool:
    """Tell Optuna a value of the val curve; whether the trial is to go on."""
    if epoch not in trial.storage.get_trial(trial._trial_id).intermediate_values:  # a resumed trial repeats some
        trial.report(value, epoch)
    return not trial.should_prune()


def tell(study: optuna.Study, trial: Trial, value: float | None, state: TrialState, reason: str = "") -> None:
    """Finish the trial, with its value or with the reason why it has none."""
    if reason:
        trial.set_user_attr(REASON, reason)
    study.tell(trial, value, state, skip_if_finished=True)


def best(study: optuna.Study, count: int) -> list[FrozenTrial]:
    """The best trials with different values, best first."""
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    sign = 1 if study.direction == StudyDirection.MINIMIZE else -1
    found: dict[str, FrozenTrial] = {}
    for trial in sorted(done, key=lambda one: (sign * float(one.value or 0), one.number)):
        found.setdefault(json.dumps(trial.user_attrs[VALUES], sort_keys=True), trial)
    return list(found.values())[:count]


def facts_of(settings: Settings, params: Params, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What the run of the search in MLflow says of it."""
    return {
        "metric": f"val.{settings.metric}",
        "trials": settings.trials,
        "dataset": params.dataset,
        "commit": attributes[COMMIT],
        "space": attributes[SPACE],
    }
