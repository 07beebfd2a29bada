"""Record runs in MLflow. Any failure here is only warned of: it never costs a trained model.

The stage `train` opens a run. Later stages find it by the sha256 of the model file, so that no output of the pipeline
holds a run id.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from darkroom.base import paths
from darkroom.base.errors import without_password
from darkroom.base.files import read_json, remove, sha256, write_json
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import Params
from darkroom.config.stage_files import TrainingFigures
from darkroom.config.stage_tables import HISTORY
from darkroom.tracking import at_work, data_inputs, epoch_metrics, note, provenance, registry, results, run_facts, store
from darkroom.tracking.run_facts import MODEL_TAG

TRAINED = [paths.TRAIN, paths.HISTORY, paths.MODEL]


class Run:
    """One MLflow run, which takes figures and files. After the first failure of the store it takes nothing more."""

    def __init__(self, run_id: str | None, known_epochs: int = 0) -> None:
        self._run_id, self._known_epochs = run_id, known_epochs

    @property
    def run_id(self) -> str | None:
        """MLflow's id of the run; None if nothing is recorded, or nothing any more."""
        return self._run_id

    def opened(self, layers: str) -> None:
        """Record the table of layers."""
        self._do(lambda client, run_id: client.log_text(run_id, layers + "\n", "model.txt"))

    def epoch(self, figures: dict[str, float], steps: Sequence[dict[str, float]] = ()) -> None:
        """Record all figures of one epoch and of its steps, unless the run already has that epoch."""
        if figures["epoch"] <= self._known_epochs:
            return
        self._do(lambda client, run_id: epoch_metrics.log(client, run_id, figures, steps))

    def trained(self, digest: str, register_as: str | None = None) -> None:
        """Record the trained model with its history, and the tag by which later stages find the run.

        With `register_as`, the model becomes a new version of that registered model, with the alias `newest`.
        """
        self._do(lambda client, run_id: _log_trained(client, run_id, digest, register_as))

    def tried(self, digest: str) -> None:
        """As `trained`, for a trial of a search: its weights are DVC's alone, for most of them nobody will use."""
        self._do(lambda client, run_id: _log_history(client, run_id))
        self._do(lambda client, run_id: client.set_tag(run_id, MODEL_TAG, digest))

    def _do(self, action: Callable[[Any, str], None]) -> None:
        if self._run_id is None:
            return
        try:
            action(store.client(), self._run_id)
        except Exception as error:
            self._run_id = None  # the training must not wait again for a store that does not answer
            _warn(error)


@contextmanager
def training(params: Params, facts: ModelFacts, layers: str, run_id: str | None = None) -> Iterator[Run]:
    """Open the run of a training, and close it at the end; after an error its status is failed.

    `run_id` is the run that a killed training had opened; it is continued, if the store still has it.
    """
    record, mark = Run(None), None
    if store.is_wanted(params):
        try:
            record = Run(*_start(params, facts, run_id))
            mark = at_work.begin(str(record.run_id))
        except Exception as error:
            _warn(error)
        record.opened(layers)
    status = "FAILED"
    try:
        yield record
        # An incomplete record must not look complete.
        status = "FINISHED" if record.run_id is not None else "FAILED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        if store.is_wanted(params):
            try:
                import mlflow

                if mlflow.active_run() is not None:
                    mlflow.end_run(status)
                at_work.end(mark)
            except Exception as error:
                _warn(error)


