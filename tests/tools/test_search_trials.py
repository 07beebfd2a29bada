"""One trial: what is trained, saved and told, and what happens where it does not end well."""

from types import SimpleNamespace

import optuna
import pytest
from optuna.trial import TrialState

from darkroom.base import paths
from darkroom.base.files import write_json, write_text
from darkroom.tools import search_file, search_study, search_trials
from darkroom.tools.search_file import Search
from darkroom.tools.search_process import Ended
from tests import make
from tests.conftest import ROOT


class Folder:
    """Notes what is done with the folder of the search; its training is that of the warm process."""

    def __init__(self, root):
        self.root, self.told, self.known = root, [], ""

    def begin(self, values, of=""):
        self.told.append(("begin", values, of))

    def reproduce(self, target, run_stage):
        run_stage(target)
        write_json(self.root / paths.TRAIN, {"val_accuracy": 0.75, "val_macro_f1": 0.5})

    def save(self, name):
        self.told.append(("save", name))

    def revision(self, name):
        return self.known


@pytest.fixture
def work(project, tmp_path):
    """A search of two trials, whose process ends each stage as `ends` says."""
    write_text(tmp_path / "search.yaml", (ROOT / "search.yaml").read_text().replace("trials: 30", "trials: 2"))
    settings = search_file.settings()
    study = optuna.create_study(direction="maximize")
    for _ in range(2):
        study.enqueue_trial({})
    claims = SimpleNamespace(take=lambda job: True, holds=lambda job: True, beat=lambda: None)

    def run(stage, environment, go_on, meanwhile):
        for epoch in found.epochs if go_on else ():
            go_on({"epoch": epoch, "val_accuracy": 0.5, "train_loss": found.loss})
        return found.ends.pop(0) if found.ends else Ended(cpu_seconds=2)

    found = SimpleNamespace(
        search=Search(settings, ()), params=None, study=study, claims=claims, folder=Folder(tmp_path),
        warm=SimpleNamespace(run=run), ends=[], epochs=[1, 2], loss=1.0,
    )  # fmt: skip
    return found


def states(work):
    return [trial.state for trial in work.study.trials]


def test_each_trial_is_trained_saved_and_told(work, capsys):
    search_trials.run_all(work)
    assert states(work) == [TrialState.COMPLETE] * 2
    assert [trial.value for trial in work.study.trials] == [0.75, 0.75]
    assert work.folder.told[:2] == [("begin", {}, ""), ("save", "digits-000")]
    assert work.study.trials[0].intermediate_values == {1: 0.5, 2: 0.5}
    assert work.study.trials[0].user_attrs[search_study.COST] >= 2
    assert "digits-001 reached val_accuracy 0.7500 (best: digits-000, 0.7500)" in capsys.readouterr().out


def test_a_pruned_trial_is_no_experiment(work):
    work.ends = [Ended("pruned after epoch 2", pruned=True)]
    search_trials.run_all(work)
    assert states(work) == [TrialState.PRUNED, TrialState.COMPLETE]
    assert ("save", "digits-000") not in work.folder.told


def test_a_failed_trial_says_why_and_the_search_goes_on(work, capsys):
    work.ends = [Ended("no memory")]
    search_trials.run_all(work)
    assert states(work) == [TrialState.FAIL, TrialState.COMPLETE]
    assert "digits-000 failed (no memory)" in capsys.readouterr().out


def test_a_training_that_diverges_teaches_optuna(work):
    work.ends, work.loss = [Ended("training diverged: lower train.lr")], float("nan")
    search_trials.run_all(work)
    assert states(work)[0] == TrialState.PRUNED
    assert work.study.trials[0].user_attrs[search_study.REASON] == "diverged"


def test_a_process_that_was_killed_is_followed_by_another_but_not_for_ever(work):
    work.ends = [Ended("killed", killed=True)]
    search_trials.run_all(work)
    assert states(work) == [TrialState.COMPLETE] * 2
    work.ends = [Ended("its process was killed", killed=True)] * 3
    assert make.refusal(lambda: search_trials.run_stage(work, "train", {})) == "its process was killed"


def test_a_trial_that_was_saved_before_its_process_died_is_only_told(work):
    work.folder.known = "c0ffee"
    write_json(work.folder.root / paths.TRAIN, {"val_accuracy": 0.25})
    trial = work.study.ask()
    search_trials._run_trial(work, trial, resumed=True)
    assert work.folder.told == [("begin", {}, "digits-000")]
    assert work.study.trials[0].value == 0.25


def test_the_result_of_a_trial_that_another_process_has_taken_over_is_its_own(work, capsys):
    work.claims.holds = lambda job: False
    search_trials._run_trial(work, work.study.ask(), resumed=False)
    assert states(work)[0] == TrialState.RUNNING
    assert "was taken over by another process" in capsys.readouterr().out


def test_no_trial_begins_when_the_time_is_up(work, capsys):
    work.search = Search(work.search.settings.model_copy(update={"time": "0 s"}), ())
    search_trials.run_all(work)
    assert states(work) == [TrialState.WAITING] * 2
    assert capsys.readouterr().out.startswith("the time is up (0 s): ")


def test_trials_of_others_are_waited_for(work, monkeypatch, capsys):
    others = work.study.ask()
    work.claims.take = lambda job: job != "trial 0"
    monkeypatch.setattr(search_trials.time, "sleep", lambda seconds: work.study.tell(others, 0.5))
    search_trials.run_all(work)
    assert states(work) == [TrialState.COMPLETE] * 2
    assert "waiting for 1 trial of other processes" in capsys.readouterr().out


def test_a_metric_beside_accuracy_and_loss_is_what_a_trial_monitors(work):
    assert search_trials.with_monitor(work, {"train.lr": 1}) == {"train.lr": 1}
    work.search = Search(work.search.settings.model_copy(update={"metric": "macro_f1"}), ())
    assert search_trials.with_monitor(work, {}) == {"train.monitor": "val_macro_f1"}
