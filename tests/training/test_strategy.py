"""The stage itself as two processes of one machine, which play two nodes."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.config.stage_files import Stats
from darkroom.training import processes
from tests import make, models
from tests.conftest import ROOT
from tests.ddp import CPU, settings
from tests.training.test_meeting import free_port

SETTINGS = {
    "train.epochs": 3000, "train.batch_size": 16, "train.precision": "32", "train.threads": 1, "train.num_nodes": 2,
    "train.portable": False, "model.layers": "4P-6", "augment": [], "tracking.enabled": False,
}  # fmt: skip


@pytest.fixture
def nodes(project, tmp_path):
    """Two folders with the same data and parameters."""
    project.add(path="x", image_size=8)
    make.edit(project.params, SETTINGS)
    images, labels = models.blobs(60)
    make.packed(images, labels.tolist(), ["train"] * 45 + ["val"] * 15, ["ant", "bee", "cow"])
    Stats(mean=[0.2], std=[0.3], border=[0.0], split="train").write(paths.STATS)
    (tmp_path / "second").mkdir()
    for name in ("params.yaml", "datasets.yaml", "data", "metrics"):
        bring = shutil.copytree if (tmp_path / name).is_dir() else shutil.copy
        bring(tmp_path / name, tmp_path / "second" / name)
    return [tmp_path, tmp_path / "second"]


def start(folders):
    port = str(free_port())
    given = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "PYTHONPATH": str(ROOT)}
    return [
        subprocess.Popen(
            [sys.executable, "-m", "stages.train"], cwd=folder, env=os.environ | given | {"NODE_RANK": str(rank)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank, folder in enumerate(folders)
    ]  # fmt: skip


def ended(begun, seconds):
    """Exit code and sentences of each."""
    try:
        found = [process.communicate(timeout=seconds) for process in begun]
    finally:
        for process in begun:
            process.kill()
    errors = [[line for line in err.splitlines() if line.startswith("error:")] for _, err in found]
    assert not any("Traceback" in err or "frame #" in err for _, err in found), found
    return [process.returncode for process in begun], errors


def test_nodes_that_differ_are_refused_before_the_first_step(nodes):
    make.edit(nodes[1] / "params.yaml", {"train.lr": 0.7})
    codes, (first, second) = ended(start(nodes), 240)
    assert codes == [1, 1]
    assert first == second
    assert len(first) == 1
    assert "node 1 (host " in first[0]
    assert "in train.lr (0.7 instead of " in first[0]
    assert not (nodes[0] / paths.HISTORY).exists()


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_when_one_is_killed_the_other_ends_with_a_sentence_within_a_minute(nodes, lost):
    begun = start(nodes)
    end = time.monotonic() + 240
    while not (nodes[0] / paths.HISTORY).exists() and time.monotonic() < end:
        time.sleep(0.2)
    begun[lost].send_signal(signal.SIGKILL)
    codes, errors = ended(begun, 60)
    assert codes[lost] == -signal.SIGKILL
    assert codes[1 - lost] == 1
    assert len(errors[1 - lost]) == 1
    assert f"node {lost} (host " in errors[1 - lost][0]
    assert "was lost; start the same command again on every node" in errors[1 - lost][0]


def test_several_nodes_want_to_know_where_they_meet(monkeypatch):
    for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match=r"train\.num_nodes is 2, but MASTER_ADDR, MASTER_PORT, NODE_RANK is not set"):
        processes.fabric(settings(num_nodes=2), CPU, "32")


def test_a_launcher_that_started_another_number_is_told(monkeypatch):
    given = {"SLURM_NTASKS": "1", "SLURM_NNODES": "3", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"does not fit train\.devices, train\.num_nodes: .*num_nodes=2"):
        processes.fabric(settings(num_nodes=2), CPU, "32")
