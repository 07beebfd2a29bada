"""The first stage under DVC: what it spares the next two, and names that DVC would misread."""

import subprocess

import pytest

from darkroom.config.params import load
from darkroom.config.yaml_files import dump, read_yaml
from tests import make
from tests.repository import make_repository, run, surroundings


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    folder = make_repository(tmp_path_factory.mktemp("entry") / "repository")
    run(folder, "dvc", "repro", "extract")
    return folder


@pytest.fixture
def repository(extracted):
    yield extracted
    run(extracted, "git", "checkout", "-q", "datasets.yaml", "params.yaml")


def ran(repository, *command):
    """The stages that a command of DVC's ran."""
    lines = run(repository, "dvc", *command).splitlines()
    return [line.split("'")[1] for line in lines if line.startswith("Running stage '")]


@pytest.mark.parametrize(
    ("key", "value", "again"),
    [
        ("recipe", {"train.epochs": 3}, ["entry"]),
        ("title", "Two kinds", ["entry"]),
        ("classes", {"dark": "Night"}, ["entry", "extract"]),
        ("sha256", None, ["entry"]),
    ],
)
def test_a_change_of_the_entry_runs_the_stages_again_that_it_concerns(repository, key, value, again):
    make.edit(repository / "datasets.yaml", {f"tiny.{key}": value})
    assert ran(repository, "repro", "extract") == again


def test_another_entry_and_its_archive_concern_neither(repository):
    make.edit(repository / "datasets.yaml", {"other": {"path": "x.zip", "train": ".", "channels": 1, "image_size": 8}})
    command = "exp", "run", "-S", "++fetch.archive.other=/nowhere/x.zip", "extract"
    assert not {"fetch", "extract"} & set(ran(repository, *command))


@pytest.mark.parametrize("name", ["flowers.v2", 2025, "2025", "x[1]", None, "nosuch"])
def test_a_name_that_dvc_would_misread_is_told_by_us(repository, monkeypatch, name):
    content = read_yaml(repository / "datasets.yaml")
    if name not in (None, "nosuch"):
        (repository / "datasets.yaml").write_text(dump(content | {name: content["tiny"]}))
    make.edit(repository / "params.yaml", {"dataset": name})
    ended = subprocess.run(
        ["dvc", "repro", "split"], cwd=repository, env=surroundings(), capture_output=True, text=True, check=False
    )
    lines = [line for line in ended.stderr.splitlines() if line.strip()]
    assert ended.returncode != 0
    assert lines[0].startswith("error: ")
    monkeypatch.chdir(repository)
    assert lines[0] == f"error: {make.refusal(load)}"
