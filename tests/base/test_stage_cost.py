import json

import pytest

from darkroom.base import stage_cost
from darkroom.base.uncommitted import MARK


@pytest.fixture
def dvc(tmp_path, monkeypatch):
    """Runs a stage, as DVC's process of this number does that started then."""
    monkeypatch.chdir(tmp_path)
    MARK.parent.mkdir(parents=True)

    def stage(name, process=7, start=1000.0):
        MARK.write_text(f"{process} {start}")
        monkeypatch.setenv("DVC_STAGE", name)
        stage_cost.note()

    return stage


def test_the_stages_of_one_run_tell_what_they_cost(dvc):
    dvc("extract")
    dvc("report", start=1001.0)  # of the same process, whose start is not known better
    found = stage_cost.of_this_run()
    assert set(found) == {"extract", "report"}
    assert set(found["report"]) == {"seconds", "cpu_seconds", "memory_megabytes"}
    assert all(value > 0 for value in found["report"].values())
    assert 10 < found["report"]["memory_megabytes"] < 100_000


@pytest.mark.parametrize("later", [{"process": 8}, {"start": 2000.0}])
def test_a_stage_of_an_earlier_run_is_none_of_this_one(dvc, later):
    dvc("extract")
    dvc("report", **later)
    assert set(stage_cost.of_this_run()) == {"report"}


def test_a_stage_run_by_hand_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stage_cost.note()
    assert stage_cost.of_this_run() == {}
    assert list(tmp_path.iterdir()) == []


def test_no_stage_fails_by_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "extract")
    stage_cost.note()  # there is no mark
    assert not stage_cost.FOLDER.exists()


def test_the_console_notes_the_cost_of_a_stage_that_ended(dvc, monkeypatch):
    from darkroom.base import console

    dvc("split")
    (stage_cost.FOLDER / "split.json").unlink()
    monkeypatch.setattr(console.uncommitted, "print_differences", lambda: None)
    console.run(lambda: None)
    assert json.loads((stage_cost.FOLDER / "split.json").read_text())["begun"] == [7, 1000]
