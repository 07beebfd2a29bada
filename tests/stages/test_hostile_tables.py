"""The corpus of hostile tables, lists and patterns, each through the stages that read data."""

import time

import pytest

from darkroom.config import patterns
from tests import hostile, hostile_tables
from tests.torture import inputs

CASES = hostile_tables.cases()
HEAVY = [f"table: {name}" for name in hostile_tables.HEAVY]


@pytest.mark.parametrize("name", [name for name in CASES if name not in HEAVY])
def test_it_is_told_or_handled(hostile_place, monkeypatch, name):
    monkeypatch.setattr(patterns, "SECONDS", 0.5)
    hostile.check(name, CASES[name])


@pytest.mark.slow
def test_large_ones_take_little_memory():
    """In processes of their own, whose memory is measured: to be run alone, for they begin with that of the tests."""
    with inputs.trials() as tried:
        cases = [("hostile tables, lists and patterns", name) for name in HEAVY]
        outcomes = tried(inputs.trial_of_case, cases, time.monotonic() + 600)
    assert [(arguments, problem) for arguments, problem in outcomes if problem] == []
    assert len(outcomes) == len(HEAVY)


def test_a_list_that_a_link_in_a_folder_is(hostile_place):
    """A folder's links are followed, so that the list is there."""
    folder = hostile_place / "folder"
    for path, content in hostile_tables.PICTURES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    (hostile_place / "elsewhere.csv").write_text(hostile_tables.GOOD)
    (folder / "labels.csv").symlink_to(hostile_place / "elsewhere.csv")
    good = hostile_tables.handled({})
    entry = good.entry | {"path": "folder"}
    hostile.check("a link", good._replace(entry=entry))
