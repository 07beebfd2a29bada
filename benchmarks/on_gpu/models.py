"""Tests of a model that was trained on the GPU, used there, on the CPU and as ONNX; and the tests of pytest."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from benchmarks.fresh import ROOT
from benchmarks.on_gpu import checks, sets
from benchmarks.on_gpu.part import LeftOut, Row, Setting


def _model(setting: Setting) -> Path:
    """The folder of a model that was trained on the device."""
    from safetensors.torch import save_file

    facts = checks.small_facts(setting, "32")
    result = checks.train(setting, "32")
    from darkroom.network import architectures

    network = architectures.build(facts.model, facts.shape, len(facts.classes))
    network.load_state_dict(result.weights)
    folder = Path("models").absolute()
    folder.mkdir()
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / "model.safetensors")
    facts.write(folder / "model.json")
    return folder


def devices_agree(setting: Setting) -> Iterator[Row]:
    """How far probabilities on the device are from those on the CPU, with TF32 in convolutions and without."""
    import torch

    from darkroom.classifier.trained_network import TrainedNetwork

    folder = _model(setting)
    images, _ = sets.shapes(100 if setting.small else 4_000, seed=3)
    expected = TrainedNetwork.load(folder, "cpu").probabilities(images)
    there = TrainedNetwork.load(folder, setting.device)
    before = torch.backends.cudnn.allow_tf32
    for name, allowed, most in (("as it comes", before, 0.02), ("without TF32", False, 1e-4)):
        torch.backends.cudnn.allow_tf32 = allowed
        found = there.probabilities(images)
        apart, others = float(np.abs(found - expected).max()), int((found.argmax(1) != expected.argmax(1)).sum())
        row = {"test": f"probabilities as on the CPU, {name}", "passed": apart < most, "largest difference": apart}
        yield row | {"other classes": others, "images": len(images), "TF32": bool(allowed)}
    torch.backends.cudnn.allow_tf32 = before


def onnx(setting: Setting) -> Iterator[Row]:
    """That the model, exported, answers as PyTorch does."""
    from darkroom.classifier.inference import Classifier
    from darkroom.tools import export

    folder = _model(setting)
    classifier = Classifier.load(folder)
    content = export.onnx_bytes(classifier, {})
    file = Path("model.onnx")
    file.write_bytes(content)
    images, _ = sets.shapes(64 if setting.small else 1_000, seed=4)
    apart = export.largest_difference(classifier, export.session(file), images, np.arange(len(images)))
    yield {"test": "ONNX of a model trained here answers as PyTorch", "passed": True, "largest difference": apart}


def pytest(setting: Setting) -> Iterator[Row]:
    """The tests that are skipped where there is no GPU."""
    if setting.device == "cpu":
        raise LeftOut("no CUDA: they would be skipped")
    files = [file for file in sorted((ROOT / "tests").rglob("test_*.py")) if _needs_gpu(file)]
    report = Path("pytest.xml").absolute()
    command = [sys.executable, "-m", "pytest", "-k", "gpu or cuda", "-p", "no:cacheprovider", f"--junitxml={report}"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    subprocess.run(
        [*command, *map(str, files)], cwd=ROOT, env=environment, check=False, timeout=max(5, setting.left - 2)
    )
    counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for suite in ElementTree.parse(report).iter("testsuite"):  # noqa: S314, our own pytest wrote it
        for name in counts:
            counts[name] += int(suite.get(name, 0))
    passed = counts["tests"] > 0 and not counts["failures"] + counts["errors"]
    yield {"test": f"pytest -k 'gpu or cuda' in {len(files)} files", "passed": passed, **counts}


def _needs_gpu(file: Path) -> bool:
    return bool(re.search(r"skipif\(.*cuda\.is_available\(\)", file.read_text(encoding="utf-8")))
