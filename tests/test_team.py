"""Many experiments at once, from workers of one clone and from several clones: none is lost, and each is whole."""

import os
import secrets
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import mlflow
import pytest

from tests import make
from tests.repository import make_repository, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """One that has run up to `train`."""
    folder = make_repository(tmp_path_factory.mktemp("team"))
    run(folder, "dvc", "repro", "baseline")
    commit(folder)
    return folder


@pytest.fixture
def server():
    """A server of your own: DARKROOM_TEST_MLFLOW=http://user:password@host:port (docs/team.md)."""
    address = os.environ.get("DARKROOM_TEST_MLFLOW")
    if not address:
        pytest.skip("DARKROOM_TEST_MLFLOW names no server")
    return address


def commit(repository):
    run(repository, "git", "add", "-A")
    run(repository, "git", "commit", "-qm", "state")


def of_its_own(repository):
    """Name an MLflow experiment that does not exist yet."""
    name = f"team-{secrets.token_hex(4)}"
    make.edit(repository / "params.yaml", {"tracking.experiment": name})
    commit(repository)
    return name


def queue(repository, count, workers, **environment):
    """Queue so many experiments with one seed each, run them with so many workers, and give their names."""
    run(repository, "dvc", "exp", "run", "--queue", "-n", "queued", "-S", f"train.seed=range({count})", "evaluate")
    run(repository, "dvc", "queue", "start", "-j", str(workers), **environment)
    while "Running" in (status := run(repository, "dvc", "queue", "status")) or "Queued" in status:
        time.sleep(2)
    assert "Failed" not in status, status
    return {f"queued-{number + 1}" for number in range(count)}


def lost(store, experiment, names):
    """What is missing of the record of these runs."""
    client = mlflow.MlflowClient(store)
    found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    by_name = {item.info.run_name: item for item in found}
    assert len(by_name) == len(found), "a name was recorded twice"
    models = {model.source_run_id: model for model in client.search_logged_models([found[0].info.experiment_id])}
    missing = [f"{name}: the run" for name in names - set(by_name)]
    for name in names & set(by_name):
        item = by_name[name]
        run_id = item.info.run_id
        steps = [metric.step for metric in client.get_metric_history(run_id, "val_loss")]
        files = {file.path for file in client.list_artifacts(run_id)}
        model = models.get(run_id)
        parts = {
            "its end": item.info.status == "FINISHED",
            "parameters": {"train.seed", "train.epochs", "model.layers", "parameters"} <= set(item.data.params),
            "epochs": sorted(steps) == [1, 2],
            "test figures": "test_accuracy" in item.data.metrics,
            "files": {"train", "evaluate", "model.json", "history.csv", "slices.csv"} <= files,
            "the model": model
            and "MLmodel" in {file.path for file in client.list_logged_model_artifacts(model.model_id)},
        }
        missing += [f"{name}: {part}" for part, there in parts.items() if not there]
    return missing


def test_four_workers_on_sqlite_lose_nothing(repository):
    experiment = of_its_own(repository)
    names = queue(repository, 12, 4)
    assert lost(f"sqlite:///{repository / 'mlflow.db'}", experiment, names) == []


def test_eight_workers_on_a_server_lose_nothing(repository, server):
    experiment = of_its_own(repository)
    names = queue(repository, 40, 8, MLFLOW_TRACKING_URI=server)
    assert lost(server, experiment, names) == []


def test_eight_clones_on_a_server_lose_nothing(repository, server, tmp_path):
    experiment = of_its_own(repository)

    def work(clone):
        folder = shutil.copytree(repository, tmp_path / clone)
        names = {f"{clone}-{seed}" for seed in range(5)}
        for name in sorted(names):
            change = f"train.seed={name.replace('-', '')}"
            run(folder, "dvc", "exp", "run", "-n", name, "-S", change, "evaluate", MLFLOW_TRACKING_URI=server)
        return names

    with ThreadPoolExecutor(8) as pool:
        names = set().union(*pool.map(work, map(str, range(1, 9))))
    assert len(names) == 40
    assert lost(server, experiment, names) == []
