"""The record of runs in MLflow. Whatever goes wrong here is warned of and never costs a trained model.

The store is MLFLOW_TRACKING_URI, else one SQLite file at the root of the repository. `train` opens one run; later
stages find it by the sha256 of the model file, so that no run id ever becomes part of a pipeline output.
"""

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from filelock import FileLock

from darkroom import paths
from darkroom.console import without_password
from darkroom.files import read_json, remove, sha256, write_json
from darkroom.params import Params, flatten

T = TypeVar("T")

MODEL_TAG = "model_sha256"
NEWEST = "newest"  # the alias in the registry; MLflow keeps `latest` to itself
EPOCH_METRICS = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "seconds", "cpu_seconds")
SERVED = (
    "numpy",
    "opencv-python-headless",
    "pandas",
    "pillow",
    "pyarrow",
    "pydantic",
    "pyyaml",
    "safetensors",
    "torch",
)
TRAINED = [paths.TRAIN, paths.HISTORY, paths.MODEL, paths.TRAIN_PICTURES]
MAX_PARAM = 6000  # characters that MLflow keeps of a parameter
ALIVE = (10, 30)  # seconds that a server may take to be connected to, and to say that it is there
MAX_REASON = 300  # characters of a warning


class Run:
    """One MLflow run that takes figures and files; it takes nothing once the store has failed."""

    def __init__(self, run_id: str | None, known_epochs: int = 0) -> None:
        self._run_id, self._known_epochs = run_id, known_epochs

    @property
    def run_id(self) -> str | None:
        """MLflow's name of the run; None once nothing is recorded any more."""
        return self._run_id

    def opened(self, layers: str) -> None:
        """The table of layers."""
        self._do(lambda client, run_id: client.log_text(run_id, layers + "\n", "model.txt"))

    def epoch(self, figures: dict[str, float]) -> None:
        """All figures of one epoch, in one request; an epoch that the run already knows is left out."""
        if figures["epoch"] <= self._known_epochs:
            return
        self._do(lambda client, run_id: _log_epoch(client, run_id, figures))

    def trained(self, digest: str, register_as: str | None = None) -> None:
        """The trained model with its curves, and the tag by which later stages find the run.

        `register_as` is the registered model of which this becomes a new version, with the alias `newest`.
        """

        self._do(lambda client, run_id: _log_trained(client, run_id, digest, register_as))

    def _do(self, action: Callable[[Any, str], None]) -> None:
        if self._run_id is None:
            return
        try:
            action(_client(), self._run_id)
        except Exception as error:
            self._run_id = None  # no more time is lost on a store that does not answer
            _warn(error)


@contextmanager
def training(params: Params, facts: dict[str, Any], layers: str, run_id: str | None = None) -> Iterator[Run]:
    """Open the run of a training and close it at the end, as failed where the training failed.

    `run_id` is the run that a killed training had opened; it goes on, if the store still has it.
    """
    record = Run(None)
    if params.tracking.enabled:
        try:
            record = Run(*_start(params, facts, run_id))
        except Exception as error:
            _warn(error)
        record.opened(layers)
    status = "FAILED"
    try:
        yield record
        # A record that broke off is not to be taken for a whole one.
        status = "FINISHED" if record.run_id is not None else "FAILED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        if params.tracking.enabled:
            try:
                import mlflow

                if mlflow.active_run() is not None:
                    mlflow.end_run(status)
            except Exception as error:
                _warn(error)


def evaluated(params: Params, figures: dict[str, float], files: list[Path]) -> None:
    """Add the results of a stage after `train` to the run that made the present model.

    What the store did not take from earlier stages comes with them: their results, kept aside meanwhile, and, from the
    files of the pipeline, the training, of which it has a part, or nothing, as on another machine.
    """
    if not params.tracking.enabled:
        return
    digest = sha256(paths.WEIGHTS)
    kept = paths.root() / ".unrecorded" / f"{digest}.json"
    results = (read_json(kept) if kept.is_file() else {}) | {"|".join(map(str, files)): figures}
    try:
        run_id = _find(params, digest) or _complete(params, digest)
        for names, numbers in results.items():
            known = _client().get_run(run_id).data.metrics
            _log_metrics(_client(), run_id, {key: numbers[key] for key in numbers if known.get(key) != numbers[key]})
            _log_files(_client(), run_id, [path for path in map(Path, names.split("|")) if path.exists()])
    except Exception as error:
        _warn(error)
        with suppress(OSError):
            write_json(kept, results)
        return
    remove(kept)


