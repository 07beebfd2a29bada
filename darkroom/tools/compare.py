"""Compare experiments: configurations with mean, spread and confidence interval over their seeds, best first."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from darkroom.base import console, paths
from darkroom.base.errors import UserError
from darkroom.base.files import write_csv, write_text
from darkroom.base.words import counted, listed
from darkroom.dataset.scores import SCORES
from darkroom.tools import (
    compared_runs,
    comparison_statistics,
    comparison_text,
    configurations,
    experiments,
    image_intervals,
)
from darkroom.tools.configurations import SPLITS
from darkroom.tools.experiments import Experiment

TABLE = Path("metrics/compare.csv")
TEXT = Path("metrics/compare.md")
BY_COMMIT = "MLflow's runs name no code: it is told by their commits here, and what was not committed is not seen."
LOWER_IS_BETTER = ("log_loss", "ece")  # how the names of such figures begin


def show(names: Sequence[str], metric: str, commits: str | None = None, where: Sequence[str] = ()) -> None:
    """Print the table over the experiments and the state of the present commit; write it as CSV and as Markdown.

    `names` are experiments, or the first characters of their revisions; no name means all. `metric` is a figure of the
    evaluation or the name of a score (`darkroom.dataset.scores`), with `val.` or `test.` before it, or nothing for val.
    `commits` is a range of commits, `compared_runs.ALL`, or `compared_runs.MLFLOW` for the runs of MLflow's store;
    `where` are conditions on parameters, `KEY=VALUE`.
    Configurations are compared on that split with the best one, which is always the best on val. Each data set has its
    own table, because figures on different images do not compare. A run counts only if its own dvc.lock says that its
    figures are those of its parameters.

    Raises UserError where there is nothing to compare.
    """
    # 1. The runs, as rows.
    chosen = compared_runs.where(compared_runs.read(commits, names), where)
    split, figure = _checked(metric, chosen)
    sound = [item for item in chosen if item.counts]
    rows = configurations.rows_of(chosen, figure, experiments.training_seconds([item.name for item in sound]))
    pending = comparison_text.pending(rows)
    remarks = [comparison_text.left_out(rows), comparison_text.failures(rows)]
    if not sound:
        print(comparison_text.paragraphs(remarks), flush=True)
        raise UserError(
            f"no run can be compared yet ({pending or 'all failed or are left out'}): `dvc queue start` runs those in "
            "the queue, `dvc queue status` shows how far they are"
        )
    # 2. One table for each data set.
    revisions = {item.name: item.revision for item in sound}
    sections, sign = [], -1 if figure.startswith(LOWER_IS_BETTER) else 1
    for title, runs in rows[(rows["state"] == "done") & (rows["doubt"] == "")].groupby("table", sort=False):
        kept = configurations.latest(runs.dropna(subset=[*SPLITS]))
        table = comparison_statistics.compare(kept, split, lower_is_better=sign < 0)
        head = f"{title}: {figure}, {counted(len(kept), 'run')} of {counted(len(table), 'configuration')}"
        intervals = "\n".join(image_intervals.lines(table, kept, revisions, split, figure))
        notes = [intervals, comparison_text.code(table, kept), comparison_text.notes(runs, kept, figure)]
        sections.append(_Section(head, runs, table, comparison_text.cells(table, split), notes))
    # 3. Write the files, then print.
    whole = pd.concat(section.csv() for section in sections)
    write_csv(TABLE, whole.round(dict.fromkeys(whole.columns.drop(["p", "rank"]), 6)))
    footer = comparison_text.footer(f"{split}.{figure}", resplit="split.seed" in configurations.seeds_of(sound))
    footer += [BY_COMMIT] if commits == compared_runs.MLFLOW else []
    ending = [f"not in the table: {pending}" if pending else "", *remarks]
    blocks = [f"```\n{text}\n```" for text in ending if text]
    written = ["# Experiments", *(part for section in sections for part in section.markdown()), *blocks, *footer]
    write_text(TEXT, comparison_text.paragraphs(written) + "\n")
    printed = [part for section in sections for part in section.printed()]
    wrapped = "\n".join(textwrap.fill(line, comparison_text.WIDTH) for line in footer)
    print(comparison_text.paragraphs([*printed, *ending, wrapped]), end="\n\n")
    best = [name for section in sections for name in section.best(sign)]
    console.done(f"wrote {TABLE} and {TEXT}", _next(best, commits == compared_runs.MLFLOW))


@dataclass(frozen=True)
class _Section:
    """The runs on the same images: the heading, the runs, the table as numbers and as texts, and notes."""

    head: str
    runs: pd.DataFrame
    table: pd.DataFrame
    cells: pd.DataFrame
    notes: list[str]

    def printed(self) -> list[str]:
        legend = comparison_text.legend(comparison_text.configurations_of(self.table))
        return [self.head, legend, comparison_text.aligned(self.cells), *self.notes]

    def markdown(self) -> list[str]:
        cells = self.cells.copy()
        cells.insert(1, "configuration", comparison_text.configurations_of(self.table))
        return [f"## {self.head}", comparison_text.markdown(cells), *self.notes]

    def csv(self) -> pd.DataFrame:
        """The table behind its data set, the hash of its images, and the rank, which a single run lacks."""
        ranks = [int(label) if label.isdecimal() else None for label in self.table.index]
        first = {"dataset": self.runs["dataset"].iloc[0], "data": self.runs["data"].iloc[0]}
        first |= {"rank": pd.array(ranks, dtype="Int64")}
        return pd.concat([pd.DataFrame(first, index=self.table.index), self.table], axis=1)

    def best(self, sign: int) -> list[str]:
        """The name of the best run of the best configuration; nothing where none is ranked, or a single run leads.

        `sign` is 1 if a higher figure is better, else -1.
        """
        leads = (sign * self.table["val_mean"]).argmax() if len(self.table) else 0
        return self.table.loc[self.table["n"] > 1, "experiments"].str.split().str[0].tolist()[:1] if not leads else []


def _next(best: Sequence[str], of_mlflow: bool) -> str:
    """What to do, where `best` has the best run of each data set whose best configuration is ranked."""
    if not best:
        return "dvc exp run --queue -S train.seed=0,1,2,3,4: a ranking takes several seeds"
    if of_mlflow:
        return f"make ui, and look at {listed(best)}; `dvc exp pull` brings experiments of other machines"
    known = [f"dvc exp apply {name}" for name in best if name != "HEAD"]
    return " or ".join(known) or "git push: the committed state is the best"


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
