"""`darkroom` as a user types it: from any folder of a project, outside one, in another clone, without its packages."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import darkroom
from tests import make
from tests.conftest import ROOT
from tests.models import facts
from tests.tools.test_export import NAMES, save_model

COMMAND = [sys.executable, "-m", "darkroom"]


@pytest.fixture
def site(tmp_path):
    """A project with a model, and a folder in it with a picture."""
    for name in ("dvc.yaml", "params.yaml", "datasets.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    save_model(tmp_path / "models", {}, (8, 10, 3))
    (tmp_path / "photos" / "new").mkdir(parents=True)
    (tmp_path / "photos" / "new" / "one.png").write_bytes(make.picture(1, 20, 30, 3))
    return tmp_path


def run(folder, *words, command=COMMAND, **environment):
    return subprocess.run(
        [*command, *words], cwd=folder, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )  # fmt: skip


def test_the_command_is_installed_with_the_environment():
    script = Path(sys.executable).with_name("darkroom")
    answer = run(ROOT / "docs", "--help", command=[script], PYTHONPATH="")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("usage: darkroom ")


def test_the_package_says_its_version_and_that_it_is_typed():
    assert darkroom.__version__
    assert (ROOT / "darkroom" / "py.typed").is_file()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        darkroom.nothing  # noqa: B018


@pytest.mark.parametrize("folder", [".", "photos", "photos/new"])
def test_pictures_are_named_as_the_caller_sees_them_and_the_model_is_the_projects(site, folder):
    name = os.path.relpath(site / "photos" / "new" / "one.png", site / folder)
    answer = run(site / folder, "predict", name)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith(f"{name}  ")
    assert any(label in answer.stdout for label in NAMES)


@pytest.mark.slow
def test_files_that_are_named_lie_with_the_caller(site):
    save_model(site / "photos" / "other", {}, (8, 10, 3))
    answer = run(site / "photos", "export", "--model", "other", "--output", "mine.onnx")
    assert answer.returncode == 0, answer.stderr
    assert (site / "photos" / "mine.onnx").is_file()
    assert run(site / "photos", "export").returncode == 0
    assert (site / "models" / "model.onnx").is_file()


def test_a_command_of_the_project_works_from_a_folder_in_it(site):
    answer = run(site / "photos" / "new", "summary")
    assert answer.stderr == "error: nothing has been evaluated yet: `dvc repro` runs the pipeline\n"


def sentence(answer):
    assert answer.returncode == 1
    (line,) = answer.stderr.splitlines()
    return line


def test_outside_a_project_it_says_so(tmp_path):
    said = sentence(run(tmp_path, "summary"))
    assert said.startswith(f"error: {tmp_path} lies in no Darkroom project, a folder with dvc.yaml and params.yaml")


def test_outside_a_project_a_model_that_is_named_is_enough(site, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    answer = run(elsewhere, "predict", "--model", str(site / "models"), str(site / "photos" / "new" / "one.png"))
    assert answer.returncode == 0, answer.stderr


def test_in_another_clone_it_names_the_command_of_that_one(site):
    shutil.copytree(ROOT / "darkroom", site / "darkroom", ignore=shutil.ignore_patterns("__pycache__"))
    script = [sys.executable, "-c", "from darkroom.__main__ import command; command()", "summary"]
    # As the installed script does, whose folder is not the working one.
    said = sentence(run(site / "photos", command=script))
    assert said.startswith(f"error: {site} is another clone than that of this command, {ROOT}: use {site}/.venv/bin/")


def test_without_its_packages_it_says_how_to_get_them(tmp_path):
    answer = run(ROOT, "summary", command=[sys.executable, "-S", "-m", "darkroom"], PYTHONPATH="")
    said = sentence(answer)
    assert said.startswith(f"error: {sys.executable} has no ")
    assert said.endswith("which Darkroom needs: `make setup` makes the environment, and .venv/bin/darkroom runs in it")


def test_a_model_that_lacks_a_setting_is_one_sentence(site):
    incomplete = facts((8, 10, 3), NAMES)
    del incomplete["train"]["lr"]
    (site / "models" / "model.json").write_text(json.dumps(incomplete))
    said = sentence(run(site, "predict", "photos/new/one.png"))
    assert "models/model.json is damaged or of another version (train.lr: Field required)" in said


def test_the_doctor_comes_also_where_a_file_of_the_project_is_missing(site):
    (site / "params.yaml").unlink()
    answer = run(site, "doctor")
    assert "there is no params.yaml" in answer.stdout + answer.stderr
    assert "lies in no Darkroom project" not in answer.stderr


def test_a_folder_with_a_model_alone_is_enough_to_predict(site):
    (site / "dvc.yaml").unlink()
    assert run(site, "predict", "photos/new/one.png").returncode == 0


def test_a_summary_needs_no_library_of_learning():
    modules = "darkroom.report.summary, darkroom.analysis.verdict"
    code = f"import sys, {modules}; print({{'torch', 'sklearn'}} & sys.modules.keys())"
    assert run(ROOT, command=[sys.executable, "-c", code]).stdout.strip() == "set()"
