"""The comparison of experiments as text: a table for the terminal, one in Markdown, and notes."""

import textwrap
from collections.abc import Sequence

import pandas as pd

from darkroom.base.words import duration
from darkroom.tools import experiments
from darkroom.tools.comparison_statistics import ALPHA
from darkroom.tools.configurations import SPLITS

WIDTH = 100  # columns of a terminal


def cells(table: pd.DataFrame, split: str) -> pd.DataFrame:
    """The table of `compare` with short texts instead of numbers, and the rank as first column."""
    shown = pd.DataFrame({"#": table.index.astype(str), "n": table["n"].astype(str)}, index=table.index)
    for part in SPLITS:
        spread = table[f"{part}_sd"].map(" ± {:.4f}".format, na_action="ignore").fillna("")
        shown[f"{part}"] = table[f"{part}_mean"].map("{:.4f}".format) + spread
        half = (table[f"{part}_high"] - table[f"{part}_low"]) / 2
        shown[f"{part} 95 % CI"] = half.map("±{:.4f}".format, na_action="ignore").fillna("-")
    shown["time"] = table["seconds"].map(duration, na_action="ignore").fillna("-")
    shown["epochs"] = table["epochs"].map(lambda value: f"{round(value, 1):g}", na_action="ignore").fillna("-")
    shown[f"against 1, {split}"] = table["verdict"]
    return shown


def aligned(shown: pd.DataFrame) -> str:
    """The table of `cells` for a terminal, in aligned columns."""
    # Each interval stands right of its mean, so its header need not repeat the split.
    headers = [name.removeprefix("val ").removeprefix("test ") for name in shown.columns]
    lines = [headers, *shown.to_numpy().tolist()]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def markdown(shown: pd.DataFrame) -> str:
    """The table of `cells` in Markdown, with bars in texts escaped."""
    lines = [list(shown.columns), ["---"] * len(shown.columns), *shown.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def legend(table: pd.DataFrame) -> str:
    """The configurations by rank; in the table itself they would be too long."""
    return "\n".join(
        textwrap.fill(text, WIDTH, initial_indent=f"{rank:>2}: ", subsequent_indent="    ", break_on_hyphens=False)
        for rank, text in table["configuration"].items()
    )


def notes(runs: pd.DataFrame, kept: pd.DataFrame, figure: str) -> str:
    """Lines that say which of the `runs` are not counted, and why; `kept` are the counted ones."""
    complete = runs.dropna(subset=[*SPLITS])
    twice = complete[~complete.index.isin(kept.index)].merge(kept, on=["configuration", "seeds"])
    lines = [
        f"not counted: {a}, with configuration and seeds of the later {b}"
        for a, b in zip(twice["name_x"], twice["name_y"], strict=True)
    ]
    missing = runs[~runs.index.isin(complete.index)]["name"]
    lines += [f"not counted: {name}, which has no val.{figure} or no test.{figure}" for name in missing]
    return "\n".join(lines)


def failures(rows: pd.DataFrame) -> str:
    """The failed tasks of the queue, each with the end of its log."""
    lines = []
    for row in rows[rows["state"] == "failed"].to_dict("records"):
        lines.append(f"failed: {row['name']} ({row['configuration']}; seed {row['seeds']})")
        lines += [f"    {line}" for line in experiments.tail(row["log"])]
    return "\n".join(lines)


def pending(rows: pd.DataFrame) -> str:
    """How many tasks have not finished, as `1 queued, 2 running`; empty where all have."""
    counts = rows["state"].value_counts()
    return ", ".join(f"{counts[state]} {state}" for state in ("queued", "running") if state in counts)


def footer(metric: str, resplit: bool) -> list[str]:
    """What the columns mean, and how far to trust the figures; `resplit` says whether `split.seed` varies."""
    lines = [
        "Configurations are ranked on val, which chose the best epoch and the best configuration: the test figures are "
        "the honest ones, as long as nothing is chosen by them.",
        "±: sample standard deviation over the seeds. 95 % CI: half the confidence interval of the mean (Student's t), "
        "- for a single run, which has none. time: mean training time of a run, - where MLflow does not know it.",
        f"against 1: paired t-test of {metric} over the seeds that both have, with Holm's correction; p below {ALPHA} "
        "differs, and is called better where it beats 1 over those seeds, whatever the ranks say; the same gap each "
        "time gives it no spread to judge by. It speaks of other seeds on the same images. Small differences need n of "
        "5 or more.",
    ]
    if resplit:
        # Nadeau and Bengio 2003, doi:10.1023/A:1024068626366
        lines.append("split.seed varies, and divisions of one set of images overlap: true p-values are larger.")
    return lines


def paragraphs(parts: Sequence[str]) -> str:
    """The parts that are not empty, with a blank line between them."""
    return "\n\n".join(part for part in parts if part)
