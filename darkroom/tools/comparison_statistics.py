"""Statistics of configurations over their seeds, best first, and a test of each against the best one.

Runs are paired by their seeds, so that figures are only compared on the same images.
"""

from collections.abc import Iterator
from itertools import count, islice, product
from string import ascii_lowercase

import numpy as np
import pandas as pd

from darkroom.tools.configurations import SPLITS

ALPHA = 0.05  # significance level
SAME = 1e-9  # closer figures are equal: files hold four digits


def compare(runs: pd.DataFrame, split: str, *, lower_is_better: bool = False) -> pd.DataFrame:
    """One row for each configuration: those of several runs by their mean on val, best first, then the single runs.

    The index counts those of several runs from 1. A single run says nothing of a configuration: it has no rank, and a
    letter as its index, from a, the best on val first.

    `runs` has the columns name, configuration, seeds, val, test, seconds and epochs, and each pair of configuration and
    seeds once; runs without a figure on val or test do not count. Columns of the result: configuration, n, seeds; mean,
    sd (sample standard deviation), low and high (95 % confidence interval of the mean, NaN for n = 1) of both splits;
    seconds and epochs (means over the runs); pairs, p (of `paired_test`, after `holm`) and verdict; experiments (the
    names of the runs, best on val first).

    The best configuration is chosen by the same val figures, so its lead there is partly luck: the more
    configurations, the more. The test split chose nothing, and says more about the chosen one.
    """
    # The runs are sorted, so that not even the last bit of a mean depends on the order of the rows.
    runs = runs.dropna(subset=[*SPLITS]).sort_values(["configuration", "seeds"])
    groups = {str(name): group.set_index("seeds") for name, group in runs.groupby("configuration")}
    sign = 1 if lower_is_better else -1
    order = sorted(groups, key=lambda name: (len(groups[name]) == 1, sign * groups[name]["val"].mean(), name))
    # 1. The figures of each configuration, and its test against the best one over common seeds.
    rows = []
    for name in order:
        group, row = groups[name], {"configuration": name, "n": len(groups[name])}
        row["seeds"] = " ".join(group.index)
        for part in SPLITS:
            row |= {f"{part}_{key}": value for key, value in mean_of(group[part]).items()}
        row |= {"seconds": group["seconds"].mean(), "epochs": group["epochs"].mean()}
        best_first = (sign * group["val"]).argsort(kind="stable")
        row["experiments"] = " ".join(group["name"].iloc[best_first])
        pairs, p = paired_test(group[split], groups[order[0]][split])
        gap = (group[split] - groups[order[0]][split]).mean()  # over the common seeds
        row |= {"pairs": pairs, "p": p if name != order[0] else np.nan, "better": sign * gap < 0}
        rows.append(row)
    columns = ["configuration", "n", "seeds"]
    columns += [f"{part}_{key}" for part in SPLITS for key in ("mean", "sd", "low", "high")]
    table = pd.DataFrame(rows, columns=[*columns, "seconds", "epochs", "pairs", "p", "verdict", "experiments"])
    ranked = int((table["n"] > 1).sum())
    table.index = pd.Index([*map(str, range(1, ranked + 1)), *islice(_letters(), len(table) - ranked)], dtype=str)
    # 2. The verdicts, corrected for the number of tests.
    table["p"] = holm(table["p"])
    better = [bool(row["better"]) for row in rows]
    verdicts = [verdict(*each) for each in zip(table["pairs"], table["p"], better, strict=True)]
    table["verdict"] = ["best", *verdicts[1:]] if verdicts else []
    table.loc[table["n"] == 1, "verdict"] = "not ranked"
    return table


def _letters() -> Iterator[str]:
    """Yield a, b, ..., z, aa, ab, ... without end."""
    for length in count(1):
        yield from map("".join, product(ascii_lowercase, repeat=length))


def mean_of(values: pd.Series) -> dict[str, float]:
    """Mean, sample standard deviation (sd), and 95 % confidence interval of the mean (low, high).

    A single value has only a mean; the rest is NaN. The interval is Student's, 1908, doi:10.1093/biomet/6.1.1.
    """
    from scipy.stats import t  # type: ignore[import-untyped]

    n, mean, sd = len(values), float(values.mean()), float(values.std(ddof=1))
    half = float(t.ppf(1 - ALPHA / 2, n - 1)) * sd / n**0.5 if n > 1 else np.nan
    return {"mean": mean, "sd": sd, "low": mean - half, "high": mean + half}


def paired_test(first: pd.Series, second: pd.Series) -> tuple[int, float]:
    """Number of common seeds, and p of a paired, two-sided t-test over them; both series are indexed by seeds.

    p is NaN for fewer than two pairs. It is NaN too where the gap is the same in all pairs, as the test needs a spread
    (few images make that happen by chance), and 1 where that gap is zero.
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
    """p-values after Holm's correction for their number, in the same order; NaN stays NaN, and does not count.

    Step-down procedure of Holm 1979, Scandinavian Journal of Statistics 6:65-70, https://www.jstor.org/stable/4615733.
    """
    ordered = p.astype(float).dropna().sort_values()
    factors = np.arange(len(ordered), 0, -1)
    return (ordered * factors).cummax().clip(upper=1.0).reindex(p.index)


def verdict(pairs: int, p: float, better: bool = False) -> str:
    """The result of the test, in words.

    `better` means that over the common seeds the configuration has a better mean than the one that is ranked first.
    """
    if pairs < 2:
        return "too few seeds"
    if np.isnan(p):
        return "same gap each time"
    shown = "p<0.001" if p < 0.001 else f"p={p:.2g}"
    return f"{'better' if better else 'differs'} ({shown})" if p < ALPHA else f"no evidence ({shown})"
