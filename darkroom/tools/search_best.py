"""The best trials of a search, trained again over several seeds: compared on val, and the winner's figure on test.

Only the winner's test figure is shown: to look at those of all, and take the best, would be to choose by the test.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import optuna
import pandas as pd
from optuna.trial import TrialState

from darkroom.base.errors import UserError
from darkroom.base.words import counted
from darkroom.dataset.scores import SCORES
from darkroom.tools import compared_runs, comparison_statistics, comparison_text, configurations, experiments
from darkroom.tools.search_file import Settings


@dataclass(frozen=True)
class Result:
    """What came of a search: the table of configurations as texts, and the winner with its figures on test."""

    cells: pd.DataFrame
    configurations: "pd.Series[str]"
    footer: list[str]
    winner: str
    val: float  # mean of the winning configuration over its seeds
    test: float  # of the winner
    title: str  # of the metric
    interval: tuple[float, float] | None


def compare(names: Sequence[str], settings: Settings, commit: str) -> Result:
    """Compare these experiments of `commit`, each up to `evaluate`, on val."""
    score = SCORES[settings.metric]
    found = experiments.choose(experiments.read([commit]), names)
    chosen = compared_runs.with_records(found)
    if doubts := [f"{run.name} ({run.record.doubt})" for run in chosen if not run.counts]:
        raise UserError(f"the best trials cannot be compared: {doubts[0]}")
    rows = configurations.rows_of(chosen, score.figure, experiments.training_seconds([run.name for run in chosen]))
    table = comparison_statistics.compare(configurations.latest(rows), "val", lower_is_better=score.lower_is_better)
    cells = comparison_text.cells(table, "val")
    cells = cells.drop(columns=[name for name in cells.columns if str(name).startswith("test")])
    cells["experiment"] = table["experiments"].str.split().str[0]
    winner = next(run for run in chosen if run.name == cells["experiment"].iloc[0])
    low, high = (winner.figures.get(f"test.{score.figure}_{end}") for end in ("low", "high"))
    return Result(
        cells=cells,
        configurations=comparison_text.configurations_of(table),
        footer=comparison_text.footer(f"val.{score.figure}", resplit=False),
        winner=winner.name,
        val=float(table["val_mean"].iloc[0]),
        test=winner.figures[f"test.{score.figure}"],
        title=score.title,
        interval=None if low is None or high is None else (low, high),
    )


def on_test(result: Result) -> str:
    """The winner's figure on test, in a sentence."""
    interval = f", 95 % interval {result.interval[0]:.4f} to {result.interval[1]:.4f}" if result.interval else ""
    return f"{result.winner} reaches {result.title} {result.test:.4f} on test{interval}"


def in_words(result: Result) -> str:
    """The table for a terminal, and the winner's figure on test."""
    parts = [comparison_text.legend(result.configurations), comparison_text.aligned(result.cells), on_test(result)]
    return "\n\n".join(parts)


def counts(study: optuna.Study) -> dict[TrialState, int]:
    """How many trials have which state."""
    states = [trial.state for trial in study.get_trials(deepcopy=False)]
    return {state: states.count(state) for state in TrialState}


def counts_in_words(study: optuna.Study) -> str:
    """How the trials ended: `30 trials: 18 to their end, 11 pruned, 1 failed`."""
    of = counts(study)
    ends = {TrialState.COMPLETE: "to their end", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
    ends |= {TrialState.RUNNING: "running", TrialState.WAITING: "not begun"}
    told = ", ".join(f"{of[state]} {words}" for state, words in ends.items() if of[state])
    return f"{counted(sum(of.values()), 'trial')}: {told}"


def figures(study: optuna.Study, result: Result) -> dict[str, float]:
    """What MLflow's run of the search says."""
    of = counts(study)
    return {
        "trials_complete": of[TrialState.COMPLETE],
        "trials_pruned": of[TrialState.PRUNED],
        "trials_failed": of[TrialState.FAIL],
        "best_value": study.best_value,
        "winner_val_mean": result.val,
        "winner_test": result.test,
    }
