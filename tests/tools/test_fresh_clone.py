import hashlib
import os

import pytest

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.base.files import write_text
from darkroom.config import entry_files, params
from darkroom.tools import fresh_clone
from tests import make
from tests.caches import cached_folder


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
