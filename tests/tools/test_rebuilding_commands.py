"""What verify and reproduce are given on the command line, and how they end."""

from pathlib import Path

import pytest

from darkroom.base.errors import UserError
from darkroom.tools import commands, recorded_run, reproduce, verify


@pytest.fixture
def asked(monkeypatch):
    """What the commands ask for, in place of rebuilding anything; the first word of it is false for a difference."""
    calls = []
    monkeypatch.setattr(verify, "run", lambda: calls.append(("verify",)))
    monkeypatch.setattr(recorded_run, "from_store", lambda name, folder: ("run", name, folder.is_dir()))
    monkeypatch.setattr(recorded_run, "read", lambda title, folder: (title, folder))
    monkeypatch.setattr(reproduce, "run", lambda record, keep: calls.append((*record, keep)) or record[0] == "run")
    return calls


def test_a_run_comes_from_the_store_or_from_a_folder_of_the_caller(asked):
    commands.main(["reproduce", "warm-sun"])
    assert asked.pop() == ("run", "warm-sun", True, False)
    with pytest.raises(SystemExit):  # other bytes
        commands.main(["reproduce", "--from", "provenance", "--keep"])
    assert asked.pop() == ("the run of provenance", Path.cwd() / "provenance", True)


@pytest.mark.parametrize("words", [[], ["warm-sun", "--from", "provenance"]])
def test_one_of_both_is_wanted(asked, words):
    with pytest.raises(UserError, match="takes either a run or --from with a folder"):
        commands.main(["reproduce", *words])


def test_verify_ends_with_code_1_where_bytes_differ(asked):
    with pytest.raises(SystemExit, match="1"):
        commands.main(["verify"])
    assert asked == [("verify",)]