def uri() -> str:
    """The address of the store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or _local_uri()


def _local_uri() -> str:
    return f"sqlite:///{paths.root() / 'mlflow.db'}"


def prepare() -> str:
    """Create the store if there is none, one process at a time, and return its address.

    Several processes that open a fresh SQLite store together would break it for good, and so would one that is killed.
    """
    # A server that is down must cost seconds, not the minutes of MLflow's own retries; a busy one is waited for.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    # What fails is told by `_warn`, in one line; they would add pages.
    for name in ("mlflow", "alembic", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    mlflow.set_tracking_uri(uri())
    _reach(uri())
    with _store_lock():
        local = paths.root() / "mlflow.db"
        if uri() == _local_uri() and not local.exists():
            # In a folder of its own, for SQLite puts a journal beside the file.
            making = local.with_name(".mlflow.db.partial")
            remove(making)
            making.mkdir()
            mlflow.MlflowClient(f"sqlite:///{making / local.name}").search_experiments(max_results=1)
            (making / local.name).replace(local)
            remove(making)
        mlflow.MlflowClient().search_experiments(max_results=1)
    return uri()


def _reach(address: str) -> None:
    """Raise an error if the address is a server's that cannot be connected to in time, or does not answer."""
    import requests

    if not address.startswith(("http://", "https://")):
        return
    try:
        requests.get(f"{address.rstrip('/')}/health", timeout=ALIVE)
    except requests.Timeout:
        raise TimeoutError(f"no answer in {ALIVE[0]} seconds to a connection, or in {ALIVE[1]} to a request") from None
    except requests.RequestException:
        pass  # MLflow will try again, and say what is wrong


def _store_lock() -> FileLock:
    """One process at a time creates what the store lacks."""
    return FileLock(paths.root() / "mlflow.db.lock")


@cache
def _client() -> Any:
    import mlflow

    return mlflow.MlflowClient(uri())


def _experiment(params: Params) -> str:
    """The id of the MLflow experiment, made when it is missing."""
    prepare()
    client, name = _client(), params.tracking.experiment or params.dataset

    def find() -> str | None:
        found = client.get_experiment_by_name(name)
        return found and str(found.experiment_id)

    def make() -> str:
        # Left to itself MLflow would put the files into the folder in which it runs, which may be temporary.
        beside = f"{(paths.root() / 'mlartifacts').as_uri()}/{name}" if uri() == _local_uri() else None
        return str(client.create_experiment(name, artifact_location=beside))

    return _find_or_make(find, make)


def _find_or_make(find: Callable[[], T | None], make: Callable[[], T]) -> T:
    """What the store has, else what is made now, by this machine or by another that was faster."""
    with _store_lock():
        found = find()
        if found is None:
            try:
                return make()
            except Exception:
                # The lock holds back this repository's processes, not those that share a server with it.
                found = find()
                if found is None:
                    raise
        return found


def _start(params: Params, facts: dict[str, Any], run_id: str | None) -> tuple[str, int]:
    """Open a run with its parameters and tags, or go on with this one; give its id and the epochs that it knows."""
    experiment = _experiment(params)
    import mlflow

    mlflow.set_system_metrics_sampling_interval(2)
    mlflow.set_system_metrics_samples_before_logging(1)
    if run_id is not None and _client().search_runs([experiment], f"attributes.run_id = '{run_id}'"):
        mlflow.start_run(run_id, log_system_metrics=True)
        known = _client().get_metric_history(run_id, EPOCH_METRICS[0])
        return run_id, max((metric.step for metric in known), default=0)
    run = mlflow.start_run(experiment_id=experiment, run_name=_name(), tags=_tags(params), log_system_metrics=True)
    _log_params(run.info.run_id, params, facts)
    return str(run.info.run_id), 0


def _find(params: Params, digest: str) -> str | None:
    """The run that made this model; the latest under this name, else the latest."""
    found = _client().search_runs(
        [_experiment(params)], f"tags.{MODEL_TAG} = '{digest}'", order_by=["attributes.start_time DESC"]
    )
    named = [run for run in found if run.info.run_name == _name()]
    if not found:
        return None
    info = (named or found)[0].info
    if info.status == "RUNNING":  # the store failed before it could be closed
        _client().set_terminated(info.run_id, "FINISHED")
    return str(info.run_id)


def _complete(params: Params, digest: str) -> str:
    """A run as the training would have left it, from the files of the pipeline: the one that was cut off, else anew."""
    import mlflow

    client, experiment, facts = _client(), _experiment(params), read_json(paths.MODEL)
    cut_off = _cut_off(params, facts, experiment, pd.read_csv(paths.HISTORY)["val_loss"].tolist())
    tags = _tags(params) | {"rebuilt": "true"}
    run_id = cut_off or str(client.create_run(experiment, run_name=_name(), tags=tags).info.run_id)
    with mlflow.start_run(run_id, log_system_metrics=False):  # ends as failed where this fails
        if cut_off is None:
            _log_params(run_id, params, facts)
        _log_trained(client, run_id, digest, params.tracking.register_as)
    return run_id


def _cut_off(params: Params, facts: dict[str, Any], experiment: str, losses: list[float]) -> str | None:
    """The latest run of this training that ends before the model, if there is one."""
    client, tags, values = _client(), _tags(params), _params(params, facts)
    same_data = " and ".join(f"tags.{name} = '{tags[name]}'" for name in ("data_sha256", "split_sha256"))
    for run in client.search_runs([experiment], same_data, order_by=["attributes.start_time DESC"]):
        same = run.info.run_name == _name() and values.items() <= run.data.params.items()
        if MODEL_TAG in run.data.tags or not same:
            continue
        known = {metric.step: metric.value for metric in client.get_metric_history(run.info.run_id, "val_loss")}
        first = [known[step] for step in sorted(known)]
        if sorted(known) == list(range(1, len(known) + 1)) and np.allclose(first, losses[: len(first)], atol=1e-5):
            return str(run.info.run_id)
    return None


