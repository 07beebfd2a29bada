import mlflow
import pytest
from filelock import FileLock

from darkroom.tracking import at_work, store


@pytest.fixture
def runs(project, real_store):
    """Three runs that the store calls running, by what is known of them: their ids."""
    client = mlflow.MlflowClient(real_store)
    place = client.create_experiment("digits")
    ids = {name: client.create_run(place, run_name=name).info.run_id for name in ("working", "killed", "foreign")}
    client.set_terminated(client.create_run(place, run_name="done").info.run_id)
    return ids


def test_a_killed_process_leaves_a_run_that_is_told_from_those_at_work_and_from_those_of_other_machines(runs, project):
    mark = at_work.begin(runs["working"])
    at_work.begin(runs["killed"]).release()  # as the system does when a process is killed
    known = {run.info.run_name: state for run, state in at_work.unfinished()}
    assert known == {"working": "at work", "killed": "cut off", "foreign": "elsewhere"}
    at_work.end(mark)
    assert [file.name for file in (project.folder / ".running").iterdir()] == [runs["killed"]]


def test_a_run_that_was_cut_off_is_closed_as_killed_and_can_go_on(runs, project):
    at_work.begin(runs["killed"]).release()
    at_work.close(runs["killed"])
    assert store.client().get_run(runs["killed"]).info.status == "KILLED"
    assert not list((project.folder / ".running").iterdir())
    store.prepare()
    with mlflow.start_run(runs["killed"], log_system_metrics=False):
        assert store.client().get_run(runs["killed"]).info.status == "RUNNING"


def test_what_cannot_be_marked_costs_no_training(project):
    (project.folder / ".running").write_text("a file, where the folder should be")
    assert at_work.begin("ab") is None
    at_work.end(None)


def test_a_second_process_takes_no_mark_from_the_first(project):
    first = at_work.begin("ab")
    assert at_work.begin("ab") is None
    assert at_work.state_of("ab") == "at work"
    at_work.end(first)
    assert at_work.state_of("ab") == "elsewhere"


def test_without_a_store_none_is_made(project, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert at_work.unfinished() == []
    assert not (project.folder / store.FILE).exists()


def test_a_lock_is_held_as_long_as_its_process_has_it(tmp_path):
    file = tmp_path / "lock"
    assert not at_work.is_held(file)
    with FileLock(file):
        assert at_work.is_held(file)
    assert not at_work.is_held(file)
