"""Stages that need no torch do not pay for it."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("stage", ["fetch", "extract", "audit", "split", "stats", "baseline"])
def test_data_stages_import_neither_torch_nor_mlflow(stage):
    code = f"import sys, stages.{stage}; print(*{{'torch', 'mlflow', 'kaggle'}} & sys.modules.keys())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


@pytest.mark.parametrize("command", [["--help"], ["predict", "--help"], ["summary"], ["predict"]])
def test_commands_answer_without_torch(command):
    code = (
        "import sys\nfrom darkroom.__main__ import main\n"
        f"try:\n    main({command!r})\nexcept (SystemExit, Exception):\n    pass\n"
        "print('loaded:', *{'torch', 'mlflow'} & sys.modules.keys())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip().endswith("loaded:")
