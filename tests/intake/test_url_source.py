import shutil
import zipfile

import pytest

from darkroom.intake.url_source import file_name, from_url, from_urls
from tests import make
from tests.intake.fetched import ARCHIVE, names, no_download_waits, refusal
from tests.web import Answer, file, serve

OTHER = make.zip_of({"test/a/1.png": make.picture(2, 60, 60)}, zipfile.ZIP_STORED)


def by_path(contents):
    """An answer function for several files."""
    answers = {f"/{name}": content if callable(content) else file(content) for name, content in contents.items()}
    return lambda request: answers[request.path.partition("?")[0]](request)


def members(path):
    with zipfile.ZipFile(path) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


@pytest.mark.parametrize(
    ("url", "name"),
    [("http://a/b/c.zip?x=1#y", "c.zip"), ("http://a/b%20c.zip", "b c.zip"), ("http://a/b/", "b"), ("http://a", "")],
)
def test_the_name_of_a_file_is_the_last_part_of_its_address(url, name):
    assert file_name(url) == name


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", b"label,pixel0\n1,2\n"), ("train-images-idx3-ubyte.gz", b"\x1f\x8b\x08")]
)
def test_a_file_of_pictures_becomes_a_zip_of_one_member(project, folder, name, content):
    with serve(file(content)) as server:
        brought = from_url(f"{server.url}/{name}", folder)
    assert members(brought) == {name: content}
    assert names(folder) == [f"{name}.zip"]
    assert no_download_waits(project)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", b"<html>Sign in</html>", "no archive but a web page"),
        ("a.csv", b"", "no whole archive (it is empty)"),
        ("a.npz", b"MZ", "no whole archive (it begins otherwise)"),
    ],
)
def test_what_is_no_file_of_pictures_is_told(folder, name, content, says):
    with serve(file(content)) as server:
        assert says in refusal(lambda: from_url(f"{server.url}/{name}", folder))
    assert names(folder) == []


def test_several_archives_become_one(project, folder):
    with serve(by_path({"a/train.zip": ARCHIVE, "test.zip": OTHER, "labels.csv": b"1"})) as server:
        urls = [f"{server.url}/{name}" for name in ("test.zip", "a/train.zip?token=x", "labels.csv")]
        assert members(from_urls(urls, folder)) == {"labels.csv": b"1", "test.zip": OTHER, "train.zip": ARCHIVE}
    assert names(folder) == ["archives.zip"]
    assert no_download_waits(project)


def test_of_several_archives_the_next_run_fetches_what_lacks(folder, pauses, small_pieces):
    good = {"a.zip": ARCHIVE, "b.zip": file(OTHER, cuts=[1000] + [0] * 4)}
    with serve(by_path(good)) as server:
        urls = [f"{server.url}/{name}" for name in good]
        assert "run again to go on where it stopped" in refusal(lambda: from_urls(urls, folder))
        before = len(server.requests)
        assert members(from_urls(urls, folder)) == {"a.zip": ARCHIVE, "b.zip": OTHER}
    again = server.requests[before:]
    assert [(request.path, request.headers.get("Range")) for request in again] == [("/b.zip", "bytes=1000-")]


def test_two_of_one_name_are_told_unasked(folder):
    with serve(file(ARCHIVE)) as server:
        urls = [f"{server.url}/{folder}/a.zip" for folder in ("x", "y")]
        assert "two archives are called a.zip" in refusal(lambda: from_urls(urls, folder))
    assert server.requests == []


def test_one_of_several_that_is_a_web_page_is_told_by_its_address(folder):
    with serve(by_path({"a.zip": ARCHIVE, "b.zip": b"<html>Sign in</html>"})) as server:
        urls = [f"{server.url}/{name}" for name in ("a.zip", "b.zip")]
        assert f"{server.url}/b.zip sent 20 bytes, no archive but a web page" in refusal(
            lambda: from_urls(urls, folder)
        )


@pytest.mark.parametrize("announced", [10**17, 10**40])
def test_a_size_that_the_disk_has_no_room_for_is_told_at_once(folder, pauses, announced):
    with serve(lambda _: Answer(200, ARCHIVE, {"Content-Length": announced})) as server:
        assert "takes 100000000" in refusal(lambda: from_url(f"{server.url}/a.zip", folder))
    assert len(server.requests) == 1


@pytest.mark.parametrize("announced", ["-5", "many", "9" * 5000])
def test_a_size_that_is_none_ends_in_a_sentence_or_well(folder, pauses, announced):
    with serve(lambda _: Answer(200, ARCHIVE, {"Content-Length": announced})) as server:
        said = make.refusal(lambda: from_url(f"{server.url}/a.zip", folder))
    assert said is None or make.is_one_line(said)


def test_the_room_that_a_download_needs_is_that_of_its_rest(folder, pauses, small_pieces, monkeypatch):
    usage = shutil.disk_usage(folder)
    with serve(file(ARCHIVE, cuts=[1000])) as server:
        free = [len(ARCHIVE), len(ARCHIVE) - 1000]
        monkeypatch.setattr("shutil.disk_usage", lambda folder: usage._replace(free=free.pop(0)))
        assert from_url(f"{server.url}/a.zip", folder).read_bytes() == ARCHIVE
    assert free == []
