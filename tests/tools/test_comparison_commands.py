"""What the words after `darkroom compare` ask for."""

import pytest

from darkroom.tools import commands, compare, compare_folds, compared_runs
from tests import make


@pytest.fixture
def asked(monkeypatch):
    """Runs `darkroom compare` with these words; returns what it asks of which comparison."""
    found = []
    monkeypatch.setattr(compare, "show", lambda *words: found.append(("runs", *words)))
    monkeypatch.setattr(compare_folds, "show", lambda *words: found.append(("folds", *words)))

    def run(*words):
        found.clear()
        commands.main(["compare", *words])
        return found[0]

    return run


def test_words_become_what_is_compared(asked):
    assert asked() == ("runs", [], "val.accuracy", None, [])
    assert asked("a", "b", "--metric", "auc", "--where", "x=1", "--where", "y=2") == (
        "runs", ["a", "b"], "auc", None, ["x=1", "y=2"],
    )  # fmt: skip
    assert asked("--commits", "a..b") == ("runs", [], "val.accuracy", "a..b", [])
    assert asked("--all-commits") == ("runs", [], "val.accuracy", compared_runs.ALL, [])
    assert asked("--from-mlflow") == ("runs", [], "val.accuracy", compared_runs.MLFLOW, [])
    assert asked("--folds") == ("folds", "accuracy")


def test_results_of_folds_are_not_chosen_from(asked):
    assert make.refusal(lambda: asked("--folds", "--where", "x=1")).endswith("leave x=1 out")


def test_two_choices_of_commits_are_refused(asked, capsys):
    with pytest.raises(SystemExit):
        asked("--all-commits", "--commits", "a..b")
    assert "not allowed with" in capsys.readouterr().err
