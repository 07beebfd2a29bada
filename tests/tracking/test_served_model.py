"""The model as MLflow logs, registers and serves it."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from darkroom.base import paths
from darkroom.base.files import sha256
from darkroom.config.stage_tables import HISTORY
from darkroom.tracking import results, store
from darkroom.tracking.recording import Run
from tests import make, models
from tests.tools.test_export import NAMES, save_model, stored

ROOT = Path(__file__).resolve().parents[2]
SHAPE = (8, 10, 3)


@pytest.fixture
def trained(real_store, tmp_path, monkeypatch):
    """A folder as `train` leaves it, with a store of its own; gives the id of an open run."""
    monkeypatch.chdir(tmp_path)
    save_model(tmp_path / "models", {}, SHAPE)
    make.packed(stored(SHAPE, 4), [0, 1, 2, 3], ["train"] * 4, NAMES)
    HISTORY.write(pd.DataFrame([[1, *[0.5] * 5]], columns=HISTORY.columns))
    models.training_figures().write(paths.TRAIN)
    store.prepare()
    experiment = mlflow.create_experiment("tiny", artifact_location=(tmp_path / "artifacts").as_uri())
    with mlflow.start_run(experiment_id=experiment) as run:
        yield run.info.run_id


def test_the_newest_version_of_a_registered_model_is_the_one_trained_last(trained, capsys):
    for _ in range(2):
        Run(trained).trained("digest", "my digits")
    client = mlflow.MlflowClient()
    assert [version.version for version in client.search_model_versions("name = 'my digits'")] == [2, 1]
    newest = client.get_model_version_by_alias("my digits", "newest")
    assert (newest.version, newest.run_id) == (2, trained)
    answer = mlflow.pyfunc.load_model("models:/my digits@newest").predict(pd.DataFrame({"image": [make.picture()]}))
    assert answer["label"][0] in NAMES
    assert "warning" not in capsys.readouterr().err


def test_the_model_is_found_by_its_figures_and_says_what_it_is(trained):
    Run(trained).trained("digest")
    client = mlflow.MlflowClient()
    results.log_figures(client, trained, {"test_accuracy": 0.95, "best_val_accuracy": 0.85})
    assert client.search_logged_models(["1"], filter_string="metrics.test_accuracy > 0.96") == []
    (model,) = client.search_logged_models(["1"], filter_string="metrics.test_accuracy > 0.9")
    assert model.name == "tiny"
    assert (
        model.tags.items() >= {"dataset": "tiny", "model_sha256": "digest", "data_sha256": sha256(paths.INDEX)}.items()
    )
    figures = {metric.key: (metric.value, metric.step) for metric in model.metrics}
    assert (figures["test_accuracy"], figures["val_loss"]) == ((0.95, 0), (0.5, 1))  # of the epoch that was kept


def test_figures_go_to_the_whole_model_where_an_attempt_broke_off(trained, monkeypatch, capsys):
    with monkeypatch.context() as failing:
        failing.setattr("mlflow.models.Model.save", lambda *_: 1 / 0)
        Run(trained).trained("digest")
    assert "division by zero" in capsys.readouterr().err
    Run(trained).trained("digest")
    results.log_figures(mlflow.MlflowClient(), trained, {"test_accuracy": 0.95})
    (model,) = mlflow.MlflowClient().search_logged_models(["1"], filter_string="metrics.test_accuracy > 0.9")
    assert model.status == "READY"


def test_without_a_name_nothing_is_registered(trained):
    Run(trained).trained("digest")
    client = mlflow.MlflowClient()
    assert len(client.search_logged_models(["1"])) == 1
    assert client.search_registered_models() == []


def test_a_registry_that_fails_costs_a_warning_and_no_model(trained, monkeypatch, capsys):
    def broken(*arguments, **options):
        raise MlflowException("no registry here")

    monkeypatch.setattr(mlflow.MlflowClient, "create_model_version", broken)
    Run(trained).trained("digest", "digits")
    assert "no registry here" in capsys.readouterr().err
    assert len(mlflow.MlflowClient().search_logged_models(["1"])) == 1


def test_a_picture_that_cannot_be_read_is_named_by_its_place(trained):
    Run(trained).trained("digest", "digits")
    model = mlflow.pyfunc.load_model("models:/digits@newest")
    with pytest.raises(MlflowException, match=r"picture 2 of 2: .*no picture of a known format") as caught:
        model.predict(pd.DataFrame({"image": [make.picture(), b"something else"]}))
    assert caught.value.get_http_status_code() == 400
    with pytest.raises(MlflowException, match="holds no picture"):
        model.predict(pd.DataFrame({"image": pd.Series([], dtype=object)}))


def post(port, pictures):
    """Status and answer of the server to pictures, given as the texts that stand for their bytes."""
    body = json.dumps({"dataframe_split": {"columns": ["image"], "data": [[text] for text in pictures]}}).encode()
    address, head = f"http://127.0.0.1:{port}/invocations", {"Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, head), timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.slow
def test_pictures_over_http(trained, tmp_path):
    Run(trained).trained("digest", "digits")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    # As a user would from another folder: the code of the model is its own.
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/digits@newest"]
    command += ["--env-manager", "local", "--port", str(port), "--host", "127.0.0.1"]
    log = tmp_path / "server.log"
    with log.open("w") as stream:
        server = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=stream, stderr=stream, start_new_session=True
        )
    try:
        wait_for_server(server, port, log)
        pictures = [make.picture(seed, 20, 30, 3) for seed in range(3)]
        texts = [base64.b64encode(picture).decode() for picture in pictures]
        status, answer = post(port, texts[:1])
        assert (status, len(answer["predictions"])) == (200, 1)
        status, answer = post(port, texts)
        assert status == 200
        expected = mlflow.pyfunc.load_model("models:/digits@newest").predict(pd.DataFrame({"image": pictures}))
        assert [item["label"] for item in answer["predictions"]] == expected["label"].tolist()
        found = np.array([item["probabilities"] for item in answer["predictions"]])
        np.testing.assert_allclose(found, np.array(expected["probabilities"].tolist()), atol=1e-5)
        for broken in (base64.b64encode(b"no picture").decode(), "", "not base64!"):
            status, answer = post(port, [texts[0], broken])
            assert status == 400
            assert "Traceback" not in json.dumps(answer)
        status, answer = post(port, texts[:1])
        assert status == 200
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def wait_for_server(server, port, log):
    end = time.monotonic() + 120
    while True:
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
                return
        except OSError:
            time.sleep(0.2)


ELSEWHERE = """
import sys, mlflow, pandas as pd
model, picture = mlflow.pyfunc.load_model(sys.argv[1]), open(sys.argv[2], "rb").read()
answer = model.predict(pd.DataFrame({"image": [picture]}))
import darkroom
print(darkroom.__file__, answer["probabilities"][0], sep="\\n")
"""


@pytest.mark.slow
@pytest.mark.parametrize("network", [{}, {"name": "mobilenet_v3_small"}])
def test_a_fresh_environment_with_the_models_own_requirements_loads_it_and_predicts(trained, tmp_path, network):
    """The classifier leaves home: nothing is there but Python, what the model asks for, and the model."""
    shape = (32, 32, 3)
    save_model(tmp_path / "models", network, shape)
    make.packed(stored(shape, 4), [0, 1, 2, 3], ["train"] * 4, NAMES)
    Run(trained).trained("digest")
    client = mlflow.MlflowClient()
    (model,) = client.search_logged_models([client.get_run(trained).info.experiment_id])
    folder = Path(model.artifact_location.removeprefix("file://"))
    environment, picture = tmp_path / "elsewhere", tmp_path / "picture.png"
    picture.write_bytes(make.picture(1, 20, 30, 3))
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    python = str(environment / "bin" / "python")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(environment)], check=True)
    install = [uv, "pip", "install", "--quiet", "--python", python, "-r", str(folder / "requirements.txt")]
    subprocess.run(install, check=True)
    command = [python, "-c", ELSEWHERE, str(folder), str(picture)]
    answer = subprocess.run(command, cwd=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    *_, place, probabilities = answer.stdout.strip().splitlines()
    assert Path(place).is_relative_to(folder)
    here = mlflow.pyfunc.load_model(str(folder)).predict(pd.DataFrame({"image": [picture.read_bytes()]}))
    np.testing.assert_allclose(json.loads(probabilities), here["probabilities"][0], atol=1e-5)
