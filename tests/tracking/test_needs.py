"""What a served model needs is computed from its imports, and is enough."""

import shutil
import subprocess
import sys

import pytest

from darkroom.config import own_code
from darkroom.tracking.needs import ROOT, needs
from darkroom.tracking.registry import SERVED
from tests import make
from tests.tools.test_export import NAMES, save_model

PACKAGE = ROOT / "darkroom"


def test_a_served_model_knows_nothing_of_training_terminal_or_tools():
    files, requirements = needs([SERVED])
    rooms = {file.relative_to(PACKAGE).parts[0] for file in files}
    assert rooms == {"__init__.py", "base", "config", "pictures", "network", "classifier"}
    assert PACKAGE / "base" / "console.py" not in files
    names = {requirement.partition("==")[0] for requirement in requirements}
    assert {"torch", "torchvision", "opencv-python-headless", "pillow", "pydantic", "safetensors"} <= names
    assert not names & {"tqdm", "torchinfo", "lightning-fabric", "mlflow", "matplotlib", "scikit-learn", "dvc"}


@pytest.mark.parametrize(
    "name",
    ["cnn", *(pytest.param(name, marks=pytest.mark.slow) for name in ("shufflenet_v2_x0_5", "own.network:residual"))],
)
def test_the_files_alone_are_enough(tmp_path, name):
    """In a folder of their own, where a module that is missing would not be found elsewhere."""
    own = [own_code.ROOT / file for file in own_code.needed("own.network:residual")]
    files, _ = needs([SERVED, *own])
    for file in [*files, *own]:
        target = tmp_path / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    shutil.copyfile(SERVED, tmp_path / "served.py")
    save_model(tmp_path / "model", {"name": name}, (32, 32, 3))
    (tmp_path / "one.png").write_bytes(make.picture(1, 20, 30, 3))
    code = (
        f"import darkroom, served; assert darkroom.__file__.startswith({str(tmp_path)!r})\n"
        "found = darkroom.Classifier.load('model').predict('one.png'); print(found[0].classes[0])"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() in NAMES


def test_own_code_brings_what_it_imports(own, monkeypatch):
    monkeypatch.setattr("darkroom.tracking.needs.ROOT", own_code.ROOT)
    source = own("network.py", "import tqdm\ntry:\n    import not_installed_here\nexcept ImportError:\n    pass\n")
    assert [line.partition("==")[0] for line in needs([source])[1]] == ["tqdm"]
