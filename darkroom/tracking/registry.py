"""The trained model as an MLflow model: logged with a run, and entered in the model registry."""

import shutil
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
SERVED = Path(__file__).resolve().with_name("served_model.py")


def log_model() -> str:
    """Log the model with the open run, as code and safetensors: nothing is pickled. Returns its address."""
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
            name="model",
            python_model=str(SERVED),
            artifacts={"facts": str(paths.MODEL.absolute()), "weights": str(paths.WEIGHTS.absolute())},
            code_paths=[str(package) for package in sorted(Path(folder).iterdir())],
            signature=ModelSignature(inputs=Schema([ColSpec(DataType.binary, "image")]), outputs=Schema(columns)),
            input_example=pd.DataFrame({"image": [png(load_images()[0])]}),
            pip_requirements=requirements,
        )
    return str(logged.model_uri)


def register(client: Any, run_id: str, address: str, name: str) -> None:
    """Make the logged model the newest version of the registered model `name`, which is created if it is missing."""
    store.find_or_make(
        lambda: client.search_registered_models(f"name = '{name}'") or None,
        lambda: client.create_registered_model(name),
    )
    made = client.create_model_version(name, address, run_id, model_id=address.rpartition("/")[2])
    client.set_registered_model_alias(name, NEWEST, made.version)
