"""The figures of epochs and steps in MLflow, under their names there."""

import time
from collections.abc import Sequence
from itertools import chain
from typing import Any

from darkroom.dataset.scores import MONITORED

OF_EPOCHS = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "seconds", "cpu_seconds", *MONITORED)
OF_STEPS = ("step_lr", "step_train_loss")
AT_A_TIME = 1000  # that a server takes in one request


def log(client: Any, run_id: str, figures: dict[str, float], steps: Sequence[dict[str, float]] = ()) -> None:
    """Record the figures of one epoch in one request, then those of its steps in as few as may be."""
    named = {name: figures[name] for name in OF_EPOCHS if name in figures}
    _send(client, run_id, _metrics(named, int(figures["epoch"])))
    of_steps = [_metrics({name: one[name] for name in OF_STEPS}, int(one["step"])) for one in steps]
    _send(client, run_id, list(chain.from_iterable(of_steps)))


def known_epochs(client: Any, run_id: str) -> set[int]:
    """The epochs of which the run has figures."""
    return {metric.step for metric in client.get_metric_history(run_id, OF_EPOCHS[0])}


def _metrics(figures: dict[str, float], step: int) -> list[Any]:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [Metric(name, float(value), now, step) for name, value in figures.items()]


def _send(client: Any, run_id: str, metrics: list[Any]) -> None:
    for first in range(0, len(metrics), AT_A_TIME):
        client.log_batch(run_id, metrics[first : first + AT_A_TIME])
