"""A study: slots for trials, what a trial sets, and its end."""

import math
import shutil

import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from darkroom.config import params
from darkroom.config.yaml_files import read_yaml
from darkroom.tools import search_claims, search_file, search_study
from darkroom.tools.search_file import Between, Key, OneOf
from darkroom.tracking.store import sqlite_address
from tests import make
from tests.conftest import ROOT

SPACE = (
    Key("train.optimizer", 1, OneOf(choices=["sgd", "adamw"])),
    Key("train.lr", 2, Between(low=0.01, high=1.0, log=True)),
    Key("train.momentum", 3, Between(low=0.5, high=0.9), when={"train.optimizer": ["sgd"]}),
    Key("train.epochs", 4, Between(low=2, high=5), whole=True),
    Key("model.hidden", 5, OneOf(choices=[[], [100]])),
    Key("model.kernel", 6, OneOf(choices=[3])),
)


@pytest.fixture
def settings(project, tmp_path):
    (tmp_path / "search.yaml").write_text((ROOT / "search.yaml").read_text().replace("trials: 30", "trials: 3"))
    return search_file.settings()


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A database with Optuna's tables, which take a second to make."""
    path = tmp_path_factory.mktemp("optuna") / "s.db"
    RDBStorage(sqlite_address(path))
    return path


@pytest.fixture
def opened(settings, tmp_path, empty):
    """Opens the study as one process; gives it and its claims."""
    shutil.copy(empty, tmp_path)

    def run(url=None, begun=True, **changes):
        chosen = settings.model_copy(update=changes)
        study, claims = search_study.open_study(url or sqlite_address(tmp_path / "s.db"), chosen)
        if begun:
            search_study.begin(study, claims, chosen, "c0ffee", "params")
        return study, claims

    return run


def test_all_trials_are_there_from_the_beginning_and_each_is_taken_once(opened):
    study, claims = opened()
    taken = [search_study.next_trial(study, claims, 3) for _ in range(4)]
    assert [one and (one[0].number, one[1]) for one in taken[:1]] == [(0, False)]
    # A running trial that is its own is given to the process again: it has not told of an end.
    assert taken[1][0].number == 0


def test_what_has_ended_is_not_given_again(opened):
    study, claims = opened()
    numbers = []
    while (taken := search_study.next_trial(study, claims, 3)) is not None:
        numbers.append(taken[0].number)
        search_study.tell(study, taken[0], 0.5, TrialState.COMPLETE)
    assert numbers == [0, 1, 2]


def test_a_running_trial_of_another_process_is_left_to_it_and_taken_over_when_that_is_dead(opened, monkeypatch):
    alive = {1}
    monkeypatch.setattr(search_claims, "_runs", lambda process, started: process in alive)
    study, claims = opened()
    other, of_other = opened()
    of_other._me = of_other._me | {"process": 1}
    first, _ = search_study.next_trial(other, of_other, 3)
    mine, resumed = search_study.next_trial(study, claims, 3)
    assert (first.number, mine.number, resumed) == (0, 1, False)
    search_study.tell(study, mine, 0.5, TrialState.COMPLETE)
    alive.clear()
    taken, resumed = search_study.next_trial(study, claims, 3)
    assert (taken.number, resumed) == (0, True)


def test_more_trials_open_more_slots_and_begin_nothing_anew(opened):
    opened()
    study, _ = opened(trials=5)
    assert len(study.trials) == 5
    assert study.user_attrs[search_study.COMMIT] == "c0ffee"


def test_another_space_or_metric_is_refused(opened):
    opened()
    sentence = make.refusal(lambda: opened(space={"train.lr": [0.1]}))
    assert "the search digits has begun with another space or metric" in sentence


def test_a_trial_sets_what_its_conditions_allow_and_a_resumed_one_the_same(opened):
    study, claims = opened()
    seen = set()
    while (taken := search_study.next_trial(study, claims, 3)) is not None:
        trial, _ = taken
        values = search_study.values_of(trial, SPACE, 0)
        assert search_study.values_of(search_study.Trial(study, trial._trial_id), SPACE, 7) == values
        assert ("train.momentum" in values) == (values["train.optimizer"] == "sgd")
        assert 0.01 <= values["train.lr"] <= 1
        assert values["train.epochs"] in (2, 3, 4, 5)
        assert values["model.hidden"] in ([], [100])
        assert values["model.kernel"] == 3
        seen.add(values["train.lr"])
        search_study.tell(study, trial, 0.5, TrialState.COMPLETE)
    assert len(seen) == 3


