"""Experiments side by side: configurations with mean, spread and confidence over their seeds, best first.

A configuration is what experiments with different seeds share: all parameters, as written (`auto` is a value of its
own), but for the seeds and for what cannot change the figures. Besides `train.seed`, `split.seed` counts as a seed: a
new division of the images repeats the same experiment, and the more sources of chance vary, the better is the mean
known (Bouthillier et al. 2021, arXiv:2103.03098). Runs are paired on both seeds, so that no figure is ever set
against one of other images.
"""

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from darkroom.base import console
from darkroom.base.errors import UserError
from darkroom.base.files import write_csv, write_text
from darkroom.tools import experiments
from darkroom.tools.experiments import Experiment

TABLE = Path("metrics/compare.csv")
TEXT = Path("metrics/compare.md")

SEEDS = ("train.seed", "split.seed")
# What cannot change the figures of the network: sections, and what decides on speed, memory and kept files alone.
NO_EFFECT = (
    "baseline.",
    "errors.",
    "inside.",
    "tracking.",
    "extract.threads",
    "train.keep_epochs",
    "train.memory_share",
    "evaluate.batch_size",
)
SPLITS = ("val", "test")
LOWER_IS_BETTER = ("log_loss", "ece")  # beginnings of the names of such figures
ALPHA = 0.05
SAME = 1e-9  # files hold figures with four digits: what is closer than this is equal
WIDTH = 100  # columns of a terminal


def show(names: Sequence[str], metric: str) -> None:
    """Print the table over the experiments of the present commit, and write it as CSV and as Markdown.

    `names` are experiments, or the first characters of their revisions; none stands for all. `metric` is `val.` or
    `test.` with a figure of the evaluation: on that split configurations are set against the best one, which is
    always the best on val. Each data set has a table of its own, for figures on different images do not compare.

    Raises UserError where there is nothing to compare.
    """
    found = experiments.read()
    if not found:
        raise UserError(
            "there are no experiments on this commit (`dvc exp list --all-commits` lists those of others): "
            "`dvc exp run --queue -S train.seed=0,1,2,3,4 -S train.lr=0.1,0.2` queues some, `dvc queue start` runs them"
        )
    chosen = experiments.choose(found, names)
    split, figure = _checked(metric, chosen)
    done = [item for item in chosen if item.state == "done"]
    rows = rows_of(chosen, figure, experiments.seconds([item.name for item in done]))
    failures, pending = _failures(rows), _pending(rows)
    if not done:
        if failures:
            print(failures, flush=True)
        raise UserError(
            f"no experiment has finished yet ({pending or 'all failed'}): `dvc queue start` runs those in the queue, "
            "`dvc queue status` shows how far they are"
        )

    tables, best, printed, written = [], [], [], ["# Experiments"]
    for dataset, runs in rows[rows["state"] == "done"].groupby("dataset", sort=False):
        kept = latest(runs.dropna(subset=[*SPLITS]))
        table = compare(kept, split, lower_is_better=figure.startswith(LOWER_IS_BETTER))
        tables.append(pd.concat({dataset: table}, names=["dataset", "rank"]))
        best += table["experiments"].str.split().str[0].tolist()[:1]
        title = f"{dataset}: {figure}, {_count(len(kept), 'run')} of {_count(len(table), 'configuration')}"
        shown, notes = cells(table, split), _notes(runs, kept, figure)
        printed += [title, _legend(table), _aligned(shown), notes]
        shown.insert(1, "configuration", table["configuration"])
        written += [f"## {title}", _markdown(shown), notes]
    footer = _footer(f"{split}.{figure}", resplit="split.seed" in _seeds(chosen))
    ending = [f"not in the table: {pending}" if pending else "", failures]
    whole = pd.concat(tables).reset_index()
    write_csv(TABLE, whole.round(dict.fromkeys(whole.columns.drop("p"), 6)))
    write_text(TEXT, _paragraphs([*written, *(f"```\n{text}\n```" for text in ending if text), *footer]) + "\n")
    wrapped = "\n".join(textwrap.fill(line, WIDTH) for line in footer)
    print(_paragraphs([*printed, *ending, wrapped]), end="\n\n")
    then = " or ".join(f"dvc exp apply {name}" for name in best)
    console.done(f"wrote {TABLE} and {TEXT}", then or "dvc exp run, so that there are figures to compare")


