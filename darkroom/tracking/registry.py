"""The trained model as an MLflow model: logged with a run, and entered in the model registry."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from darkroom.base import paths
from darkroom.config import own_code
from darkroom.config.model_facts import ModelFacts
from darkroom.tracking import store
from darkroom.tracking.needs import ROOT, needs

NEWEST = "newest"  # the alias in the registry; MLflow keeps `latest` to itself
# Of the many figures of a run, those that a version shows; the logged model behind it has all.
SHOWN = (
    "test_accuracy",
    "test_accuracy_low",
    "test_accuracy_high",
    "test_macro_f1",
    "test_log_loss",
    "best_val_accuracy",
)
SERVED = Path(__file__).resolve().with_name("served_model.py")


def log_model(name: str, tags: Mapping[str, str], step: int) -> str:
    """Log the model with the open run, as code and safetensors: nothing is pickled. Returns its address.

    `step` is the epoch whose weights were kept: MLflow gives the model the run's figures of that epoch.
    """
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array

    from darkroom.dataset.packed import load_images
    from darkroom.pictures.decoding import png

    columns = [
        ColSpec(DataType.string, "label"),
        ColSpec(DataType.double, "probability"),
        ColSpec(Array(DataType.double), "probabilities"),
    ]
    own = own_code.files() if ModelFacts.read(paths.MODEL).model.own else []
    files, requirements = needs([SERVED, *(file for file in own if file.suffix == ".py")])
    with TemporaryDirectory() as folder:
        for file in {*files, *own}:
            target = Path(folder) / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        logged = mlflow.pyfunc.log_model(
            name=name,
            tags=dict(tags),
            step=step,
            python_model=str(SERVED),
            # As addresses: MLflow takes a plain path for one, in which `%` and `?` mean something else.
            artifacts={"facts": paths.MODEL.absolute().as_uri(), "weights": paths.WEIGHTS.absolute().as_uri()},
            code_paths=[str(package) for package in sorted(Path(folder).iterdir())],
            signature=ModelSignature(inputs=Schema([ColSpec(DataType.binary, "image")]), outputs=Schema(columns)),
            input_example=pd.DataFrame({"image": [png(load_images()[0])]}),
            pip_requirements=requirements,
        )
    return str(logged.model_uri)


def model_of(client: Any, run: Any) -> str | None:
    """The id of the model that a run logged last and wholly; None if there is none."""
    # MLflow gives the newest first. An attempt that broke off, as where the store failed, is not ready.
    logged = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'")
    return next((str(model.model_id) for model in logged if model.status == "READY"), None)


def register(client: Any, run_id: str, address: str, name: str, tags: Mapping[str, str]) -> None:
    """Make the logged model a version of the registered model `name`, which is created if it is missing.

    The alias `newest` goes to the version with the highest number.
    """
    store.find_or_make(
        lambda: client.search_registered_models(f"name = '{name}'") or None,
        lambda: client.create_registered_model(name),
    )
    model_id = address.rpartition("/")[2]
    client.create_model_version(name, address, run_id, tags=dict(tags), model_id=model_id)
    # Trainings that end together move the alias in any order: each looks again after it has moved it, so that the last
    # to move it has seen every version. Numbers decide, for clocks go back and differ between machines.
    moved, newest = None, _newest(client, name)
    while moved != newest:
        client.set_registered_model_alias(name, NEWEST, newest)
        moved, newest = newest, _newest(client, name)


def _newest(client: Any, name: str) -> int:
    found = client.search_model_versions(f"name = '{name}'", max_results=1, order_by=["version_number DESC"])
    return int(found[0].version)


def describe(client: Any, run_id: str, figures: Mapping[str, float], note: str) -> None:
    """Give the versions that were registered from a run its note as description, its figures and its report as tags."""
    for version in client.search_model_versions(f"run_id = '{run_id}'"):
        client.update_model_version(version.name, version.version, note)
        tags = {key: f"{figures[key]:.6g}" for key in SHOWN if key in figures}
        for key, value in (tags | {"report": f"runs:/{run_id}/{paths.REPORT.name}"}).items():
            if version.tags.get(key) != value:
                client.set_model_version_tag(version.name, version.version, key, value)
