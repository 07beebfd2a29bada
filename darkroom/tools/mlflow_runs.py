"""Read the runs of MLflow's store as experiments, also those of other machines, which DVC does not have here."""

import json
from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any

from darkroom.base.errors import UserError, without_password
from darkroom.tools.experiments import Experiment, RunRecord
from darkroom.tracking import store
from darkroom.tracking.run_facts import COMMIT, MODEL_TAG

SPLITS = {"best_val_": "val.", "test_": "test."}  # how names of figures begin in MLflow, and here
DERIVED = ("classes", "parameters")  # recorded beside the parameters, and no parameters
PAGE = 1000  # runs that the store is asked for at a time


def read() -> list[Experiment]:
    """All runs that have recorded a training, the latest first. Raises UserError where the store does not answer.

    A name that several runs have becomes the first characters of MLflow's id of each.
    """
    found = [parse(run) for run in trainings()]
    counts = Counter(item.name for item in found)
    return [replace(item, name=item.revision[:7]) if counts[item.name] > 1 else item for item in found]


def trainings() -> list[Any]:
    """All runs of trainings, as MLflow has them, the latest first.

    Raises UserError where the store does not answer, or has none.
    """
    address, file = without_password(store.uri()), store.sqlite_file(store.uri())
    try:
        found = [] if file is not None and not file.is_file() else _runs()
    except Exception as error:  # the kind depends on the server or database
        raise UserError(
            f"MLflow at {address} cannot be read ({store.reason(error)}): `python -m darkroom doctor` says more"
        ) from None
    if not found:
        raise UserError(f"MLflow at {address} has no runs: MLFLOW_TRACKING_URI names the store of other machines")
    return found


def _runs() -> list[Any]:
    store.prepare()
    client, found, token = store.client(), [], None
    places = [item.experiment_id for item in client.search_experiments()]
    while places:
        page = client.search_runs(
            places,
            "tags.split_sha256 LIKE '%'",  # a training; the folds of a cross-validation have none
            max_results=PAGE,
            order_by=["attributes.start_time DESC"],
            page_token=token,
        )
        found += page
        token = page.token
        if not token:
            break
    return found


def parse(run: Any) -> Experiment:
    """One run of MLflow. Its revision is MLflow's id, and its code is told by the commit, for lack of a hash of it."""
    tags, figures = run.data.tags, {}
    for name, value in run.data.metrics.items():
        for begins, split in SPLITS.items():
            if name.startswith(begins):
                figures[f"{split}{name.removeprefix(begins)}"] = value
    # Other figures of the test images have no counterpart on val.
    figures = {name: value for name, value in figures.items() if f"val.{name.partition('.')[2]}" in figures}
    doubt = ""
    if run.info.status != "RUNNING" and MODEL_TAG not in tags:
        doubt = f"MLflow has no model of it, and its status is {run.info.status}"
    elif not figures:
        doubt = "MLflow has no figures of it: the stage report records them"
    return Experiment(
        name=run.info.run_name,
        revision=run.info.run_id,
        state="running" if run.info.status == "RUNNING" else "done",
        created=datetime.fromtimestamp(run.info.start_time / 1000).isoformat(),
        params={key: _value(text) for key, text in run.data.params.items() if key not in DERIVED},
        figures=figures,
        epochs=None,
        log=None,
        record=RunRecord(doubt, tags.get("data_sha256", ""), tags["split_sha256"], tags.get(COMMIT, "")),
    )


def _value(text: str) -> Any:
    """A parameter as it was before MLflow made a text of it."""
    try:
        return json.loads(text)
    except ValueError:
        return text
