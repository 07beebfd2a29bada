import hashlib

from darkroom.base.files import write_text
from darkroom.tools import dvc_lock, output_differences
from tests.caches import cached_folder
from tests.repository import git


def test_files_of_a_folder_are_told_one_by_one(tmp_path):
    caches = tmp_path / "cache", tmp_path / "clone" / ".dvc" / "cache"
    contents = {"a.json": b'{"x": 1}', "b": b"same", "old": b""}, {"a.json": b'{"x": 2}', "b": b"same", "new": b""}
    was, now = (
        {"outs": [{"path": "made", "md5": cached_folder(cache, files)}]}
        for cache, files in zip(caches, contents, strict=True)
    )
    write_text(tmp_path / "clone" / "made" / "a.json", '{"x": 2}')
    assert dvc_lock.differing_outputs(was, now) == ["made"]
    said = list(output_differences.by_how_much(tmp_path / "clone", ["made"], was, now, caches[0]))
    assert said == ["made/a.json: x was 1, is 2", "made/new: was not there", "made/old: is missing"]


def test_a_committed_file_is_the_earlier_version_only_where_it_has_the_recorded_hash(tmp_path):
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "state"]):
        write_text(tmp_path / "figures.json", '{"x": 1}')
        git(tmp_path, *command)
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)
    write_text(tmp_path / "figures.json", '{"x": 2}')
    now = {"outs": [{"path": "figures.json", "md5": "that of x = 2"}]}
    committed = hashlib.md5(b'{"x": 1}').hexdigest()
    for digest, told in ((committed, "x was 1, is 2"), ("of another run", "no copy of what it was")):
        was = {"outs": [{"path": "figures.json", "md5": digest}]}
        said = list(output_differences.by_how_much(tmp_path, ["figures.json"], was, now, tmp_path / "empty"))
        assert said == [f"figures.json: {told}"]
