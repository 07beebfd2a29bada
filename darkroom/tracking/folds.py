"""Records a cross-validation in MLflow: one run with its figures, and a run nested in it for each fold.

It is recorded when all folds are finished. A failure here is only warned of.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darkroom.base import git, paths
from darkroom.base.errors import without_password
from darkroom.base.files import sha256
from darkroom.config.params import Params
from darkroom.config.yaml_files import flatten
from darkroom.tracking import run_facts, store

TAG = "folds_result"  # set last, on the run that holds all

Figures = Mapping[str, float]


@dataclass(frozen=True)
class FoldRun:
    """What is recorded of one fold: its figures, settings of its training, and the figures of each epoch."""

    figures: Figures
    settings: Mapping[str, Any]
    epochs: Sequence[Figures]


def record(params: Params, name: str, figures: Figures, folds: Sequence[FoldRun], files: Sequence[Path]) -> None:
    """Record the result `name` with its folds, unless the store has it."""
    if not store.is_wanted(params):
        return
    try:
        experiment = store.experiment(params)
        if not store.client().search_runs([experiment], f"tags.{TAG} = '{name}'"):
            _record(params, experiment, name, figures, folds, files)
    except Exception as error:
        print(
            f"warning: MLflow at {without_password(store.uri())} does not record the folds, until the same command is "
            f"given again: {store.reason(error)}",
            file=sys.stderr,
        )


def _record(
    params: Params, experiment: str, name: str, figures: Figures, folds: Sequence[FoldRun], files: Sequence[Path]
) -> None:
    client = store.client()
    tags = {"dataset": params.dataset, "data_sha256": sha256(paths.INDEX)}
    tags |= {run_facts.COMMIT: commit} if (commit := git.commit()) else {}
    title = os.environ.get("DVC_EXP_NAME") or name
    parent = client.create_run(experiment, run_name=title, tags=tags).info.run_id
    _log(client, parent, {"folds": len(folds), **flatten(params)}, [figures])
    for number, fold in enumerate(folds, start=1):
        run = client.create_run(
            experiment, run_name=f"fold {number}", tags=tags | {run_facts.PARENT: parent}
        ).info.run_id
        _log(client, run, {"fold": number, **fold.settings}, [fold.figures])
        _log(client, run, {}, fold.epochs)
        client.set_terminated(run, "FINISHED")
    for file in files:
        client.log_artifact(parent, str(file))
    client.set_tag(parent, TAG, name)
    client.set_terminated(parent, "FINISHED")


def _log(client: Any, run: str, settings: Mapping[str, Any], steps: Sequence[Figures]) -> None:
    """Record settings, and figures: those of an epoch under its number."""
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    client.log_batch(run, params=[Param(key, text) for key, text in run_facts.as_text(settings).items()])
    for figures in steps:
        step = int(figures.get("epoch", 0))
        client.log_batch(
            run, metrics=[Metric(key, float(value), now, step) for key, value in figures.items() if key != "epoch"]
        )
