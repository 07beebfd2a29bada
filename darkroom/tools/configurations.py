"""Turn experiments into rows of a table: configuration, seeds, and figures.

A configuration consists of all parameters as used (`auto` is the value that it means), except the seeds and those that
cannot change the figures. `split.seed` counts as a seed like `train.seed`: a new division of the images repeats the
same experiment. The more sources of chance vary, the better the mean is known (Bouthillier et al. 2021,
arXiv:2103.03098). Runs on other images have a table of their own, and runs of other divisions are not paired.
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
    "fetch.",
    "errors.",
    "inside.",
    "tracking.",
    "extract.threads",
    "train.threads",  # it changes last bits: two such runs repeat each other more than two seeds do
    "train.keep_epochs",
    "train.memory_share",
    "evaluate.batch_size",
)
SPLITS = ("val", "test")
SHORT = 7  # characters that are shown of a hash


def rows_of(chosen: Sequence[Experiment], figure: str, seconds: Mapping[str, float]) -> pd.DataFrame:
    """One row for each experiment, in the given order; `seconds` holds training times by name.

    Columns: name, dataset, data, table, code, state, doubt, configuration, seeds, created, val, test, seconds, epochs,
    log. Unknown figures and times are NaN, unknown hashes (data, code) empty. `table` is the heading under which a run
    that is done is compared. Where one seed has several divisions, `seeds` names the division too.
    """
    tables, seeds = _tables(chosen), _seeds(chosen)
    keys = {table: varying(_beside(table, chosen, tables)) for table in dict.fromkeys(tables)}
    rows = [
        {
            "name": item.name,
            "dataset": _dataset(item),
            "data": item.record.data,
            "table": table,
            "code": item.record.code[:SHORT],
            "state": item.state,
            "doubt": item.record.doubt,
            "configuration": describe(item.params, keys[table]),
            "seeds": own_seeds,
            "created": item.created,
            **{split: item.figures.get(f"{split}.{figure}") for split in SPLITS},
            "seconds": seconds.get(item.name),
            "epochs": item.epochs,
            "log": item.log,
        }
        for item, table, own_seeds in zip(chosen, tables, seeds, strict=True)
    ]
    return pd.DataFrame(rows).astype(dict.fromkeys((*SPLITS, "seconds", "epochs"), float))


def _beside(table: str, chosen: Sequence[Experiment], tables: Sequence[str]) -> list[Mapping[str, Any]]:
    """The parameters of the runs beside which those of a table are described: in their own, else in all of the set."""
    own = [item for item, title in zip(chosen, tables, strict=True) if title == table]
    return [item.params for item in (own if own[0].counts else chosen) if _dataset(item) == _dataset(own[0])]


def _dataset(item: Experiment) -> str:
    return text_of(item.params.get("dataset", "-"))


def _tables(chosen: Sequence[Experiment]) -> list[str]:
    """The heading of each run's table: its data set, and what keeps it from being compared with others of it.

    Runs that do not count have headings of their own, under which nothing is shown.
    """
    images: dict[str, set[str]] = {}
    for item in chosen:
        if item.counts:
            images.setdefault(_dataset(item), set()).add(item.record.data)
    titles = []
    for item in chosen:
        if not item.counts:
            titles.append(f"{_dataset(item)}, not counted")
            continue
        several = len(images[_dataset(item)]) > 1
        which = f" (images {item.record.data[:SHORT] or 'unknown'})" if several else ""
        titles.append(f"{_dataset(item)}{which}{', parameters as written' if item.record.as_written else ''}")
    return titles


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


def _seeds(chosen: Sequence[Experiment]) -> list[str]:
    """The seeds of each run as text, and its division where another one has the same data and seed of the split."""
    of_counted, of_all = seeds_of([item for item in chosen if item.counts]), seeds_of(chosen)
    divisions = dict[tuple[str, str], set[str]]()
    places = [(item.record.data, text_of(item.params.get("split.seed"))) for item in chosen]
    for item, place in zip(chosen, places, strict=True):
        divisions.setdefault(place, set()).update({item.record.division} - {""} if item.counts else ())
    return [
        "/".join(text_of(item.params.get(key, "-")) for key in (of_counted if item.counts else of_all))
        + (f"@{item.record.division[:SHORT]}" if len(divisions[place]) > 1 else "")
        for item, place in zip(chosen, places, strict=True)
    ]


def seeds_of(chosen: Sequence[Experiment]) -> list[str]:
    """The names of the seeds that vary; train.seed if none does."""
    return [key for key in SEEDS if len({text_of(item.params.get(key)) for item in chosen}) > 1] or [SEEDS[0]]


def latest(runs: pd.DataFrame) -> pd.DataFrame:
    """The last of the runs with equal configuration and equal seeds; columns as from `rows_of`."""
    return runs.sort_values(["created", "name"]).drop_duplicates(["configuration", "seeds"], keep="last")
