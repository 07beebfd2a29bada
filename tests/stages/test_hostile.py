"""The corpus of hostile inputs, each through the stages that read data."""

import os
import shutil
import subprocess
import sys

import pytest

from tests import hostile, make
from tests.conftest import ROOT

CASES = hostile.cases(forms=("zip",))


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


def test_libraries_add_nothing_of_their_own(prepared, tmp_path):
    """In a process of its own, for pytest keeps warnings to itself."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    broken = {f"train/cat/{name}": content for name, content in hostile.broken_pictures()}
    files = hostile.GOOD | broken | make.pictures(("\u0e01\u6f22\n",), each=6, seed=9)
    (tmp_path / hostile.ARCHIVE).write_bytes(make.zip_of(files))
    hostile.Project(tmp_path).set(extract__max_rejected=1)
    code = "from stages import entry, fetch, extract, audit; entry.main(); fetch.main(); extract.main(); audit.main()"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr == ""
