"""The comparison of experiments as text: a table for the terminal, one in Markdown, and notes."""

import textwrap
from collections.abc import Sequence

import pandas as pd

from darkroom.base.words import duration, listed
from darkroom.tools import experiments
from darkroom.tools.comparison_statistics import ALPHA
from darkroom.tools.configurations import SPLITS

WIDTH = 100  # columns of a terminal


def cells(table: pd.DataFrame, split: str) -> pd.DataFrame:
    """The table of `compare` with short texts instead of numbers, and the rank or letter as first column."""
    shown = pd.DataFrame({"#": table.index, "n": table["n"].astype(str)}, index=table.index)
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


def legend(configurations: "pd.Series[str]") -> str:
    """The configurations by rank or letter, their index; in the table itself they would be too long."""
    return "\n".join(
        textwrap.fill(text, WIDTH, initial_indent=f"{label:>2}: ", subsequent_indent="    ", break_on_hyphens=False)
        for label, text in configurations.items()
    )


def configurations_of(table: pd.DataFrame) -> "pd.Series[str]":
    """The configurations; one among whose runs is the committed state says so."""
    is_head = table["experiments"].str.split().map(lambda names: "HEAD" in names)
    return table["configuration"] + is_head.map({True: " (with HEAD)", False: ""})


def code(table: pd.DataFrame, kept: pd.DataFrame) -> str:
    """Lines that say which runs other code has trained; empty if one code has trained all, or none is known."""
    known = kept[kept["code"] != ""]
    if known["code"].nunique() < 2:
        return ""
    lines = ["the code that decides the weights differs, so a gap may be its own:"]
    for label, configuration in table["configuration"].items():
        runs = known[known["configuration"] == configuration].groupby("code", sort=False)["name"]
        told = [f"{hashed} ({listed(names)})" for hashed, names in runs]
        lines.append(f"{label:>2}: {'mixed, ' if len(told) > 1 else ''}{'; '.join(told) or 'not known'}")
    return "\n".join(lines)


def notes(runs: pd.DataFrame, kept: pd.DataFrame, figure: str) -> str:
    """Lines that say which of the `runs` are not counted, and why; `kept` are the counted ones."""
    complete = runs.dropna(subset=[*SPLITS])
    twice = complete[~complete.index.isin(kept.index)].merge(kept, on=["configuration", "seeds"])
    earlier: dict[str, list[str]] = {}
    for row in twice.to_dict("records"):
        unequal = "code" if row["code_x"] != row["code_y"] else "figures" if row["val_x"] != row["val_y"] else ""
        later = f"{row['name_y']}{f' (other {unequal})' if unequal else ''}"
        earlier.setdefault(later, []).append(row["name_x"])
    lines = [
        f"not counted: {listed(names)}, with configuration and seeds of the later {later}"
        for later, names in earlier.items()
    ]
    missing = runs[~runs.index.isin(complete.index)]["name"]
    lines += [f"not counted: {name}, which has no val.{figure} or no test.{figure}" for name in missing]
    if kept["seeds"].str.contains("@").any():
        lines.append("@: one split.seed gave several divisions of the images, and runs are paired within one of them")
    return "\n".join(lines)


def left_out(rows: pd.DataFrame) -> str:
    """The runs whose figures are not those of their parameters, each with the reason."""
    doubtful = rows[(rows["state"] == "done") & (rows["doubt"] != "")]
    return "\n".join(
        f"left out: {name}: {doubt}" for name, doubt in zip(doubtful["name"], doubtful["doubt"], strict=True)
    )


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
        "the honest ones, as long as nothing is chosen by them. A letter stands for a single run, which has no rank: "
        "other seeds may turn it around.",
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
