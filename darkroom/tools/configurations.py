"""From experiments to rows: which configuration and which seeds each experiment has, and its figures.

A configuration is what experiments with different seeds share: all parameters, as written (`auto` is a value of its
own), but for the seeds and for what cannot change the figures. Besides `train.seed`, `split.seed` counts as a seed: a
new division of the images repeats the same experiment, and the more sources of chance vary, the better is the mean
known (Bouthillier et al. 2021, arXiv:2103.03098).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from darkroom.tools.experiments import Experiment

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


def seeds_of(chosen: Sequence[Experiment]) -> list[str]:
    """The seeds that vary; train.seed if none does."""
    return [key for key in SEEDS if len({text_of(item.params.get(key)) for item in chosen}) > 1] or [SEEDS[0]]


def latest(runs: pd.DataFrame) -> pd.DataFrame:
    """Of runs with equal configuration and equal seeds the last one; columns as from `rows_of`."""
    return runs.sort_values(["created", "name"]).drop_duplicates(["configuration", "seeds"], keep="last")
