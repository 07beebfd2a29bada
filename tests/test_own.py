"""The examples of own/ through the whole pipeline, as docs/parameters.md names them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import make
from tests.repository import ROOT, make_repository, run, runs, surroundings

PAGE = (ROOT / "docs" / "parameters.md").read_text(encoding="utf-8")
(AUGMENT,) = re.findall(r"^dvc exp run -S 'augment=(.*own\.augmentation.*)'$", PAGE, re.MULTILINE)
(NETWORK,) = re.findall(r"^dvc exp run -S model\.name=(own\.\S+)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("file", ["own/augmentation.py", "own/network.py"])
def test_the_examples_are_written_as_the_project_is(file):
    for command in (["check"], ["format", "--check"]):
        # Named one by one they are looked at, though the folder, which is the user's, is left out.
        subprocess.run([sys.executable, "-m", "ruff", *command, "--quiet", file], cwd=ROOT, check=True)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = make_repository(tmp_path_factory.mktemp("own"))
    make.edit(folder / "params.yaml", {"evaluate.tta.copies": 1, "errors.train_folds": 2})
    run(folder, "dvc", "exp", "run", "-S", f"augment={AUGMENT}", "-S", f"model.name={NETWORK}")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "run")
    return folder


@pytest.mark.slow
def test_a_second_run_is_up_to_date_until_a_file_of_own_changes(repository):
    assert json.loads((repository / "models/model.json").read_text())["model"]["name"] == NETWORK
    assert "up to date" in run(repository, "dvc", "repro")
    new = repository / "own" / "new.py"
    try:
        new.write_text("")
        changed = json.loads(run(repository, "dvc", "status", "--json"))
    finally:
        new.unlink()
    assert set(changed) == {"train", "evaluate", "errors", "inside", "predict"}


@pytest.mark.slow
def test_a_copy_runs_its_own_code_and_refuses_what_git_lacks(repository):
    own = repository / "own" / "mine.py"
    own.write_text("def change(images, draw):\n    return images\n")
    command = ["dvc", "exp", "run", "--temp", "-n", "mine", "-S", 'augment=[{function: {name: "own.mine:change"}}]']
    refused = subprocess.run(
        [*command, "train"], cwd=repository, env=surroundings(), capture_output=True, text=True, check=False
    )
    assert "error: own/mine.py is not in this copy of the repository, for Git does not have it" in refused.stderr
    run(repository, "git", "add", "own/mine.py")
    assert "mine" in run(repository, *command, "train")


@pytest.mark.slow
def test_the_commands_find_own_code_from_any_folder(repository, tmp_path):
    (tmp_path / "a.png").write_bytes(make.encode(make.pixels(20, 20, 3) // 4 + 60))
    command = [
        sys.executable,
        "-m",
        "darkroom",
        "predict",
        str(tmp_path / "a.png"),
        "--model",
        str(repository / "models"),
    ]
    found = run(tmp_path, *command, "--csv", PYTHONPATH=str(repository))
    assert "dark" in found
    assert "FAIL" not in run(repository, sys.executable, "-m", "darkroom", "check")
    assert "same classes" in run(repository, sys.executable, "-m", "darkroom", "export")


@pytest.mark.slow
def test_the_logged_model_carries_the_code_of_its_network(repository, tmp_path):
    client, (found, *_) = runs(repository)
    model, *_ = client.search_logged_models([found.info.experiment_id])
    folder = Path(model.artifact_location.removeprefix("file://"))
    assert (folder / "code" / "own" / "network.py").read_text() == (ROOT / "own" / "network.py").read_text()
    picture = tmp_path / "a.png"
    picture.write_bytes(make.encode(make.pixels(20, 20, 3) // 4 + 190))
    code = (
        "import sys, mlflow, pandas\n"
        f"model = mlflow.pyfunc.load_model({str(folder)!r})\n"
        f"print(model.predict(pandas.DataFrame({{'image': [open({str(picture)!r}, 'rb').read()]}}))['label'][0])\n"
        "print(sys.modules['own.network'].__file__)"
    )
    answer = run(tmp_path, sys.executable, "-c", code)
    assert "light" in answer
    assert str(folder / "code" / "own" / "network.py") in answer
