"""The corpus of hostile containers, each through the stages that read data."""

from pathlib import Path

import pytest

from tests import hostile, hostile_containers

CASES = hostile_containers.cases()


@pytest.mark.parametrize("name", CASES)
def test_it_is_told_or_handled(hostile_place, name):
    hostile.check(name, CASES[name])
    assert not Path("harm").exists()
