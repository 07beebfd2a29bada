"""The corpus of hostile inputs, each through the stages that read data."""

import os
import subprocess
import sys

import pytest

from tests import hostile, make
from tests.conftest import ROOT

CASES = hostile.cases(forms=("zip",))


@pytest.mark.parametrize("name", CASES)
def test_it_is_told_or_handled(hostile_place, name):
    hostile.check(name, CASES[name])


def test_libraries_add_nothing_of_their_own(hostile_place):
    """In a process of its own, for pytest keeps warnings to itself."""
    broken = {f"train/cat/{name}": content for name, content in hostile.broken_pictures()}
    files = hostile.GOOD | broken | make.pictures(("\u0e01\u6f22\n",), each=6, seed=9)
    (hostile_place / hostile.ARCHIVE).write_bytes(make.zip_of(files))
    hostile.Project(hostile_place).set(extract__max_rejected=1)
    code = "from stages import entry, fetch, extract, audit; entry.main(); fetch.main(); extract.main(); audit.main()"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=hostile_place,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr == ""
