"""Turn experiments into rows of a table: configuration, seeds, and figures.

A configuration consists of all parameters as written (`auto` is a value of its own), except the seeds and those that
cannot change the figures. `split.seed` counts as a seed like `train.seed`: a new division of the images repeats the
same experiment. The more sources of chance vary, the better the mean is known (Bouthillier et al. 2021,
arXiv:2103.03098).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from darkroom.tools.experiments import Experiment

SEEDS = ("train.seed", "split.seed")
# Parameters that cannot change the network's figures: whole sections, and settings of speed, memory and kept files.
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


def rows_of(chosen: Sequence[Experiment], figure: str, seconds: Mapping[str, float]) -> pd.DataFrame:
    """One row for each experiment, in the given order; `seconds` holds training times by name.

    Columns: name, dataset, state, configuration, seeds, created, val, test, seconds, epochs, log. Unknown figures and
    times are NaN.
    """
    datasets = [text_of(item.params.get("dataset", "-")) for item in chosen]
    keys = {
        dataset: varying([item.params for item, own in zip(chosen, datasets, strict=True) if own == dataset])
        for dataset in datasets
    }
    seeds = seeds_of(chosen)
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
    """The parameters that differ between experiments, and so distinguish configurations, in the files' order."""
    keys = dict.fromkeys(key for params in settings for key in params)
    return [
        key
        for key in keys
        if key not in SEEDS
        and not key.startswith(NO_EFFECT)
        and len({text_of(params[key]) if key in params else None for params in settings}) > 1
    ]


def describe(params: Mapping[str, Any], keys: Sequence[str]) -> str:
    """The configuration as text, as `train.lr=0.2, train.epochs=20`."""
    return ", ".join(f"{key}={text_of(params.get(key, '-'))}" for key in keys) or "all parameters equal"


def text_of(value: Any) -> str:
    """A parameter as it stands in params.yaml; 1 and 1.0 give the same text."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def seeds_of(chosen: Sequence[Experiment]) -> list[str]:
    """The names of the seeds that vary; train.seed if none does."""
    return [key for key in SEEDS if len({text_of(item.params.get(key)) for item in chosen}) > 1] or [SEEDS[0]]


def latest(runs: pd.DataFrame) -> pd.DataFrame:
    """The last of the runs with equal configuration and equal seeds; columns as from `rows_of`."""
    return runs.sort_values(["created", "name"]).drop_duplicates(["configuration", "seeds"], keep="last")