def add_results(params: Params, figures: dict[str, float], files: list[Path]) -> None:
    """Add results of the stages after `train` to the run that made the present model.

    What the store lacks is recorded too. Results that it did not take earlier wait in `.unrecorded`. A training that it
    lacks, wholly (as on another machine) or partly, is read from the files of the pipeline.
    """
    if not store.is_wanted(params):
        return
    digest = sha256(paths.WEIGHTS)
    kept = paths.root() / ".unrecorded" / f"{digest}.json"
    waiting = (read_json(kept) if kept.is_file() else {}) | {"|".join(map(str, files)): figures}
    try:
        run_id = _find(params, digest) or _complete(params, digest)
        for names, numbers in waiting.items():
            results.log_figures(store.client(), run_id, numbers)
            _log_files(store.client(), run_id, [path for path in map(Path, names.split("|")) if path.exists()])
        _log_end(run_id, params)
    except Exception as error:
        _warn(error)
        with suppress(OSError):
            write_json(kept, waiting)
        return
    remove(kept)


def _start(params: Params, facts: ModelFacts, run_id: str | None) -> tuple[str, int]:
    """Open a run with its parameters and tags, or continue `run_id`; return its id and the last epoch that it has."""
    experiment = store.experiment(params)
    import mlflow

    mlflow.set_system_metrics_sampling_interval(2)
    mlflow.set_system_metrics_samples_before_logging(1)
    if run_id is not None and store.client().search_runs([experiment], f"attributes.run_id = '{run_id}'"):
        mlflow.start_run(run_id, log_system_metrics=True)
        return run_id, max(epoch_metrics.known_epochs(store.client(), run_id), default=0)
    name, tags = run_facts.name(), run_facts.tags(params)
    run = mlflow.start_run(experiment_id=experiment, run_name=name, tags=tags, log_system_metrics=True)
    _log_beginning(run.info.run_id, params, facts)
    return str(run.info.run_id), 0


def _find(params: Params, digest: str) -> str | None:
    """The run of this model with these parameters: the latest with this name, else the latest; None if there is none.

    Experiments that evaluate the same model differently, as with `evaluate.tta`, each have a run of their own.
    """
    values = run_facts.decisive(run_facts.as_text(run_facts.parameters(params, ModelFacts.read(paths.MODEL))))
    found = [run for run in _runs_of(params, digest) if run_facts.decisive(run.data.params) == values]
    named = [run for run in found if run.info.run_name == run_facts.name()]
    if not found:
        return None
    info = (named or found)[0].info
    if info.status == "RUNNING":  # the store failed before the run was closed
        store.client().set_terminated(info.run_id, "FINISHED")
    return str(info.run_id)


def _runs_of(params: Params, digest: str) -> list[Any]:
    """All runs that have recorded this model, the latest first."""
    found: list[Any] = store.client().search_runs(
        [store.experiment(params)], f"tags.{MODEL_TAG} = '{digest}'", order_by=["attributes.start_time DESC"]
    )
    return found


def _complete(params: Params, digest: str) -> str:
    """Record the training from the pipeline's files, in the run that was cut off or in a new one; return its id."""
    import mlflow

    client, experiment, facts = store.client(), store.experiment(params), ModelFacts.read(paths.MODEL)
    cut_off = _cut_off(params, facts, experiment, HISTORY.read("val_loss")["val_loss"].tolist())
    tags = run_facts.tags(params) | {"rebuilt": "true"}
    run_id = cut_off or str(client.create_run(experiment, run_name=run_facts.name(), tags=tags).info.run_id)
    with mlflow.start_run(run_id, log_system_metrics=False):  # an error in this block marks the run as failed
        if cut_off is None:
            _log_beginning(run_id, params, facts)
        # If another run has this model, that run registered it.
        register_as = None if _runs_of(params, digest) else params.tracking.register_as
        _log_trained(client, run_id, digest, register_as)
    return run_id


