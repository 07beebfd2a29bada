import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

from benchmarks import gpu
from benchmarks.fresh import ROOT
from benchmarks.on_gpu import part, rates, sets, tables
from benchmarks.on_gpu.part import LeftOut, Part, Setting
from darkroom.pictures.decoding import png


def works(setting):
    yield {"test": "one", "passed": True, "figure": 1.5}
    yield {"test": "two", "passed": True}


def breaks(setting):
    yield {"test": "before", "passed": True}
    raise RuntimeError("this part | is broken")


def dies(setting):
    yield {"test": "before", "passed": True}
    os.kill(os.getpid(), signal.SIGKILL)


def hangs(setting, file):
    yield {"test": "before", "passed": True}
    subprocess.run([sys.executable, "-c", f"import time; time.sleep(5); open({str(file)!r}, 'w')"], check=True)


def leaves_out(setting):
    yield {"test": "before", "passed": True}
    raise LeftOut("no CUDA")


def finds_a_fault(setting):
    yield {"test": "same bytes", "passed": False}


@pytest.fixture
def setting(tmp_path):
    return Setting("cpu", True, tmp_path, None, None, deadline=time.monotonic() + 60)


def run(function, setting, seconds=30, arguments=()):
    return part.run(Part("tests", "mine", function, seconds, arguments), setting, setting.work / "log")


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_rows_of_a_part_come_from_a_process_of_its_own(setting, start):
    found = run(works, dataclasses.replace(setting, start=start))
    assert [row["test"] for row in found["rows"]] == ["one", "two"]
    assert found["error"] is None
    assert found["left_out"] is None


@pytest.mark.parametrize(
    ("function", "kind", "said"),
    [
        (breaks, "error", "RuntimeError: this part"),
        (dies, "error", "exit code -9"),
        (leaves_out, "left_out", "no CUDA"),
    ],
)
def test_a_part_that_ends_early_keeps_what_it_had_told(setting, function, kind, said):
    found = run(function, setting)
    assert said in found[kind]
    assert [row["test"] for row in found["rows"]] == ["before"]


def test_a_part_that_hangs_is_cut_with_all_that_it_started(setting):
    file = setting.work / "too late"
    started = time.monotonic()
    found = run(hangs, setting, 3.2, (file,))
    assert "cut after 3 s" in found["error"]
    assert len(found["rows"]) == 1
    assert time.monotonic() - started < 30
    time.sleep(max(0.0, started + 7 - time.monotonic()))
    assert not file.exists()


def test_a_part_for_which_no_time_is_left_does_not_begin(tmp_path):
    late = Setting("cpu", True, tmp_path, None, None, deadline=time.monotonic() + 1)
    assert run(works, late)["left_out"] == "no time was left"


def call(monkeypatch, output, parts):
    monkeypatch.setattr(gpu, "PARTS", tuple(Part("tests", one.__name__, one, 30) for one in parts))
    monkeypatch.setattr(sys, "argv", ["gpu", "--smallest", "--output", str(output)])
    try:
        gpu.main()
    except SystemExit as end:
        return end.code, json.loads((output / "gpu.json").read_text())
    return 0, json.loads((output / "gpu.json").read_text())


@pytest.mark.usefixtures("one_thread")
def test_a_failing_part_is_recorded_and_stops_no_other(monkeypatch, tmp_path, capsys):
    code, report = call(monkeypatch, tmp_path, (breaks, dies, works))
    assert code == 1
    assert [bool(one["error"]) for one in report["parts"]] == [True, True, False]
    assert len(report["parts"][2]["rows"]) == 2
    table = (tmp_path / "gpu.md").read_text()
    assert "breaks failed: RuntimeError: this part / is broken" in table
    assert "| two | passed |" in table
    assert table in capsys.readouterr().out


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("parts", "code"), [((works, leaves_out), 0), ((works, finds_a_fault), 1)])
def test_the_exit_code_says_whether_something_failed(monkeypatch, tmp_path, parts, code):
    assert call(monkeypatch, tmp_path, parts)[0] == code


