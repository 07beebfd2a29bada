import json

import pytest

from darkroom.base.errors import UserError
from darkroom.config.entry_files import EntrySource
from darkroom.intake import fetching, kept_download
from tests.intake.fetched import ARCHIVE, names
from tests.web import file, serve

ELSEWHERE = EntrySource(source="url", place="http://127.0.0.1/a.zip", sha256=None)


@pytest.fixture
def brought():
    """How often an archive was brought, and the function that brings it."""
    calls = []

    def bring(wanted, folder):
        calls.append(wanted)
        (folder / "a.zip").write_bytes(ARCHIVE)
        return folder / "a.zip", "origin"

    bring.calls = calls
    return bring


def test_what_is_kept_is_brought_once_and_then_taken_over(folder, brought):
    kept = kept_download.keep(ELSEWHERE, brought)
    assert kept.read_bytes() == ARCHIVE
    assert kept_download.keep(ELSEWHERE, brought) == kept
    assert len(brought.calls) == 1
    assert kept_download.take_over(ELSEWHERE, folder) == (folder / "a.zip", "origin")
    assert (folder / "a.zip").read_bytes() == ARCHIVE
    assert not kept.parent.exists()
    assert kept_download.take_over(ELSEWHERE, folder) is None


@pytest.mark.parametrize("damage", ["cut", "gone", "note", "no note"])
def test_what_is_not_whole_is_brought_again(damage, folder, brought):
    kept = kept_download.keep(ELSEWHERE, brought)
    if damage == "cut":
        kept.write_bytes(ARCHIVE[:-1])
    elif damage == "gone":
        kept.unlink()
    else:
        (kept.parent / kept_download.NOTE).write_text(json.dumps([]) if damage == "note" else "")
    assert kept_download.take_over(ELSEWHERE, folder) is None
    assert kept_download.keep(ELSEWHERE, brought).read_bytes() == ARCHIVE
    assert len(brought.calls) == 2


def test_another_source_is_another_archive(folder, brought):
    kept_download.keep(ELSEWHERE, brought)
    assert kept_download.take_over(ELSEWHERE.model_copy(update={"place": "http://127.0.0.1/b.zip"}), folder) is None
    assert kept_download.take_over(ELSEWHERE.model_copy(update={"source": "kaggle"}), folder) is None
    # The checksum that an entry wants is compared later.
    assert kept_download.take_over(ELSEWHERE.model_copy(update={"sha256": "0" * 64}), folder) is not None


def test_a_failed_download_keeps_nothing(folder):
    def bring(*_):
        raise UserError("no")

    with pytest.raises(UserError):
        kept_download.keep(ELSEWHERE, bring)
    assert kept_download.take_over(ELSEWHERE, folder) is None


def test_the_stage_fetch_downloads_nothing_that_add_has_downloaded_and_says_so(folder, capsys):
    with serve(file(ARCHIVE)) as server:
        wanted = EntrySource(source="url", place=f"{server.url}/a.zip", sha256=None)
        assert fetching.keep(wanted).read_bytes() == ARCHIVE
        asked = len(server.requests)
        found = fetching.fetch(wanted, folder)
        assert "a.zip is the download that `darkroom add` made on 2" in capsys.readouterr().out
        assert len(server.requests) == asked
    assert found.origin == f"url: {wanted.place}"
    assert (found.archive, found.bytes, names(folder)) == ("a.zip", len(ARCHIVE), ["a.zip"])