def _cut_off(params: Params, facts: ModelFacts, experiment: str, losses: list[float]) -> str | None:
    """The latest run of this training that broke off before the model was recorded; None if there is none.

    `losses` are the validation losses of the whole training: the run must begin with the same ones.
    """
    client, tags = store.client(), run_facts.tags(params)
    values = run_facts.as_text(run_facts.parameters(params, facts))
    same_data = " and ".join(f"tags.{name} = '{tags[name]}'" for name in ("data_sha256", "split_sha256"))
    for run in client.search_runs([experiment], same_data, order_by=["attributes.start_time DESC"]):
        same = run.info.run_name == run_facts.name() and values.items() <= run.data.params.items()
        if MODEL_TAG in run.data.tags or not same:
            continue
        known = {metric.step: metric.value for metric in client.get_metric_history(run.info.run_id, "val_loss")}
        first = [known[step] for step in sorted(known)]
        if sorted(known) == list(range(1, len(known) + 1)) and np.allclose(first, losses[: len(first)], atol=1e-5):
            return str(run.info.run_id)
    return None


def _log_beginning(run_id: str, params: Params, facts: ModelFacts) -> None:
    """Record what is known before the first epoch: parameters, data, what it takes to make the run again, and a note.

    The parameters are indispensable, for later stages find the run by them.
    """
    from mlflow.entities import Param

    client, values = store.client(), run_facts.parameters(params, facts)
    client.log_batch(run_id, params=[Param(key, value) for key, value in run_facts.as_text(values).items()])
    try:
        splits = data_inputs.inputs(params)
        client.log_inputs(run_id, splits)
        client.set_tag(run_id, note.TAG, note.begun(facts, data_inputs.sizes(splits)))
        with TemporaryDirectory() as folder:
            provenance.write_machine(Path(folder), facts)
            provenance.write_state(Path(folder), values)
            client.log_artifacts(run_id, folder, provenance.FOLDER)
    except Exception as error:
        _warn(error, "where this run comes from")


def _log_end(run_id: str, params: Params) -> None:
    """Record what came of it: note, registered versions, pictures; and the repository as it is at the end."""
    client = store.client()
    run = client.get_run(run_id)
    figures, present = run.data.metrics, note.of(run)
    text = note.evaluated(present, figures)
    if text != present:
        client.set_tag(run_id, note.TAG, text)
    registry.describe(client, run_id, figures, text)
    results.log_pictures(client, run)
    results.log_costs(client, run)
    with TemporaryDirectory() as folder:
        provenance.write_state(Path(folder), run_facts.parameters(params, ModelFacts.read(paths.MODEL)))
        # Without DVC's lock someone runs single stages, and the state may be of another model.
        if (Path(folder) / provenance.LOCK.name).is_file():
            client.log_artifacts(run_id, folder, provenance.FOLDER)


def _log_trained(client: Any, run_id: str, digest: str, register_as: str | None) -> None:
    """Record history, files and model of the training. The tag comes last: it marks the run as complete."""
    _log_history(client, run_id)
    facts = ModelFacts.read(paths.MODEL)
    tags = run_facts.data_tags(facts.dataset) | {MODEL_TAG: digest}
    address = registry.log_model(facts.dataset, tags, TrainingFigures.read(paths.TRAIN).best_epoch)
    if register_as is not None:
        registry.register(client, run_id, address, register_as, tags)
    client.set_tag(run_id, MODEL_TAG, digest)


def _log_history(client: Any, run_id: str) -> None:
    """Record the epochs that the run lacks, as a continued run may, then the files of the training."""
    known = epoch_metrics.known_epochs(client, run_id)
    for figures in HISTORY.read().to_dict("records"):
        if int(figures["epoch"]) not in known:
            epoch_metrics.log(client, run_id, {str(name): value for name, value in figures.items()})
    _log_files(client, run_id, TRAINED)


def _log_files(client: Any, run_id: str, files: list[Path]) -> None:
    """Record files at the root of the run's artifacts, and folders of pictures under their own name."""
    for path in files:
        if path.is_dir():
            client.log_artifacts(run_id, str(path), path.name)
        else:
            client.log_artifact(run_id, str(path))


def _warn(error: Exception, what: str = "this run, until a later stage reaches it") -> None:
    address = without_password(store.uri())
    print(f"warning: MLflow at {address} does not record {what}: {store.reason(error)}", file=sys.stderr)
