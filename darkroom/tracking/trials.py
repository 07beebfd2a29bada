"""The trials of a search in MLflow: runs below one run of the search; and the end of a trial that is not worth more.

A trial is recorded as every training is. What is new: its record asks after each epoch whether the trial goes on. So a
trial is pruned without a parameter, and the stage `train` knows nothing of searches.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from darkroom.base.errors import UserError, without_password
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import Params
from darkroom.tracking import recording, run_facts, store
from darkroom.tracking.recording import Run

TAG = "search"  # on the run that holds all: which search it is
PRUNED_TAG = "pruned"  # on a trial: after which epoch it was ended

GoOn = Callable[[Mapping[str, float]], bool]


class Pruned(UserError):
    """A trial was ended, for its val curve is not worth more epochs. The last checkpoint is kept."""


class Watched:
    """The record of a trial: after each epoch it asks `go_on`, with the epoch's figures; the last one is not pruned.

    Without `go_on` it is one of the best, trained again: its model is kept.
    """

    def __init__(self, record: Run, go_on: GoOn | None, epochs: int) -> None:
        self._record, self._go_on, self._epochs = record, go_on, epochs

    @property
    def run_id(self) -> str | None:
        return self._record.run_id

    def epoch(self, figures: dict[str, float], steps: Sequence[dict[str, float]] = ()) -> None:
        """Record the epoch. Raises Pruned where the trial is not to go on."""
        self._record.epoch(figures, steps)
        if self._go_on is not None and not self._go_on(figures) and figures["epoch"] < self._epochs:
            raise Pruned(f"pruned after epoch {figures['epoch']:.0f}: its val curve is below the median")

    def trained(self, digest: str, register_as: str | None = None) -> None:
        """Record the training; no model of a search is registered, and none of a trial is kept."""
        if self._go_on is None:
            self._record.trained(digest, None)
        else:
            self._record.tried(digest)


@contextmanager
def training(
    params: Params, go_on: GoOn | None, facts: ModelFacts, layers: str, run_id: str | None
) -> Iterator[Watched]:
    """As `recording.training`, for a trial: a run that its killed predecessor left without a checkpoint is removed.

    An equal training that another search, or a person, has begun leaves a checkpoint too, but with a run of its own.
    """
    if store.is_wanted(params):
        with suppress(Exception):  # the record warns of a store that does not answer
            run_id = _own_run(params, run_id)
    record = None
    try:
        with recording.training(params, facts, layers, run_id) as record:
            yield Watched(record, go_on, facts.train.epochs)
    except Pruned as pruned:
        if record is not None and record.run_id is not None:
            with suppress(Exception):
                store.client().set_tag(record.run_id, PRUNED_TAG, str(pruned))
                store.client().set_terminated(record.run_id, "KILLED")
        raise


def _own_run(params: Params, run_id: str | None) -> str | None:
    """`run_id` if that is a run of this trial, else None; other runs of this trial are removed."""
    parent = run_facts.parent().get(run_facts.PARENT)
    if not parent:
        return run_id
    where = f"tags.`{run_facts.PARENT}` = '{parent}' AND attributes.run_name = '{run_facts.name()}'"
    found = [run.info.run_id for run in store.client().search_runs([store.experiment(params)], where)]
    for other in found:
        if other != run_id:
            store.client().delete_run(other)
    return run_id if run_id in found else None


def begin(params: Params, name: str, identity: str, facts: Mapping[str, Any]) -> str | None:
    """The id of the run that holds all trials, which is opened if there is none; None where nothing is recorded."""
    if not store.is_wanted(params):
        return None
    try:
        experiment, client = store.experiment(params), store.client()
        found = client.search_runs([experiment], f"tags.{TAG} = '{identity}'", max_results=1)
        if found:
            client.update_run(found[0].info.run_id, status="RUNNING")
            return str(found[0].info.run_id)
        tags = {TAG: identity, "dataset": params.dataset}
        run = client.create_run(experiment, run_name=name, tags=tags).info.run_id
        for key, text in run_facts.as_text(facts).items():
            client.log_param(run, key, text)
        return str(run)
    except Exception as error:
        _warn(error)
        return None


def end(run_id: str | None, figures: Mapping[str, float], files: Sequence[Path]) -> None:
    """Record what came of the search, and close its run."""
    if run_id is None:
        return
    try:
        client = store.client()
        for name, value in figures.items():
            client.log_metric(run_id, name, value)
        for file in files:
            client.log_artifact(run_id, str(file))
        client.set_terminated(run_id, "FINISHED")
    except Exception as error:
        _warn(error)


def _warn(error: Exception) -> None:
    address = without_password(store.uri())
    print(f"warning: MLflow at {address} does not record the search: {store.reason(error)}", file=sys.stderr)
