import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from darkroom.base import graph, missing_data
from tests.conftest import ROOT

GRAPH = """
stages:
  extract: {cmd: a, deps: [raw.zip], outs: [images]}
  baseline: {cmd: a, deps: [images/a.npy], outs: [bar.json: {cache: false}, bar.parquet]}
  train: {cmd: a, deps: [images/a.npy], outs: [model]}
  evaluate: {cmd: a, deps: [images/b.csv, model, bar.parquet], outs: [figures.json]}
  report: {cmd: a, deps: [figures.json, images/c.csv], outs: [page.html]}
"""
RUN = ("python", "dvc", "exp", "run", "--pull", "--allow-missing")


@pytest.fixture
def said(tmp_path, monkeypatch):
    """What is said when `train` is the first stage, with these files here and those nowhere."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text(GRAPH)
    asked = []

    def said(*command, here=(), nowhere=(), code=0):
        for name in here:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()

        def status(arguments, **_):
            asked.append(arguments[arguments.index("--json") + 1 :])
            return SimpleNamespace(returncode=code, stdout=json.dumps(dict.fromkeys(nowhere, "missing")))

        monkeypatch.setattr(subprocess, "run", status)
        return list(missing_data.warnings("train", command))

    said.asked = asked
    return said


def test_what_a_later_stage_needs_and_nobody_has_is_told(said):
    (line,) = said(*RUN, "evaluate", here=["images/a.npy", "images/b.csv"], nowhere=["bar.parquet"])
    assert line.startswith("evaluate will fail: bar.parquet is neither here nor in the remote: ")
    assert said.asked == [["bar.parquet"]]


def test_a_folder_that_nobody_has_lacks_all_that_is_in_it(said):
    lines = said(*RUN, here=["bar.parquet"], nowhere=["images"])
    assert [line.partition(" is ")[0] for line in lines] == [
        "train will fail: images/a.npy",
        "evaluate will fail: images/b.csv",
        "report will fail: images/c.csv",
    ]


def test_without_pull_it_need_only_be_missing_here(said):
    command = ("dvc", "repro", "--allow-missing", "evaluate")
    (line,) = said(*command, here=["images/a.npy", "images/b.csv"])
    assert line == "evaluate will fail: bar.parquet is not here: dvc pull bar.parquet"
    assert said(*RUN, "evaluate") == []  # DVC pulls it


def test_a_worker_of_the_queue_hides_the_options_so_that_only_what_is_nowhere_is_told(said):
    assert said("dvc", "exp", "exec-run", here=["images/a.npy"]) == []
    assert len(said("dvc", "exp", "exec-run", nowhere=["bar.parquet"])) == 1


@pytest.mark.parametrize(
    ("command", "nowhere"),
    [
        (("dvc", "repro"), ["bar.parquet"]),  # DVC makes it anew
        ((*RUN, "train"), ["bar.parquet"]),  # evaluate is not asked for
        ((*RUN, "evaluate"), ["images/c.csv"]),  # neither is the report
    ],
)
def test_what_stops_no_stage_is_not_told(said, command, nowhere):
    assert said(*command, here=["images/a.npy", "images/b.csv"], nowhere=nowhere) == []


def test_a_remote_that_does_not_answer_stops_nothing(said):
    assert said(*RUN, nowhere=["bar.parquet"], code=255) == []


def test_of_our_own_graph_nothing_is_needed_that_the_stages_before_make(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(missing_data, "_is_there", lambda path: False)
    stages = graph.stages()
    of_all = missing_data.wanting(stages, "entry", ["dvc", "repro"])
    assert {name for name, paths in of_all.items() if paths} == set()
    needed = missing_data.wanting(stages, "train", ["dvc", "repro", "evaluate"])
    assert "data/baseline_predictions.parquet" in needed["evaluate"]
    assert not any(Path(path).parts[0] == "models" for paths in needed.values() for path in paths)
