"""The corpus of hostile containers, each through the stages that read data."""

import shutil
from pathlib import Path

import pytest

from tests import hostile, hostile_containers

CASES = hostile_containers.cases()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    hostile.prepare(folder)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_it_is_told_or_handled(prepared, tmp_path, monkeypatch, name):
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    hostile.check(name, CASES[name])
    assert not Path("harm").exists()
