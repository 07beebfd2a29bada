"""The record of a run is found by id or name, and read with what it lacks told."""

import json
from types import SimpleNamespace

import pytest

from darkroom.base.errors import UserError
from darkroom.base.files import write_text
from darkroom.config.yaml_files import dump
from darkroom.tools import mlflow_runs, recorded_run
from darkroom.tracking import store


def run(name, run_id):
    info = SimpleNamespace(run_name=name, run_id=run_id, start_time=1_700_000_000_000, artifact_uri="file:///gone")
    return SimpleNamespace(info=info)


RUNS = [run("warm-sun", "0123456789"), run("a991488", "aa00"), run("a991488", "aa11"), run("cold-moon", "bb00")]
STAGES = {
    "draw": {"deps": [{"path": "draw.py", "md5": "code"}], "outs": [{"path": "drawn", "md5": "1"}]},
    "sum": {"deps": [{"path": "drawn", "md5": "1"}], "outs": [{"path": "sums", "md5": "2"}]},
    "report": {"deps": [{"path": "sums", "md5": "2"}], "outs": [{"path": "page", "md5": "3"}]},
}


def lock(**changes):
    """The lock of three stages, of which each reads what the one before it makes; with the md5 that some read."""
    return {
        name: stage | {"deps": [stage["deps"][0] | {"md5": changes.get(name, stage["deps"][0]["md5"])}]}
        for name, stage in STAGES.items()
    }


@pytest.mark.parametrize(
    ("name", "found"),
    [("warm-sun", "0123456789"), ("0123456789", "0123456789"), ("01234", "0123456789"), ("bb00", "bb00")],
)
def test_a_run_is_found_by_its_name_or_id(name, found):
    assert recorded_run.find(name, RUNS).info.run_id == found


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("warm-son", r"has no run 'warm-son': did you mean warm-sun\?$"),
        ("012", "has no run '012'"),
        ("a991488", r"2 runs have the name 'a991488', so name one by its id: aa00 of 2023-11-1\d .*, aa11 of 2023"),
    ],
)
def test_a_name_of_none_or_several_is_refused(name, told):
    with pytest.raises(UserError, match=told):
        recorded_run.find(name, RUNS)


@pytest.fixture
def record(tmp_path):
    """Writes a record to a folder, with other facts or without a file; gives the folder."""

    def write(without="", **changes):
        state = {"commit": "c0ffee", "changed": 0, "left_out": [], "masked": []} | changes
        files = dict.fromkeys(recorded_run.FILES, "") | {
            "state.json": json.dumps(state),
            "dvc.yaml": dump({"stages": {name: {} for name in ("draw", "sum", "report")}}),
            "dvc.lock": dump({"stages": lock(report="that of an earlier run")}),
        }
        for name, content in files.items():
            if name != without:
                write_text(tmp_path / "provenance" / name, content)
        return tmp_path / "provenance"

    return write


def test_the_stages_are_those_that_had_run(record):
    assert list(recorded_run.read("run x", record()).stages) == ["draw", "sum"]
    unlocked = {"stage": "report", "outs": [{"path": "page", "md5": "4"}]}
    found = recorded_run.read("run x", record(unlocked=unlocked))
    assert list(found.stages) == ["draw", "sum", "report"]
    assert found.stages["report"] == {"outs": [{"path": "page", "md5": "4"}]}


def test_what_follows_on_a_stage_of_an_earlier_run_is_of_that_run_too():
    assert set(recorded_run.current(lock(sum="that of an earlier run"), {})) == {"draw"}
    assert set(recorded_run.current(lock(), {})) == {"draw", "sum", "report"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"without": "params.yaml"}, r"lacks params.yaml: it must be the folder provenance of a run's files"),
        ({"without": "dvc.lock"}, r"the record of run x has no dvc.lock: the run did not come to its last stage"),
        ({"commit": ""}, "run x was made outside of Git"),
        ({"unlocked": {"stage": "report"}}, r"holds no record of a run \(KeyError: 'outs'\)"),
    ],
)
def test_a_record_that_is_not_enough_is_refused(record, changes, told):
    with pytest.raises(UserError, match=told):
        recorded_run.read("run x", record(**changes))


class Client:
    """MLflow's client of a store whose runs have these files below `provenance`."""

    def __init__(self, files):
        self.files = files

    def list_artifacts(self, run_id, path):
        if self.files is None:
            raise OSError("no route to host")
        return self.files

    def download_artifacts(self, run_id, path, folder):
        assert (run_id, path) == ("0123456789", "provenance")


def test_the_record_is_fetched_from_the_store(record, tmp_path, monkeypatch):
    record()
    monkeypatch.setattr(mlflow_runs, "trainings", lambda: RUNS)
    monkeypatch.setattr(store, "client", lambda: Client(["state.json"]))
    found = recorded_run.from_store("warm-sun", tmp_path)
    assert (found.title, found.state["commit"]) == ("run warm-sun (0123456789)", "c0ffee")
    monkeypatch.setattr(store, "client", lambda: Client([]))
    with pytest.raises(UserError, match="an older version of Darkroom made it, or its files at file:///gone are gone"):
        recorded_run.from_store("warm-sun", tmp_path)
    monkeypatch.setattr(store, "client", lambda: Client(None))
    with pytest.raises(UserError, match=r"the files of run warm-sun .* cannot be read: no route to host"):
        recorded_run.from_store("warm-sun", tmp_path)
