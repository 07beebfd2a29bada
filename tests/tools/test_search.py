"""`darkroom search` as a whole, on a tiny set: its trials are what DVC's own command would make of them."""

import json
import re
import shutil

import pytest

from darkroom.base import paths
from darkroom.config.yaml_files import dump, read_yaml
from darkroom.tools import search
from tests import make, repository
from tests.conftest import ROOT
from tests.repository import run

SPACE = {"train.lr": {"low": 0.01, "high": 0.3, "log": True}, "train.epochs": [2], "model.dropout": [0.0, 0.2]}
FILE = {
    "name": "small", "metric": "accuracy", "trials": 3, "time": None, "prune": True, "best": 1, "seeds": [42, 43],
    "storage": None, "space": SPACE,
}  # fmt: skip


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A repository with a search that has ended, and what it printed."""
    found = repository.make_repository(tmp_path_factory.mktemp("search") / "project")
    run(found, "dvc", "repro")
    run(found, "git", "add", "-A")
    run(found, "git", "commit", "-qm", "pipeline")
    (found / "search.yaml").write_text(dump(FILE))
    before = run(found, "git", "status", "--porcelain")
    printed = run(found, "python", "-m", "darkroom", "search")
    assert run(found, "git", "status", "--porcelain") == before
    return found, printed


def reference_of(found, name):
    references = run(found, "git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
    return next(one for one in references if one.endswith(f"/{name}"))


def show(found, name, path):
    return run(found, "git", "show", f"{reference_of(found, name)}:{path}")


def train_of(text, folder):
    """What dvc.lock records of the stage `train`."""
    (folder / "dvc.lock").write_text(text)
    return read_yaml(folder / "dvc.lock")["stages"]["train"]


@pytest.mark.slow
def test_a_trial_is_to_the_byte_what_dvc_exp_run_makes_of_its_parameters(searched, tmp_path):
    found, _ = searched
    for name in ("small-000", "small-001"):  # a later fork finds more imported than the first
        (tmp_path / "params.yaml").write_text(show(found, name, "params.yaml"))
        values = read_yaml(tmp_path / "params.yaml")
        words = [f"train.lr={values['train']['lr']}", "train.epochs=2", f"model.dropout={values['model']['dropout']}"]
        run(found, "dvc", "exp", "run", "--temp", "-n", f"hand-{name}", *(f"-S{word}" for word in words), "train")
        assert show(found, f"hand-{name}", "params.yaml") == show(found, name, "params.yaml")
        ours = train_of(show(found, name, "dvc.lock"), tmp_path)
        assert ours == train_of(show(found, f"hand-{name}", "dvc.lock"), tmp_path)
        assert show(found, name, "metrics/train.json") == show(found, f"hand-{name}", "metrics/train.json")


@pytest.mark.slow
def test_an_applied_trial_is_up_to_date_for_dvc(searched, tmp_path):
    found, printed = searched
    copy = tmp_path / "copy"
    shutil.copytree(found, copy, symlinks=True)
    run(copy, "dvc", "exp", "apply", "small-002")
    assert "didn't change, skipping" in run(copy, "dvc", "repro", "-s", "train")
    winner = re.search(r"dvc exp apply (\S+)", printed)[1]
    run(copy, "dvc", "exp", "apply", winner)
    assert "Running stage" not in run(copy, "dvc", "repro", "evaluate")


@pytest.mark.slow
def test_a_trial_has_no_figures_of_other_trainings(searched):
    found, _ = searched
    assert json.loads(show(found, "small-000", "metrics/train.json"))["epochs"] == 2
    files = run(found, "git", "ls-tree", "-r", "--name-only", reference_of(found, "small-000")).split()
    assert "metrics/evaluate.json" not in files
    assert "metrics/baseline.json" in files


@pytest.mark.slow
def test_the_search_ends_with_the_best_over_seeds_its_page_and_a_run_above_its_trials(searched):
    found, printed = searched
    assert printed.count("small-00") >= 6
    assert len(re.findall(r"on test, 95 % interval", printed)) == 1
    assert (found / "search" / "small" / "page.html").is_file()
    _, runs = repository.runs(found)
    (above,) = [one for one in runs if one.info.run_name == "small"]
    below = {one.info.run_name for one in runs if one.data.tags.get("mlflow.parentRunId") == above.info.run_id}
    assert {"small-000", "small-001", "small-002"} < below
    assert above.data.metrics["trials_complete"] + above.data.metrics["trials_pruned"] == 3


@pytest.mark.slow
def test_the_same_command_changes_nothing_once_it_has_ended(searched):
    found, printed = searched
    again = run(found, "python", "-m", "darkroom", "search")
    assert "goes on at commit" in again
    assert "begins:" not in again
    assert again.splitlines()[-1] == printed.splitlines()[-1]


def test_several_devices_are_refused_before_anything_is_made(project):
    (project.folder / "search.yaml").write_text((ROOT / "search.yaml").read_text())
    project.set(train__devices=2, train__portable=False)
    assert "a trial is trained by one process" in make.refusal(lambda: search._read(paths.PARAMS.parent))
