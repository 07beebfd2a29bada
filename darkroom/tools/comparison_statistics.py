"""Configurations with mean, spread and confidence over their seeds, best first, each set against the best one.

Runs are paired on their seeds, so that no figure is ever set against one of other images.
"""

import numpy as np
import pandas as pd

from darkroom.tools.configurations import SPLITS

ALPHA = 0.05
SAME = 1e-9  # files hold figures with four digits: what is closer than this is equal


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
    # 1. Each configuration alone, and over the seeds that it shares with the best one.
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
    # 2. What the tests say, corrected for their number.
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