def test_two_processes_do_not_draw_the_same(opened):
    study, claims = opened()
    first, _ = search_study.next_trial(study, claims, 3)
    one = search_study.values_of(first, SPACE, 0)
    search_study.tell(study, first, 0.5, TrialState.COMPLETE)
    second, _ = search_study.next_trial(*opened(), 3)
    assert search_study.values_of(second, SPACE, 0)["train.lr"] != one["train.lr"]


def test_a_curve_below_the_median_is_pruned_and_a_repeated_epoch_is_told_once(opened):
    study, claims = opened(trials=7)
    going = []
    while (taken := search_study.next_trial(study, claims, 7)) is not None:
        trial, _ = taken
        value = 0.1 if trial.number == 6 else 0.9
        going.append([search_study.report(trial, value, epoch) for epoch in (1, 2, 2)])
        search_study.tell(study, trial, value, TrialState.COMPLETE)
    assert going[0] == [True] * 3
    assert going[6] == [True, False, False]  # the first epoch says too little


def test_nothing_is_pruned_where_search_yaml_says_so(opened):
    study, claims = opened(trials=7, prune=False)
    while (taken := search_study.next_trial(study, claims, 7)) is not None:
        assert search_study.report(taken[0], 1.0 - taken[0].number, 3)
        search_study.tell(study, taken[0], 0.5, TrialState.COMPLETE)


@pytest.mark.parametrize(("metric", "first"), [("accuracy", 2), ("loss", 0)])
def test_the_best_are_those_with_the_best_values_and_different_ones(opened, metric, first):
    study, claims = opened(metric=metric)
    for value, lr in [(0.1, 1), (0.5, 2), (0.9, 3)]:
        trial, _ = search_study.next_trial(study, claims, 3)
        trial.set_user_attr(search_study.VALUES, {"train.lr": lr})
        search_study.tell(study, trial, value, TrialState.COMPLETE)
    assert search_study.best(study, 2)[0].number == first
    assert len(search_study.best(study, 2)) == 2


def test_equal_configurations_are_trained_again_once(opened):
    study, claims = opened()
    for _ in range(3):
        trial, _ = search_study.next_trial(study, claims, 3)
        trial.set_user_attr(search_study.VALUES, {"train.lr": 1})
        search_study.tell(study, trial, 0.5, TrialState.COMPLETE)
    assert [trial.number for trial in search_study.best(study, 2)] == [0]


def test_the_reason_of_an_end_is_kept(opened):
    study, claims = opened()
    trial, _ = search_study.next_trial(study, claims, 3)
    search_study.tell(study, trial, None, TrialState.FAIL, "no memory")
    assert study.trials[0].user_attrs[search_study.REASON] == "no memory"
    assert study.trials[0].value is None


def test_the_storage_of_the_command_line_comes_first(settings, tmp_path):
    of_file = settings.model_copy(update={"storage": "postgresql://a/b"})
    assert search_study.address(of_file, "sqlite:///x") == "sqlite:///x"
    assert search_study.address(of_file, None) == "postgresql://a/b"
    assert search_study.address(settings, None) == sqlite_address(tmp_path / ".search" / "studies.db")


def test_a_storage_that_does_not_answer_is_told_without_its_password(opened, closed_port, monkeypatch):
    monkeypatch.setattr(search_study, "POLL", 0)
    url = f"postgresql+psycopg2://me:secret@127.0.0.1:{closed_port}/x"
    sentence = make.refusal(lambda: opened(url, begun=False))
    assert sentence.startswith("the storage postgresql+psycopg2://...@127.0.0.1")
    assert "secret" not in sentence


def test_mlflow_hears_what_the_search_is(opened, settings, project):
    study, _ = opened()
    base, _ = params.load()
    facts = search_study.facts_of(settings, base, study.user_attrs)
    assert (facts["metric"], facts["commit"], facts["dataset"]) == (
        "val.accuracy", "c0ffee", read_yaml(project.params)["dataset"],
    )  # fmt: skip
    assert not math.isnan(facts["trials"])