def test_a_table_has_a_column_for_each_figure_and_none_for_what_no_row_has():
    lines = tables._table([{"a": 1.23456, "b": None}, {"a": 12345.6, "c": [1, 2]}])
    assert lines == ["| a | c |", "| --- | --- |", "| 1.235 |  |", "| 12,346 | 1, 2 |"]


@pytest.mark.parametrize(
    ("card", "precision", "peak"),
    [
        ("NVIDIA H200", "bf16-mixed", 989e12),
        ("NVIDIA H100 PCIe", "16-mixed", 756e12),
        ("NVIDIA A100-SXM4-80GB", "32", 156e12),
        ("NVIDIA L40S", "bf16-mixed", 362e12),
        ("NVIDIA GeForce RTX 9999", "32", None),
    ],
)
def test_the_peak_is_that_of_the_card(card, precision, peak):
    assert rates.assumed_peak(card, precision) == peak


def test_the_made_set_is_the_same_each_time_and_shows_its_classes():
    images, labels = sets.shapes(1500, seed=0)
    again, _ = sets.shapes(1500, seed=0)
    assert np.array_equal(images, again)
    assert images.shape == (1500, 32, 32, 3)
    assert set(labels) == set(range(10))
    assert len(np.unique(images.reshape(1500, -1), axis=0)) == 1500
    # Neither brightness nor colour tells the class.
    means = np.array([images[labels == label].mean((0, 1, 2)) for label in range(10)])
    assert np.ptp(means, axis=0).max() < 20


def test_cifar_is_read_in_the_layout_of_the_catalogue(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images, _ = sets.shapes(270, seed=0)
    with zipfile.ZipFile("cifar.zip", "w") as packed:
        for number, image in enumerate(images):
            side = "train" if number < 250 else "test"
            packed.writestr(f"cifar10/cifar10/{side}/class{number % 10}/{number}.png", png(image))
    found = sets.cifar(tmp_path / "cifar.zip")
    assert {name: len(rows) for name, rows in found.rows.items()} == {"train": 240, "val": 10, "test": 20}
    assert np.array_equal(np.unique(found.images, axis=0), np.unique(images, axis=0))
    assert sorted(found.labels[found.rows["test"]]) == sorted([*range(10)] * 2)


def test_airbench_whitens_and_mirrors_as_its_recipe_says():
    import torch

    from benchmarks.peers import airbench

    images, _ = sets.shapes(200, seed=0)
    prepared = airbench.prepare(images, images, "cpu")
    whitened = torch.nn.functional.conv2d(prepared, airbench._whitening(prepared)[:12]).transpose(0, 1).flatten(1)
    assert torch.allclose(whitened @ whitened.T / whitened.shape[1], torch.eye(12), atol=0.05)
    # Darker from left to right, so that the slope tells whether an image is mirrored.
    slopes = torch.linspace(1, 0, 32).expand(40, 3, 32, 32)
    first, second = (seen[:, 0, 16, 8] > seen[:, 0, 16, 24] for seen in airbench._epochs(slopes, 2))
    assert torch.equal(first, ~second)
    assert 5 < int(first.sum()) < 35


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_airbench_learns():
    import torch

    from benchmarks.peers import airbench

    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 512)
    images = generator.integers(0, 60, (512, 32, 32, 3), np.uint8)
    images[labels == 1, 8:24, 8:24] += 120
    seen = airbench.prepare(images, images, "cpu")
    answers = torch.from_numpy(labels)
    found = airbench.train(seen, answers, seen, answers, epochs=12, widths=(4, 4, 4))
    assert found.accuracy > 0.9
    assert found.voted > 0.9


@pytest.mark.slow
def test_the_smallest_run_goes_through_every_part(tmp_path):
    command = [sys.executable, "-m", "benchmarks.gpu", "--smallest", "--cpu", "--output", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "gpu.json").read_text())
    assert [(one["group"], one["name"]) for one in report["parts"]] == [(one.group, one.name) for one in gpu.PARTS]
    for one in report["parts"]:
        assert one["error"] is None
        assert one["rows"] or "no CUDA" in one["left_out"]
    assert report["machine"]["torch"]
