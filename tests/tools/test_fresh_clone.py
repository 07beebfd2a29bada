import hashlib
import os
import tempfile

import pytest

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.base.files import write_text
from darkroom.config import entry_files, params
from darkroom.tools import fresh_clone
from tests import make
from tests.caches import cached_folder
from tests.repository import git


@pytest.fixture
def fetched(project, tmp_path):
    """What `take_archive` gets for an archive in the DVC cache, with its source as the project is set up later."""
    cache = tmp_path / "cache"
    digest = cached_folder(cache, {"set.zip": b"packed", "source.json": b"{}"})

    def take(clone="clone", stale=False):
        settings, entry = params.load()
        entry_files.write(settings, entry, tmp_path / "recorded")
        files = [paths.ENTRY_SOURCE.as_posix(), paths.ENTRY_LAYOUT.as_posix()]
        hashes = [hashlib.md5((tmp_path / "recorded" / path).read_bytes()).hexdigest() for path in files]
        outs = [{"path": path, "md5": md5} for path, md5 in zip(files, hashes, strict=True)]
        recorded = {"entry": {"outs": outs}, "fetch": {"outs": [{"path": "data/raw", "md5": digest}]}}
        if stale:
            make.edit(project.datasets, {"mine.kaggle": "owner/other"})
            settings, entry = params.load()
        (tmp_path / clone).mkdir()
        return fresh_clone.take_archive(tmp_path / clone, recorded, settings, entry, cache)

    return take


def test_a_download_is_taken_from_the_cache_and_a_source_at_hand_is_read_again(fetched, project, tmp_path, capsys):
    assert fetched("bundled") == []
    project.add(kaggle="owner/name")
    assert fetched("kaggle") == ["entry", "fetch"]
    assert (tmp_path / "kaggle/data/raw/set.zip").read_bytes() == b"packed"
    assert "data/raw is not fetched anew" in capsys.readouterr().out
    write_text(tmp_path / "sets" / "archive.zip", "zip")
    project.use("sets/archive.zip")
    assert fetched("relative") == []
    assert (tmp_path / "relative/sets/archive.zip").read_bytes() == b"zip"
    far = os.path.relpath("/", project.folder) + "/dev/null"
    project.use(far)
    with pytest.raises(UserError, match="leads too far up for a clone elsewhere"):
        fetched("far")
    project.use("sets/archive.zip")
    (tmp_path / "sets" / "archive.zip").unlink()
    assert fetched("gone") == ["entry", "fetch"]


def test_several_archives_at_hand_are_read_again_and_else_taken_from_the_cache(fetched, project, tmp_path):
    for name in ("a.zip", "b.zip"):
        write_text(tmp_path / "sets" / name, name)
    project.add(path=["sets/a.zip", "sets/b.zip"])
    assert fetched("here") == []
    assert [(tmp_path / "here/sets" / name).read_text() for name in ("a.zip", "b.zip")] == ["a.zip", "b.zip"]
    (tmp_path / "sets" / "b.zip").unlink()
    assert fetched("half") == ["entry", "fetch"]


def test_an_archive_in_the_cache_of_another_source_is_not_taken(fetched, project, tmp_path):
    project.add(kaggle="owner/name")
    assert fetched("stale", stale=True) == []
    assert not (tmp_path / "stale/data/raw").exists()


DVC = """
import os, sys
print(" ".join(sys.argv[1:]), {name for name in os.environ if name.startswith(("DVC_", "MLFLOW_"))},
      os.environ["DARKROOM_TRACKING"], file=open("asked", "w"))
for name in ("a", "b", "c"):
    print(f"Running stage '{name}':", flush=True)
    if name == os.environ.get("BREAKS"):
        sys.exit("it broke")
open("ended", "w")
"""


@pytest.fixture
def rebuilt(tmp_path, monkeypatch):
    """Rebuilds stages of a clone in which DVC is one that runs a, b and c whatever it is asked for."""
    write_text(tmp_path / "dvc.py", DVC)
    monkeypatch.setenv("DVC_ROOT", "elsewhere")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")

    def rebuild(*names, taken=()):
        outputs = {name: [{"path": name, "md5": ""}] for name in "abc"}
        stages = {name: {"outs": outputs[name], "deps": outputs.get(chr(ord(name) - 1), [])} for name in names}
        return list(fresh_clone.rebuild(tmp_path, stages, list(taken), ": mend it"))

    return rebuild


def test_stages_are_rebuilt_with_a_dvc_of_their_own_and_no_record(rebuilt, tmp_path):
    assert rebuilt("a", "b", "c") == ["a", "b", "c"]
    assert (tmp_path / "asked").read_text().strip() == "repro --force --no-run-cache a b c set() off"
    assert (tmp_path / "ended").exists()


def test_what_follows_on_an_archive_at_hand_is_rebuilt(rebuilt, tmp_path):
    assert rebuilt("a", "b", "c", taken=["a"]) == ["b", "c"]
    assert "--downstream b set()" in (tmp_path / "asked").read_text()


def test_stages_of_which_nothing_is_recorded_are_passed_over(rebuilt, capsys):
    assert rebuilt("a") == ["a"]
    assert capsys.readouterr().out == " 1 of 1  a\n"
    assert rebuilt("b") == ["b"]


def test_a_stage_that_fails_in_the_clone_is_named(rebuilt, monkeypatch):
    monkeypatch.setenv("BREAKS", "b")
    with pytest.raises(UserError, match=r"^stage b fails in the clone, as said above: mend it$"):
        rebuilt("a", "b", "c")


@pytest.mark.parametrize("keep", [False, True])
def test_a_clone_is_deleted_unless_it_is_to_be_kept(tmp_path, monkeypatch, keep):
    repository = tmp_path / "repository"
    write_text(repository / "below" / ".dvc" / "config", "")
    write_text(repository / "below" / "file", "first")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        git(repository, *command)
    write_text(repository / "below" / "file", "second")
    git(repository, "commit", "-qam", "second")
    write_text(repository / "below" / ".pretrained" / "weights", "fetched")
    monkeypatch.chdir(repository / "below")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with fresh_clone.cloned("HEAD~1", "test", keep) as root:
        assert (root / "file").read_text() == "first"
        assert "dir = cache" in (root / ".dvc" / "config.local").read_text()
        assert (root / ".pretrained" / "weights").read_text() == "fetched"
    assert root.exists() == bool(list(tmp_path.glob("darkroom-test-*"))) == keep
    assert (repository / "below" / ".pretrained" / "weights").exists()
