"""Stages that need no torch do not pay for it."""

import os
import signal
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize(
    "stage", ["entry", "fetch", "extract", "audit", "split", "stats", "pretrained", "baseline", "curves", "predict"]
)
def test_data_stages_import_neither_torch_nor_mlflow(stage):
    code = f"import sys, stages.{stage}; print(*{{'torch', 'mlflow', 'kaggle'}} & sys.modules.keys())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


@pytest.mark.parametrize("command", [["--help"], ["predict", "--help"], ["summary"], ["predict"], ["add", "no.zip"]])
def test_commands_answer_without_torch(command):
    code = (
        "import sys\nfrom darkroom.tools.commands import main\n"
        f"try:\n    main({command!r})\nexcept (SystemExit, Exception):\n    pass\n"
        "print('loaded:', *{'torch', 'mlflow'} & sys.modules.keys())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip().endswith("loaded:")


def test_help_does_without_pandas():
    code = "import sys, darkroom.tools.commands; print('pandas' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_predict_decodes_before_torch_is_there_and_never_needs_pandas_or_the_compiler():
    code = (
        "import sys, darkroom.tools.predict\nprint('torch' in sys.modules)\n"
        "import darkroom.classifier.inference\nfrom darkroom.network import torchvision_bodies\n"
        "torchvision_bodies.body('squeezenet1_1', (32, 32, 3), trial=False)\n"
        "print('pandas' in sys.modules, 'torch._dynamo' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False"] * 3


@pytest.mark.parametrize("module", ["darkroom", "stages.fetch"])
def test_an_interruption_during_the_imports_is_quiet(module, tmp_path):
    # Instead of the real one, which both import: the user's Ctrl+C.
    (tmp_path / "tqdm.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    ended = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a suite in the background ignores it
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize("module", ["darkroom", "stages.fetch"])
def test_a_process_in_the_background_goes_on_ignoring_interruptions(module, tmp_path):
    (tmp_path / "tqdm.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nraise SystemExit(7)\n")
    ended = subprocess.run(
        ["sh", "-c", f"trap '' INT; exec {sys.executable} -m {module} --help"], cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)}, check=False,
    )  # fmt: skip
    assert ended.returncode == 7


def test_a_program_that_imports_the_library_keeps_its_own_answer_to_an_interruption():
    code = (
        "import signal; before = signal.getsignal(signal.SIGINT)\n"
        "import darkroom.__main__, stages, stages.fetch\n"
        "print(signal.getsignal(signal.SIGINT) is before)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "True"
