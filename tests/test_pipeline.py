"""The whole pipeline, run by DVC in a temporary repository on a tiny set of its own."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch

from darkroom.classifier import trained_network
from darkroom.classifier.inference import Classifier
from darkroom.training import calibration
from tests import make
from tests.repository import make_repository, outputs, run, runs, wait_for


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = make_repository(tmp_path_factory.mktemp("first"))
    run(folder, "dvc", "repro")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "run")
    return folder


def test_it_learns_and_says_so(repository):
    figures = json.loads((repository / "metrics/evaluate.json").read_text())
    assert figures["test"]["accuracy"] == 1.0
    printed = run(repository, sys.executable, "-m", "darkroom", "summary")
    assert "tiny: 100.00% of 12 test images are classified right (95 % interval 75.75% to 100.00%), macro F1" in printed
    assert "next:" in printed


def test_the_model_is_calibrated_and_the_evaluation_agrees_with_the_training(repository):
    facts = json.loads((repository / "models/model.json").read_text())
    classifier = Classifier.load(repository / "models")
    images = np.load(repository / "data/images/images.npy")
    predictions = pd.read_parquet(repository / "data/predictions.parquet")
    val = predictions[predictions["split"] == "val"]
    assert classifier.temperature == facts["temperature"] != 1
    logits = trained_network.predict(
        classifier.network, torch.from_numpy(images[val["row"]]), classifier.mean, classifier.std, 512
    )
    fitted = calibration.fit_temperature(val["label"].to_numpy(), logits.numpy())
    assert fitted == pytest.approx(facts["temperature"], rel=1e-3)
    probabilities = np.stack(predictions["probabilities"])
    expected = classifier.probabilities(images[predictions["row"]])
    assert probabilities == pytest.approx(expected, abs=1e-5)
    assert (logits.argmax(1).numpy() == val["predicted"]).all()
    figures = json.loads((repository / "metrics/evaluate.json").read_text())
    assert figures["val"]["log_loss"] == pytest.approx(val["loss"].mean(), abs=1e-4)


def test_the_evaluation_says_what_the_baselines_reach(repository):
    figures = json.loads((repository / "metrics/evaluate.json").read_text())["baselines"]
    reached = json.loads((repository / "metrics/baseline.json").read_text())
    assert figures["test_accuracy"].pop("network") == 1
    assert figures["test_accuracy"] == {name: reached[name]["test_accuracy"] for name in figures["test_accuracy"]}
    wrong = round(12 * (1 - figures["test_accuracy"][figures["best"]]))
    assert figures["mcnemar"]["only_ours_right"] == wrong
    assert figures["mcnemar"]["only_other_right"] == 0


def test_dvc_draws_the_curves_of_the_evaluation(repository):
    shown = json.loads(run(repository, "dvc", "plots", "show", "--json"))
    assert {"coverage", "reliability", "confusion", "per_class", "loss", "accuracy"} <= set(shown["data"])
    assert not shown.get("errors")


def test_the_copy_is_found_and_stays_on_one_side(repository):
    audit = json.loads((repository / "metrics/audit.json").read_text())
    assert audit["images"] == 62
    # The copy, its original, and the unlabelled picture that is also a labelled one.
    assert audit["duplicates"] == {"groups": 2, "images": 4}
    index = pd.read_parquet(repository / "data/images/index.parquet")
    split = pd.read_parquet(repository / "data/split.parquet").merge(index, on="row")
    assert split.groupby("sha256")["split"].nunique().max() == 1


def test_a_second_run_finds_everything_up_to_date(repository):
    assert "Data and pipelines are up to date." in run(repository, "dvc", "repro")
    assert run(repository, "git", "status", "--porcelain") == ""


@pytest.mark.slow
def test_another_machine_gets_the_same_bytes(repository, tmp_path):
    other = make_repository(tmp_path)
    shutil.rmtree(other / ".dvc" / "cache", ignore_errors=True)
    run(other, "dvc", "repro", MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    mine, theirs = outputs(repository), outputs(other)
    for place in (mine, theirs):
        del place["data/entry/source.json"]  # it names the archive, which lies elsewhere
    assert theirs == mine
    assert not list(other.rglob("*.partial"))


def test_a_training_that_was_killed_goes_on_and_ends_with_the_same_bytes(repository, tmp_path):
    # Slow enough to be met in the middle, and a checkpoint after every epoch.
    stage = repository / "stages" / "train.py"
    kept = {path: path.read_bytes() for path in (stage, repository / "params.yaml")}
    try:
        stage.write_text(stage.read_text().replace("SAVE_SECONDS = 5", "SAVE_SECONDS = 0"))
        make.edit(repository / "params.yaml", {"train.epochs": 120, "train.ema": 0.9, "train.keep_epochs": False})
        command = [sys.executable, "-m", "stages.train"]
        run(repository, *command)
        whole = outputs(repository)
        killed = subprocess.Popen(command, cwd=repository, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: list(repository.glob(".checkpoints/*/state")), 60)
        time.sleep(0.5)
        killed.kill()
        assert killed.wait() == -signal.SIGKILL
        assert list(repository.glob(".checkpoints/*/state")), "it had ended before it was killed"
        assert "going on after epoch" in run(repository, *command)
        assert outputs(repository) == whole
        assert not list(repository.glob(".checkpoints/*/state"))
        client, (latest, *_) = runs(repository)
        assert latest.info.status == "FINISHED"
        steps = [metric.step for metric in client.get_metric_history(latest.info.run_id, "val_loss")]
        assert sorted(steps) == list(range(1, 121))
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
        run(repository, "dvc", "checkout", "--force")
        run(repository, "git", "checkout", "metrics")


@pytest.mark.slow
def test_the_record_of_runs_decides_no_output(repository):
    """On, as in the first run; failing, as on another machine above; and off: the same weights and figures."""
    before, params, known = outputs(repository), repository / "params.yaml", len(runs(repository)[1])
    kept = params.read_bytes()
    try:
        make.edit(params, {"tracking.enabled": False})
        for stage in ("train", "curves", "evaluate"):
            run(repository, sys.executable, "-m", f"stages.{stage}")
    finally:
        params.write_bytes(kept)
    assert outputs(repository) == before
    assert len(runs(repository)[1]) == known


@pytest.mark.slow
def test_two_processes_train_as_one(repository):
    changes = ["-S", "train.devices=2", "-S", "train.portable=false"]
    printed = run(repository, "dvc", "exp", "run", "--temp", "-n", "pair", *changes, "evaluate")
    assert printed.count("wrote models/model.safetensors") == 1
    assert "(test accuracy 100.00%" in printed
    _, found = runs(repository)
    (named,) = [item for item in found if item.info.run_name == "pair"]
    assert named.data.params["train.devices"] == "2"


def test_a_store_that_is_down_costs_no_model(repository, tmp_path):
    printed = run(
        repository, sys.executable, "-m", "stages.report", MLFLOW_TRACKING_URI="http://user:secret@127.0.0.1:9"
    )
    assert "warning: MLflow" in printed
    assert "secret" not in printed
    assert "next:" in printed


def test_the_run_holds_curves_parameters_results_and_model(repository):
    client, (*_, found) = runs(repository)  # the first
    assert found.info.status == "FINISHED"
    assert found.data.params["train.epochs"] == "2"
    assert found.data.params["model.layers"] == "8P-8"
    assert len(client.get_metric_history(found.info.run_id, "val_accuracy")) == 2
    assert found.data.metrics["test_accuracy"] == 1.0
    assert found.data.metrics["test_mistakes"] == 0
    assert {"test_ece", "best_val_ece", "test_accuracy_low", "test_roc_auc"} <= set(found.data.metrics)
    artifacts = {item.path for item in client.list_artifacts(found.info.run_id)}
    assert {"train", "evaluate", "errors", "slices.csv", "classification_report.txt"} <= artifacts
    assert {
        "model.json",
        "model.txt",
        "provenance",
        "inside",
        "inside.json",
        "predict",
        "submission.csv",
    } <= artifacts
    assert found.data.metrics["test_neighbour_accuracy"] == 1.0


def test_the_report_stands_alone_and_counts_what_the_matrix_counts(repository):
    page = (repository / "metrics/report.html").read_text()
    assert len(page.encode()) < 8_000_000
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert all(f'id="{name}"' in page for name in ("data", "training", "evaluation", "mistakes", "inside", "made"))
    matrix = pd.read_csv(repository / "metrics/confusion_matrix.csv", dtype=str)
    errors = pd.read_csv(repository / "metrics/errors.csv", dtype=str)
    wrong = matrix[matrix["actual"] != matrix["predicted"]]
    assert sorted(zip(errors["true"], errors["predicted"], strict=True)) == sorted(
        zip(wrong["actual"], wrong["predicted"], strict=True)
    )
    assert "# tiny: an image classifier" in (repository / "models/README.md").read_text()


def test_the_logged_model_reads_picture_bytes_and_holds_no_pickle(repository):
    client, (found, *_) = runs(repository)
    models = client.search_logged_models([found.info.experiment_id])
    (model,) = [model for model in models if model.source_run_id == found.info.run_id]
    folder = Path(model.artifact_location.removeprefix("file://"))
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle", ".pt", ".pth")]
    loaded = mlflow.pyfunc.load_model(str(folder))
    pictures = [make.encode(make.pixels(20, 20, 3) // 4 + level) for level in (60, 190)]
    answer = loaded.predict(pd.DataFrame({"image": pictures}))
    assert answer["label"].tolist() == ["dark", "light"]
    assert answer["probabilities"].map(sum).tolist() == pytest.approx([1, 1])


@pytest.mark.slow
def test_an_experiment_has_one_name_in_dvc_and_mlflow_even_in_a_temporary_folder(repository):
    run(repository, "dvc", "exp", "run", "--temp", "-n", "warm", "-S", "train.lr=0.00002")
    shown = json.loads(run(repository, "dvc", "exp", "show", "--json"))
    names = {item["name"] for revision in shown for branch in revision["experiments"] or [] for item in branch["revs"]}
    assert "warm" in names
    _, found = runs(repository)
    (named,) = [item for item in found if item.info.run_name == "warm"]
    assert float(named.data.params["train.lr"]) == 2e-5
    assert "test_accuracy" in named.data.metrics
    assert named.info.artifact_uri.startswith(f"file://{repository}")
    # The workspace keeps the results that it had.
    assert run(repository, "git", "status", "--porcelain") == ""


@pytest.mark.parametrize("way", ["--temp", pytest.param("--queue", marks=pytest.mark.slow)])
def test_in_a_copy_the_code_of_the_copy_runs(repository, way):
    """Not that of the environment, in which Darkroom is installed too: what is changed here is tried there."""
    verdict, name = repository / "darkroom" / "analysis" / "verdict.py", f"copy{way}"
    kept = verdict.read_text()
    try:
        verdict.write_text(kept.replace("too few epochs", f"changed for {way}: too few epochs"))
        run(repository, "dvc", "exp", "run", way, "-n", name, "curves")
        if way == "--queue":
            run(repository, "dvc", "queue", "start")
            wait_for(lambda: "Success" in run(repository, "dvc", "queue", "status"), 120)
    finally:
        verdict.write_text(kept)
    reference = run(repository, "git", "for-each-ref", "--format=%(refname)", f"refs/exps/**/{name}").strip()
    assert f"changed for {way}" in run(repository, "git", "show", f"{reference}:metrics/curves.json")
    assert "changed for" not in (repository / "metrics" / "curves.json").read_text()


@pytest.mark.slow
def test_a_store_that_does_not_know_the_model_gets_the_run_rebuilt(repository, tmp_path):
    store = f"sqlite:///{tmp_path / 'other.db'}"
    run(repository, sys.executable, "-m", "stages.report", MLFLOW_TRACKING_URI=store)
    client = mlflow.MlflowClient(store)
    (found,) = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
    assert found.data.tags["rebuilt"] == "true"
    assert len(client.get_metric_history(found.info.run_id, "val_loss")) == 2
    assert found.data.params["train.epochs"] == "2"


def test_repeating_a_stage_does_not_trip_over_the_record(repository):
    assert "warning" not in run(repository, sys.executable, "-m", "stages.errors")


def test_predict_from_the_command_line(repository, tmp_path):
    for name, level in (("a.png", 60), ("b.jpg", 190)):
        form = "JPEG" if name.endswith("jpg") else "PNG"
        (tmp_path / name).write_bytes(make.encode(make.pixels(30, 17, 3) // 4 + level, form))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    command = [sys.executable, "-m", "darkroom", "predict", str(tmp_path / "a.png"), str(tmp_path / "b.jpg")]
    answers = [json.loads(line) for line in run(repository, *command, "--json", "--top-k", "1").splitlines()]
    assert [list(answer["classes"]) for answer in answers] == [["dark"], ["light"]]
    assert all(answer["unlike"] > 0 for answer in answers)
    failed = subprocess.run(
        [*command, str(tmp_path / "broken.png")], cwd=repository, capture_output=True, text=True, check=False
    )
    assert failed.returncode == 1
    assert "dark" in failed.stdout
    assert failed.stderr.strip().startswith("error:")
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"train.lr": -1}, "train.lr"),
        ({"train.epocs": 3}, "did you mean epochs"),
        ({"dataset": "tini"}, "did you mean tiny"),
        ({"train.device": "cuda:77"}, "cuda:77"),
        ({"model.layers": "8P-8P-8P-8P"}, "model.layers"),
        ({"model.name": "mlp", "model.hidden": [8], "train.batch_size": 1}, "raise train.batch_size"),
    ],
)
def test_a_mistake_is_one_sentence_and_costs_nothing(repository, change, named):
    before = outputs(repository)
    params = repository / "params.yaml"
    kept = params.read_bytes()
    try:
        make.edit(params, change)
        failed = subprocess.run(
            [sys.executable, "-m", "stages.train"], cwd=repository, capture_output=True, text=True, check=False
        )
    finally:
        params.write_bytes(kept)
    assert failed.returncode == 1
    assert named in failed.stderr
    assert [line.startswith("error:") for line in failed.stderr.strip().splitlines()] == [True]
    assert outputs(repository) == before


def test_a_training_that_diverges_leaves_its_curve_and_says_so(repository):
    before, params = outputs(repository), repository / "params.yaml"
    kept = {path: path.read_bytes() for path in (params, repository / "metrics/history.csv")}
    changes = {"train.lr": 1000.0, "train.optimizer": "sgd", "train.epochs": 30, "model.batch_norm": False}
    try:
        make.edit(params, changes)
        failed = subprocess.run(
            [sys.executable, "-m", "stages.train"], cwd=repository, capture_output=True, text=True, check=False
        )
        history = pd.read_csv(repository / "metrics/history.csv")
        after = outputs(repository)
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
    assert failed.returncode == 1
    (sentence,) = failed.stderr.strip().splitlines()
    assert sentence.startswith("error: training diverged")
    assert "metrics/history.csv has the epochs up to there, no model was written" in sentence
    assert history["train_loss"].isna().tolist() == [*[False] * (len(history) - 1), True]
    # All that was made before is still there.
    assert {name for name in after if after[name] != before[name]} == {"metrics/history.csv"}
