import hashlib

import pytest

from darkroom.base.errors import UserError
from darkroom.config.entry_files import EntrySource
from darkroom.intake import huggingface_source, kaggle_source, path_source
from darkroom.intake.archive import Limits, files
from darkroom.intake.fetching import fetch
from tests import make
from tests.intake.fetched import ARCHIVE, names, refusal
from tests.web import file, serve

DIGEST = hashlib.sha256(ARCHIVE).hexdigest()
OTHER = "0" * 64


def wanted(source, place, sha256=None):
    return EntrySource(source=source, place=place, sha256=sha256)


@pytest.fixture
def archive(project):
    (project.folder / "a.zip").write_bytes(ARCHIVE)
    return "a.zip"


def test_what_is_known_of_the_archive(folder, archive):
    assert fetch(wanted("path", archive, DIGEST), folder).model_dump() == {
        "archive": "a.zip",
        "origin": "file: a.zip",
        "sha256": DIGEST,
        "bytes": len(ARCHIVE),
    }
    assert names(folder) == ["a.zip"]


def test_the_folder_is_made_where_there_is_none(project, archive):
    fetch(wanted("path", archive), project.folder / "deep" / "raw")
    assert names(project.folder / "deep" / "raw") == ["a.zip"]


def test_the_origin_names_the_source_and_no_folder_of_this_machine(project, folder, archive, monkeypatch):
    def origin(source, place):
        found = fetch(wanted(source, place), folder)
        assert str(project.folder) not in found.origin
        return found.origin

    brought = path_source.from_path
    monkeypatch.setattr(kaggle_source, "data_set", lambda _, folder: brought(project.folder / archive, folder))
    assert origin("bundled", "digits") == "bundled: scikit-learn"
    assert origin("path", str(project.folder / archive)) == "file: a.zip"
    assert origin("kaggle", "owner/set/3") == "kaggle: owner/set/3"
    monkeypatch.setattr(kaggle_source, "competition", kaggle_source.data_set)
    assert origin("competition", "dogs") == "competition: dogs"
    monkeypatch.setattr(huggingface_source, "data_set", kaggle_source.data_set)
    assert origin("huggingface", "owner/set@0") == "huggingface: owner/set@0"
    assert origin("path", [str(project.folder / archive)]) == "files: a.zip"
    with serve(file(ARCHIVE)) as server:
        assert origin("url", f"{server.url}/a.zip") == f"url: {server.url}/a.zip"


def test_a_password_in_the_address_is_used_and_not_written_down(folder):
    with serve(file(ARCHIVE)) as server:
        address = server.url.replace("://", "://me:secret@") + "/a.zip"
        found = fetch(wanted("url", address), folder)
        assert server.requests[0].headers["Authorization"].startswith("Basic ")
    assert found.origin == f"url: {server.url.replace('://', '://...@')}/a.zip"
    assert "secret" not in str(found)


def test_a_wrong_checksum_is_refused_and_the_archive_is_not_kept(folder, archive):
    said = refusal(lambda: fetch(wanted("path", archive, OTHER), folder))
    assert said.startswith(f"a.zip has sha256 {DIGEST}, but datasets.yaml wants {OTHER}: the download was damaged")
    assert names(folder) == []


def test_a_folder_becomes_an_archive(project, folder):
    (project.folder / "set" / "train" / "a").mkdir(parents=True)
    (project.folder / "set" / "train" / "a" / "1.png").write_bytes(make.picture(1))
    assert fetch(wanted("path", "set"), folder).archive == "set.zip"
    assert names(folder) == ["set.zip"]


def test_the_archive_is_left_there_alone(folder, archive):
    (folder / "old.zip").touch()
    (folder / "unpacked" / "deep").mkdir(parents=True)
    (folder / "unpacked" / "deep" / "1.png").touch()
    fetch(wanted("path", archive), folder)
    assert names(folder) == ["a.zip"]
    assert (folder / "a.zip").read_bytes() == ARCHIVE


def test_what_was_there_stays_where_the_source_is_missing(folder):
    (folder / "old.zip").write_bytes(ARCHIVE)
    with pytest.raises(UserError, match="there is no file or folder"):
        fetch(wanted("path", "missing.zip"), folder)
    assert (folder / "old.zip").read_bytes() == ARCHIVE


def test_several_archives_have_one_checksum_and_no_password(project, folder, archive):
    with serve(file(ARCHIVE)) as server:
        there = server.url.replace("://", "://me:secret@")
        found = fetch(wanted("url", [f"{there}/a.zip", f"{there}/b.zip"]), folder)
        assert found.origin == "url: {0}/a.zip, {0}/b.zip".format(server.url.replace("://", "://...@"))
        again = fetch(wanted("url", [f"{there}/b.zip", f"{there}/a.zip"], found.sha256), folder)
    assert again.sha256 == found.sha256 == hashlib.sha256((folder / "archives.zip").read_bytes()).hexdigest()
    assert names(folder) == ["archives.zip"]


def test_the_files_of_several_archives_lie_in_folders_of_their_names(project, folder, archive):
    (project.folder / "more.tar.gz").write_bytes(make.tar_of({"x/1.png": b"1"}, "gz"))
    fetch(wanted("path", [archive, "more.tar.gz"]), folder)
    stream = files(folder / "archives.zip", wanted=lambda _: True, may_hold=lambda _: True, limits=Limits())
    assert [one.path for one in stream] == ["a/train/a/1.png", "more/x/1.png"]