def _log_params(run_id: str, params: Params, facts: dict[str, Any]) -> None:
    from mlflow.entities import Param

    _client().log_batch(run_id, params=[Param(key, value) for key, value in _params(params, facts).items()])


def _params(params: Params, facts: dict[str, Any]) -> dict[str, str]:
    values = flatten(params) | {f"train.{name}": facts["train"][name] for name in ("device", "threads", "precision")}
    values |= {"classes": len(facts["classes"]), "parameters": facts["parameters"]}
    return {key: _text(value) for key, value in values.items()}


def _text(value: Any) -> str:
    return (value if isinstance(value, str) else json.dumps(value))[:MAX_PARAM]


def _name() -> str:
    """DVC's name of the experiment, else the git commit."""
    return os.environ.get("DVC_EXP_NAME") or (_commit() or "run")[:7]


def _tags(params: Params) -> dict[str, str]:
    tags = {"dataset": params.dataset, "data_sha256": sha256(paths.INDEX), "split_sha256": sha256(paths.SPLIT)}
    commit = _commit()
    return tags | ({"mlflow.source.git.commit": commit} if commit else {})


def _commit() -> str:
    answer = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else ""


def _log_epoch(client: Any, run_id: str, figures: dict[str, float]) -> None:
    named = {name: figures[name] for name in EPOCH_METRICS if name in figures}
    _log_metrics(client, run_id, named, step=int(figures["epoch"]))


def _log_metrics(client: Any, run_id: str, figures: dict[str, float], step: int = 0) -> None:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    client.log_batch(run_id, [Metric(name, float(value), now, step) for name, value in figures.items()])


def _log_trained(client: Any, run_id: str, digest: str, register_as: str | None) -> None:
    """Files and model of a training, and the epochs that the run lacks, as one that went on after a kill may; last the
    tag, by which the run counts as whole."""
    known = {metric.step for metric in client.get_metric_history(run_id, EPOCH_METRICS[0])}
    for figures in pd.read_csv(paths.HISTORY).to_dict("records"):
        if int(figures["epoch"]) not in known:
            _log_epoch(client, run_id, {str(name): value for name, value in figures.items()})
    _log_files(client, run_id, TRAINED)
    address = _log_model(run_id)
    if register_as is not None:
        _register(client, run_id, address, register_as)
    client.set_tag(run_id, MODEL_TAG, digest)


def _log_files(client: Any, run_id: str, files: list[Path]) -> None:
    """Files at the root of the run's artifacts, folders of pictures under their own name."""
    for path in files:
        if path.is_dir():
            client.log_artifacts(run_id, str(path), path.name)
        else:
            client.log_artifact(run_id, str(path))


def _log_model(run_id: str) -> str:
    """The model in MLflow's own form, from code and safetensors: nothing is pickled. Gives its address."""
    import cv2
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array

    from darkroom.dataset import load_images

    picture = cv2.imencode(".png", load_images()[0])[1].tobytes()
    package = Path(__file__).parent
    logged = mlflow.pyfunc.log_model(
        name="model",
        python_model=str(package / "serving.py"),
        artifacts={"facts": str(paths.MODEL.absolute()), "weights": str(paths.WEIGHTS.absolute())},
        code_paths=[str(package)],
        signature=ModelSignature(
            inputs=Schema([ColSpec(DataType.binary, "image")]),
            outputs=Schema(
                [
                    ColSpec(DataType.string, "label"),
                    ColSpec(DataType.double, "probability"),
                    ColSpec(Array(DataType.double), "probabilities"),
                ]
            ),
        ),
        input_example=pd.DataFrame({"image": [picture]}),
        pip_requirements=[f"{name}=={version(name)}" for name in SERVED],
    )
    return str(logged.model_uri)


def _register(client: Any, run_id: str, address: str, name: str) -> None:
    """Make the logged model the newest version of the registered model `name`, which is made when it is missing."""
    _find_or_make(
        lambda: client.search_registered_models(f"name = '{name}'") or None,
        lambda: client.create_registered_model(name),
    )
    made = client.create_model_version(name, address, run_id, model_id=address.rpartition("/")[2])
    client.set_registered_model_alias(name, NEWEST, made.version)


def _warn(error: Exception) -> None:
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("(raised as a result of")]
    reason = without_password(lines[0].strip() if lines else type(error).__name__)
    if len(reason) > MAX_REASON:  # what went wrong stands at the end, after an address that may be long
        reason = f"{reason[: MAX_REASON // 2]} ... {reason[-MAX_REASON // 2 :]}"
    store = without_password(uri())
    print(
        f"warning: MLflow at {store} does not record this run, until a later stage reaches it: {reason}",
        file=sys.stderr,
    )
