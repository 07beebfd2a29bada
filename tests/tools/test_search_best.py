"""What came of a search: how its trials ended, and the best compared on val."""

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from darkroom.base.files import write_text
from darkroom.tools import compared_runs, experiments, search_best, search_file
from darkroom.tools.experiments import Experiment, RunRecord
from tests import make
from tests.conftest import ROOT


def run(name, lr, seed, val, test, doubt=""):
    figures = {"val.accuracy": val, "test.accuracy": test, "test.accuracy_low": test - 0.1, "test.accuracy_high": 1.0}
    params = {"dataset": "digits", "train.lr": lr, "train.seed": seed}
    return Experiment(name, name, "done", "2026", params, figures, 3.0, None, record=RunRecord(doubt, "d", "v", "c"))


RUNS = [
    run("a-1", 0.1, 1, 0.8, 0.7),
    run("a-2", 0.1, 2, 0.9, 0.6),
    run("b-1", 0.2, 1, 0.7, 0.9),
    run("b-2", 0.2, 2, 0.6, 1),
]


@pytest.fixture
def compare(project, monkeypatch):
    """Compares these runs by a metric."""
    write_text(project.folder / "search.yaml", (ROOT / "search.yaml").read_text())
    monkeypatch.setattr(compared_runs, "with_records", lambda runs: runs)
    monkeypatch.setattr(experiments, "training_seconds", lambda names: {})

    def do(runs=RUNS):
        monkeypatch.setattr(experiments, "read", lambda commits: runs if commits == ["c0ffee"] else [])
        return search_best.compare([one.name for one in runs], search_file.settings(), "c0ffee")

    return do


def test_val_chooses_and_the_winners_test_figure_is_shown_alone(compare):
    found = compare()
    assert (found.winner, found.test, round(found.val, 6)) == ("a-2", 0.6, 0.85)
    assert not [name for name in found.cells if name.startswith("test")]
    words = search_best.in_words(found)
    assert "a-2 reaches accuracy 0.6000 on test, 95 % interval 0.5000 to 1.0000" in words
    assert "train.lr=0.1" in words
    assert "0.9000" not in words.replace("0.5000 to", "")  # the test figure of b-1


def test_figures_that_are_not_the_runs_own_are_not_compared(compare):
    sentence = make.refusal(lambda: compare([run("a-1", 0.1, 1, 0.8, 0.7, "its stage train did not run")]))
    assert sentence == "the best trials cannot be compared: a-1 (its stage train did not run)"


def test_how_the_trials_ended():
    study = optuna.create_study(direction="maximize")
    for state in (TrialState.COMPLETE, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL):
        study.add_trial(create_trial(state=state, value=0.5 if state == TrialState.COMPLETE else None))
    study.enqueue_trial({})
    assert search_best.counts_in_words(study) == "5 trials: 2 to their end, 1 pruned, 1 failed, 1 not begun"
