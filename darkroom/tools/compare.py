"""Compare experiments: configurations with mean, spread and confidence interval over their seeds, best first."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from darkroom.base import console, paths
from darkroom.base.errors import UserError
from darkroom.base.files import write_csv, write_text
from darkroom.base.words import counted
from darkroom.dataset.scores import SCORES
from darkroom.tools import comparison_statistics, comparison_text, configurations, experiments, image_intervals
from darkroom.tools.configurations import SPLITS
from darkroom.tools.experiments import Experiment

TABLE = Path("metrics/compare.csv")
TEXT = Path("metrics/compare.md")
LOWER_IS_BETTER = ("log_loss", "ece")  # how the names of such figures begin


def show(names: Sequence[str], metric: str) -> None:
    """Print the table over the experiments of the present commit, and write it as CSV and as Markdown.

    `names` are experiments, or the first characters of their revisions; no name means all. `metric` is a figure of the
    evaluation or the name of a score (`darkroom.dataset.scores`), with `val.` or `test.` before it, or nothing for val.
    Configurations are compared on that split with the best one, which is always the best on val. Each data set has its
    own table, because figures on different images do not compare.

    Raises UserError where there is nothing to compare.
    """
    # 1. The experiments, as rows.
    found = experiments.read()
    if not found:
        raise UserError(
            "there are no experiments on this commit (`dvc exp list --all-commits` lists those of others): "
            "`dvc exp run --queue -S train.seed=0,1,2,3,4 -S train.lr=0.1,0.2` queues some, `dvc queue start` runs them"
        )
    chosen = experiments.choose(found, names)
    split, figure = _checked(metric, chosen)
    done = [item for item in chosen if item.state == "done"]
    rows = configurations.rows_of(chosen, figure, experiments.training_seconds([item.name for item in done]))
    failures, pending = comparison_text.failures(rows), comparison_text.pending(rows)
    if not done:
        if failures:
            print(failures, flush=True)
        raise UserError(
            f"no experiment has finished yet ({pending or 'all failed'}): `dvc queue start` runs those in the queue, "
            "`dvc queue status` shows how far they are"
        )

    # 2. One table for each data set.
    tables, best, printed, written = [], [], [], ["# Experiments"]
    for dataset, runs in rows[rows["state"] == "done"].groupby("dataset", sort=False):
        kept = configurations.latest(runs.dropna(subset=[*SPLITS]))
        table = comparison_statistics.compare(kept, split, lower_is_better=figure.startswith(LOWER_IS_BETTER))
        tables.append(pd.concat({dataset: table}, names=["dataset", "rank"]))
        best += table["experiments"].str.split().str[0].tolist()[:1]
        title = f"{dataset}: {figure}, {counted(len(kept), 'run')} of {counted(len(table), 'configuration')}"
        shown = comparison_text.cells(table, split)
        revisions = {item.name: item.revision for item in chosen}
        notes = "\n".join(image_intervals.lines(table, kept, revisions, split, figure))
        notes = comparison_text.paragraphs([notes, comparison_text.notes(runs, kept, figure)])
        printed += [title, comparison_text.legend(table), comparison_text.aligned(shown), notes]
        shown.insert(1, "configuration", table["configuration"])
        written += [f"## {title}", comparison_text.markdown(shown), notes]
    # 3. Write the files, then print.
    footer = comparison_text.footer(f"{split}.{figure}", resplit="split.seed" in configurations.seeds_of(chosen))
    ending = [f"not in the table: {pending}" if pending else "", failures]
    whole = pd.concat(tables).reset_index()
    write_csv(TABLE, whole.round(dict.fromkeys(whole.columns.drop("p"), 6)))
    write_text(
        TEXT, comparison_text.paragraphs([*written, *(f"```\n{text}\n```" for text in ending if text), *footer]) + "\n"
    )
    wrapped = "\n".join(textwrap.fill(line, comparison_text.WIDTH) for line in footer)
    print(comparison_text.paragraphs([*printed, *ending, wrapped]), end="\n\n")
    then = " or ".join(f"dvc exp apply {name}" for name in best)
    console.done(f"wrote {TABLE} and {TEXT}", then or "dvc exp run, so that there are figures to compare")


def _checked(metric: str, chosen: Sequence[Experiment]) -> tuple[str, str]:
    """Split and figure of a metric such as `val.accuracy`, `auc` or `test.kappa`. Raises UserError for another."""
    split, _, name = metric.rpartition(".")
    split, figure = split or "val", SCORES[name].figure if name in SCORES else name
    known = list(
        dict.fromkeys(name.partition(".")[2] for item in chosen for name in item.figures if name.startswith(SPLITS))
    )
    if split not in SPLITS or (known and figure not in known):
        raise UserError(
            f"--metric is {metric!r}, but must be a figure of {paths.EVALUATE}, alone for val or after val. or test.: "
            f"{', '.join(known) or 'accuracy'}"
        )
    return split, figure
