import json

import pytest

from darkroom.tools import dvc_lock
from tests import make

STAGE = {
    "cmd": "python -m stages.a",
    "deps": [{"path": "in", "md5": "1"}, {"path": "code", "md5": "2"}],
    "params": {"params.yaml": {"a": {"x": 1}}},
    "outs": [{"path": "out", "md5": "3"}, {"path": "more", "md5": "4"}],
}


def test_stages_come_in_the_order_of_the_pipeline(tmp_path):
    (tmp_path / "dvc.yaml").write_text("stages: {a: {}, b: {}}")
    (tmp_path / "dvc.lock").write_text("stages: {old: {cmd: o}, b: {cmd: y}, a: {cmd: x}}")
    assert dvc_lock.recorded_stages(tmp_path, "c0ffee00") == {"a": {"cmd": "x"}, "b": {"cmd": "y"}}


@pytest.mark.parametrize(
    ("lock", "says"), [(None, "commit c0ffee0 has no dvc.lock"), ("schema: '2.0'", "records nothing of a, b")]
)
def test_a_commit_that_records_too_little_is_refused(tmp_path, lock, says):
    (tmp_path / "dvc.yaml").write_text("stages: {a: {}, b: {}}")
    if lock:
        (tmp_path / "dvc.lock").write_text(lock)
    sentence = make.refusal(lambda: dvc_lock.recorded_stages(tmp_path, "c0ffee00"))
    assert says in sentence
    assert make.is_one_line(sentence)


def test_outputs_that_differ_were_or_are_other_bytes():
    now = STAGE | {"outs": [{"path": "out", "md5": "3"}, {"path": "more", "md5": "5"}, {"path": "new", "md5": "6"}]}
    assert dvc_lock.differing_outputs(STAGE, STAGE) == []
    assert dvc_lock.differing_outputs(STAGE, now) == ["more", "new"]


def test_what_a_stage_reads_otherwise_is_told():
    now = {
        "cmd": "python -m stages.b",
        "deps": [{"path": "in", "md5": "1"}, {"path": "code", "md5": "9"}],
        "params": {"params.yaml": {"a": {"x": 2}}},
        "outs": [],
    }
    assert dvc_lock.changed_inputs(STAGE, STAGE) == []
    assert dvc_lock.changed_inputs(STAGE, now) == [
        "changed since dvc.lock was written: code",
        "set otherwise since dvc.lock was written: params.yaml: a.x was 1, is 2",
        "the command was python -m stages.a, is python -m stages.b",
    ]


def test_the_files_of_an_output_are_those_that_the_cache_lists(tmp_path):
    listing = dvc_lock.object_of(tmp_path, "ab12.dir")
    assert listing == tmp_path / "files" / "md5" / "ab" / "12.dir"
    assert dvc_lock.files_of(tmp_path, "ab12.dir") is None
    listing.parent.mkdir(parents=True)
    listing.write_text(json.dumps([{"relpath": "x/y", "md5": "1"}]))
    assert dvc_lock.files_of(tmp_path, "ab12.dir") == {"x/y": "1"}
    assert dvc_lock.files_of(tmp_path, "ab12") == {"": "ab12"}
    assert dvc_lock.files_of(tmp_path, "") is None


def test_a_path_lies_within_a_folder_not_beside_it():
    assert dvc_lock.is_within("data/raw", ["data/raw"])
    assert dvc_lock.is_within("data/raw/x", ["other", "data/raw"])
    assert not dvc_lock.is_within("data/raw2", ["data/raw"])
