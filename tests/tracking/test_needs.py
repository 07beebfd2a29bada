"""What a served model needs is computed from its imports, and is enough."""

import shutil
import subprocess
import sys

from darkroom.tracking.needs import PACKAGE, needs
from darkroom.tracking.registry import SERVED
from tests import make
from tests.tools.test_export import NAMES, save_model


def test_a_served_model_knows_nothing_of_training_terminal_or_tools():
    files, requirements = needs(SERVED)
    rooms = {file.relative_to(PACKAGE).parts[0] for file in files}
    assert rooms == {"__init__.py", "base", "config", "pictures", "dataset", "network", "classifier"}
    assert PACKAGE / "base" / "console.py" not in files
    names = {requirement.partition("==")[0] for requirement in requirements}
    assert {"torch", "torchvision", "opencv-python-headless", "pillow", "pydantic", "safetensors"} <= names
    assert not names & {"tqdm", "torchinfo", "lightning-fabric", "mlflow", "matplotlib", "scikit-learn", "dvc"}


def test_the_files_alone_are_enough(tmp_path):
    """In a folder of their own, where a module that is missing would not be found elsewhere."""
    files, _ = needs(SERVED)
    for file in files:
        target = tmp_path / PACKAGE.name / file.relative_to(PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    shutil.copyfile(SERVED, tmp_path / "served.py")
    for name, size in (("cnn", 8), ("shufflenet_v2_x0_5", 32)):
        save_model(tmp_path / name, {"name": name}, (size, size, 3))
        (tmp_path / name / "one.png").write_bytes(make.picture(1, 20, 30, 3))
        code = (
            f"import darkroom, served; assert darkroom.__file__.startswith({str(tmp_path)!r})\n"
            f"found = darkroom.Classifier.load({name!r}).predict({name + '/one.png'!r}); print(found[0].classes[0])"
        )
        answer = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stderr
        assert answer.stdout.strip() in NAMES