# From experiments to rows


def rows_of(chosen: Sequence[Experiment], figure: str, seconds: Mapping[str, float]) -> pd.DataFrame:
    """One row for each experiment, in the given order; `seconds` holds training times by name.

    Columns: name, dataset, state, configuration, seeds, created, val, test, seconds, epochs, log. Figures and times
    that nobody knows are NaN.
    """
    datasets = [text_of(item.params.get("dataset", "-")) for item in chosen]
    keys = {
        dataset: varying([item.params for item, own in zip(chosen, datasets, strict=True) if own == dataset])
        for dataset in datasets
    }
    seeds = _seeds(chosen)
    rows = [
        {
            "name": item.name,
            "dataset": dataset,
            "state": item.state,
            "configuration": describe(item.params, keys[dataset]),
            "seeds": "/".join(text_of(item.params.get(key, "-")) for key in seeds),
            "created": item.created,
            **{split: item.figures.get(f"{split}.{figure}") for split in SPLITS},
            "seconds": seconds.get(item.name),
            "epochs": item.epochs,
            "log": item.log,
        }
        for item, dataset in zip(chosen, datasets, strict=True)
    ]
    return pd.DataFrame(rows).astype(dict.fromkeys((*SPLITS, "seconds", "epochs"), float))


def varying(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The parameters that make configurations: those that are not equal in all experiments, in the files' order."""
    keys = dict.fromkeys(key for params in settings for key in params)
    return [
        key
        for key in keys
        if key not in SEEDS
        and not key.startswith(NO_EFFECT)
        and len({text_of(params[key]) if key in params else None for params in settings}) > 1
    ]


def describe(params: Mapping[str, Any], keys: Sequence[str]) -> str:
    """The configuration in words: `train.lr=0.2, train.epochs=20`."""
    return ", ".join(f"{key}={text_of(params.get(key, '-'))}" for key in keys) or "all parameters equal"


def text_of(value: Any) -> str:
    """A parameter as it stands in params.yaml; 1 and 1.0 are one value."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def latest(runs: pd.DataFrame) -> pd.DataFrame:
    """Of runs with equal configuration and equal seeds the last one; columns as from `rows_of`."""
    return runs.sort_values(["created", "name"]).drop_duplicates(["configuration", "seeds"], keep="last")


# From rows to statistics


def compare(runs: pd.DataFrame, split: str, *, lower_is_better: bool = False) -> pd.DataFrame:
    """One row for each configuration, best mean on val first; the index counts from 1.

    `runs` has the columns name, configuration, seeds, val, test, seconds and epochs, and each pair of configuration and
    seeds once; runs without a figure on val or test do not count. Columns: configuration, n, seeds; mean, sample
    standard deviation, and low and high end of the 95 % confidence interval of the mean (NaN for n = 1) of both splits;
    seconds and epochs, means over the runs; pairs, p and verdict, see `against`, with p after `holm`; experiments, the
    names of the runs, best on val first.

    The best is chosen by the same figures, so that a part of its lead is luck, the larger the more configurations there
    are; the test split, which chose nothing, says more about the one that was chosen.
    """
    # In one order, so that not even the last bit of a mean depends on the order of the rows.
    runs = runs.dropna(subset=[*SPLITS]).sort_values(["configuration", "seeds"])
    groups = {str(name): group.set_index("seeds") for name, group in runs.groupby("configuration")}
    sign = 1 if lower_is_better else -1
    order = sorted(groups, key=lambda name: (sign * groups[name]["val"].mean(), name))
    rows = []
    for name in order:
        group, row = groups[name], {"configuration": name, "n": len(groups[name])}
        row["seeds"] = " ".join(group.index)
        for part in SPLITS:
            row |= {f"{part}_{key}": value for key, value in mean_of(group[part]).items()}
        row |= {"seconds": group["seconds"].mean(), "epochs": group["epochs"].mean()}
        ranked = (sign * group["val"]).argsort(kind="stable")
        row["experiments"] = " ".join(group["name"].iloc[ranked])
        pairs, p = against(group[split], groups[order[0]][split])
        gap = (group[split] - groups[order[0]][split]).mean()  # over the common seeds
        row |= {"pairs": pairs, "p": p if name != order[0] else np.nan, "better": sign * gap < 0}
        rows.append(row)
    columns = ["configuration", "n", "seeds"]
    columns += [f"{part}_{key}" for part in SPLITS for key in ("mean", "sd", "low", "high")]
    table = pd.DataFrame(rows, columns=[*columns, "seconds", "epochs", "pairs", "p", "verdict", "experiments"])
    table.index = pd.RangeIndex(1, len(table) + 1)
    table["p"] = holm(table["p"])
    better = [bool(row["better"]) for row in rows]
    verdicts = [verdict(*each) for each in zip(table["pairs"], table["p"], better, strict=True)]
    table["verdict"] = ["best", *verdicts[1:]] if verdicts else []
    return table


def mean_of(values: pd.Series) -> dict[str, float]:
    """Mean, sample standard deviation, and 95 % confidence interval of the mean; of one value the mean alone, else NaN.

    The interval is that of Student 1908, doi:10.1093/biomet/6.1.1.
    """
    from scipy.stats import t  # type: ignore[import-untyped]

    n, mean, sd = len(values), float(values.mean()), float(values.std(ddof=1))
    half = float(t.ppf(1 - ALPHA / 2, n - 1)) * sd / n**0.5 if n > 1 else np.nan
    return {"mean": mean, "sd": sd, "low": mean - half, "high": mean + half}


def against(first: pd.Series, second: pd.Series) -> tuple[int, float]:
    """Number of common seeds, and p of a paired, two-sided t-test over them; both series are indexed by seeds.

    p is NaN for fewer than two pairs, and where the gap is the same in all pairs, which gives the test no spread to
    judge by (with few images that happens by chance). It is 1 where there is no gap in any pair.
    """
    from scipy.stats import ttest_rel  # type: ignore[import-untyped]

    both = pd.concat([first, second], axis=1, join="inner").dropna().sort_index().to_numpy(dtype=float)
    gaps = both[:, 0] - both[:, 1]
    if len(gaps) < 2:
        return len(gaps), np.nan
    if np.ptp(gaps) < SAME:
        return len(gaps), 1.0 if abs(gaps[0]) < SAME else np.nan
    return len(gaps), float(ttest_rel(both[:, 0], both[:, 1]).pvalue)


def holm(p: pd.Series) -> pd.Series:
    """p-values corrected for their number, in the same order; NaN stays, and does not count.

    Step-down after Holm 1979, Scandinavian Journal of Statistics 6:65-70, https://www.jstor.org/stable/4615733.
    """
    ordered = p.astype(float).dropna().sort_values()
    factors = np.arange(len(ordered), 0, -1)
    return (ordered * factors).cummax().clip(upper=1.0).reindex(p.index)


def verdict(pairs: int, p: float, better: bool = False) -> str:
    """What the test says, in words; `better` where the one with the lesser rank has the better mean over the pairs."""
    if pairs < 2:
        return "too few seeds"
    if np.isnan(p):
        return "same gap each time"
    shown = "p<0.001" if p < 0.001 else f"p={p:.2g}"
    return f"{'better' if better else 'differs'} ({shown})" if p < ALPHA else f"no evidence ({shown})"


# From statistics to text


def cells(table: pd.DataFrame, split: str) -> pd.DataFrame:
    """The table of `compare` for the eye: rank, and short texts instead of numbers."""
    shown = pd.DataFrame({"#": table.index.astype(str), "n": table["n"].astype(str)}, index=table.index)
    for part in SPLITS:
        spread = table[f"{part}_sd"].map(" ± {:.4f}".format, na_action="ignore").fillna("")
        shown[f"{part}"] = table[f"{part}_mean"].map("{:.4f}".format) + spread
        half = (table[f"{part}_high"] - table[f"{part}_low"]) / 2
        shown[f"{part} 95 % CI"] = half.map("±{:.4f}".format, na_action="ignore").fillna("-")
    shown["time"] = table["seconds"].map(_duration, na_action="ignore").fillna("-")
    shown["epochs"] = table["epochs"].map(lambda value: f"{round(value, 1):g}", na_action="ignore").fillna("-")
    shown[f"against 1, {split}"] = table["verdict"]
    return shown


def _duration(seconds: float) -> str:
    for limit, divisor, unit in ((100, 1, "s"), (6000, 60, "min")):
        if seconds < limit:
            return f"{seconds / divisor:.1f} {unit}"
    return f"{seconds / 3600:.1f} h"


def _aligned(shown: pd.DataFrame) -> str:
    # Both intervals stand right of their mean: there the split need not be said again.
    headers = [name.removeprefix("val ").removeprefix("test ") for name in shown.columns]
    lines = [headers, *shown.to_numpy().tolist()]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _markdown(shown: pd.DataFrame) -> str:
    lines = [list(shown.columns), ["---"] * len(shown.columns), *shown.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _legend(table: pd.DataFrame) -> str:
    """The configurations by rank, for they may be longer than a column of a table can be."""
    return "\n".join(
        textwrap.fill(text, WIDTH, initial_indent=f"{rank:>2}: ", subsequent_indent="    ", break_on_hyphens=False)
        for rank, text in table["configuration"].items()
    )


def _notes(runs: pd.DataFrame, kept: pd.DataFrame, figure: str) -> str:
    """Which runs are not counted, and why."""
    complete = runs.dropna(subset=[*SPLITS])
    twice = complete[~complete.index.isin(kept.index)].merge(kept, on=["configuration", "seeds"])
    lines = [
        f"not counted: {a}, with configuration and seeds of the later {b}"
        for a, b in zip(twice["name_x"], twice["name_y"], strict=True)
    ]
    missing = runs[~runs.index.isin(complete.index)]["name"]
    lines += [f"not counted: {name}, which has no val.{figure} or no test.{figure}" for name in missing]
    return "\n".join(lines)


def _failures(rows: pd.DataFrame) -> str:
    """The failed tasks of the queue with the end of their logs."""
    lines = []
    for row in rows[rows["state"] == "failed"].to_dict("records"):
        lines.append(f"failed: {row['name']} ({row['configuration']}; seed {row['seeds']})")
        lines += [f"    {line}" for line in experiments.tail(row["log"])]
    return "\n".join(lines)


def _pending(rows: pd.DataFrame) -> str:
    counts = rows["state"].value_counts()
    return ", ".join(f"{counts[state]} {state}" for state in ("queued", "running") if state in counts)


def _footer(metric: str, resplit: bool) -> list[str]:
    lines = [
        "Configurations are ranked on val, which chose the best epoch and the best configuration: the test figures are "
        "the honest ones, as long as nothing is chosen by them.",
        "±: sample standard deviation over the seeds. 95 % CI: half the confidence interval of the mean (Student's t). "
        "time: mean training time of a run, - where MLflow does not know it.",
        f"against 1: paired t-test of {metric} over the seeds that both have, with Holm's correction; p below {ALPHA} "
        "differs, and is called better where it beats 1 over those seeds, whatever the ranks say; the same gap each "
        "time gives it no spread to judge by. It speaks of other seeds on the same images. Small differences need n of "
        "5 or more.",
    ]
    if resplit:
        # Nadeau and Bengio 2003, doi:10.1023/A:1024068626366
        lines.append("split.seed varies, and divisions of one set of images overlap: true p-values are larger.")
    return lines


def _seeds(chosen: Sequence[Experiment]) -> list[str]:
    """The seeds that vary; train.seed if none does."""
    return [key for key in SEEDS if len({text_of(item.params.get(key)) for item in chosen}) > 1] or [SEEDS[0]]


def _checked(metric: str, chosen: Sequence[Experiment]) -> tuple[str, str]:
    """Split and figure of a metric such as `val.accuracy`."""
    split, _, figure = metric.partition(".")
    known = list(
        dict.fromkeys(name.partition(".")[2] for item in chosen for name in item.figures if name.startswith(SPLITS))
    )
    if split not in SPLITS or (known and figure not in known):
        raise UserError(
            f"--metric is {metric!r}, but must be val. or test. with the name of a figure: "
            f"{', '.join(known) or 'accuracy'}"
        )
    return split, figure


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def _paragraphs(parts: Sequence[str]) -> str:
    return "\n\n".join(part for part in parts if part)
