import gzip
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from darkroom.intake.download import TRIES
from darkroom.intake.url_source import from_url
from tests import make
from tests.intake.fetched import ARCHIVE, names, no_download_waits, no_waiting_bytes, refusal
from tests.web import Answer, file, serve

pytestmark = pytest.mark.usefixtures("small_pieces")

SHORTER = make.zip_of({"train/a/1.png": make.picture(1, 20, 20)}, zipfile.ZIP_STORED)


def fetch(server, folder, name="set.zip"):
    return from_url(f"{server.url}/path/{name}?version=1", folder)


def test_a_file_is_downloaded(project, folder):
    with serve(file(ARCHIVE)) as server:
        copy = fetch(server, folder)
    assert copy == folder / "set.zip"
    assert copy.read_bytes() == ARCHIVE
    assert len(server.requests) == 1
    assert no_download_waits(project)


def test_the_name_is_the_last_part_of_the_address(folder):
    with serve(file(ARCHIVE)) as server:
        assert from_url(f"{server.url}/a%20b.tar.gz#part", folder).name == "a b.tar.gz"


def test_an_address_of_no_archive_is_refused_unasked(folder):
    with serve(file(ARCHIVE)) as server:
        sentence = refusal(lambda: fetch(server, folder, "set.html"))
    assert "names no archive: its last part must end in .zip" in sentence
    assert server.requests == []


def test_a_download_goes_on_where_it_broke_off(project, folder, pauses):
    with serve(file(ARCHIVE, cuts=[1000, 1500])) as server:
        assert fetch(server, folder).read_bytes() == ARCHIVE
    assert [request.headers.get("Range") for request in server.requests] == [None, "bytes=1000-", "bytes=2500-"]
    assert {request.headers.get("If-Range") for request in server.requests[1:]} == {'"1"'}
    assert pauses == [2, 4]
    assert no_download_waits(project)


def test_a_download_goes_on_in_the_next_run(folder, pauses):
    with serve(file(ARCHIVE, cuts=[700] * TRIES)) as server:
        sentence = refusal(lambda: fetch(server, folder))
        assert "run again to go on where it stopped" in sentence
        assert "fetch.archive.ENTRY=" in sentence
        assert names(folder) == []
        got = 700 * TRIES
        assert fetch(server, folder).read_bytes() == ARCHIVE
    assert server.requests[-1].headers["Range"] == f"bytes={got}-"


@pytest.mark.parametrize("honours_if_range", [True, False])
def test_a_file_that_changed_between_two_attempts_is_begun_anew(folder, pauses, honours_if_range):
    new = make.zip_of({"train/b/1.png": make.picture(2, 70, 70)}, zipfile.ZIP_STORED)
    old, changed = file(ARCHIVE, cuts=[1000]), file(new, '"2"', honours_if_range=honours_if_range)

    with serve(lambda request: (old if len(server.requests) == 1 else changed)(request)) as server:
        assert fetch(server, folder).read_bytes() == new


@pytest.mark.parametrize("etag", [None, 'W/"1"'])
def test_without_a_strong_mark_nothing_is_pieced_together(folder, pauses, etag):
    with serve(file(ARCHIVE, etag, cuts=[1000])) as server:
        assert fetch(server, folder).read_bytes() == ARCHIVE
    assert [request.headers.get("Range") for request in server.requests] == [None, None]


def test_the_date_of_change_serves_as_mark(folder, pauses):
    date = "Sat, 21 Nov 2026 20:00:00 GMT"

    def answer(request):
        reply = file(ARCHIVE, date, cuts=[1000] if len(server.requests) == 1 else [])(request)
        return reply._replace(headers={"Last-Modified": date})

    with serve(answer) as server:
        assert fetch(server, folder).read_bytes() == ARCHIVE
    assert server.requests[1].headers["If-Range"] == date
    assert server.requests[1].headers["Range"] == "bytes=1000-"


def test_a_server_that_cannot_resume_sends_all_again(folder, pauses):
    with serve(file(ARCHIVE, ranges=False, cuts=[1000])) as server:
        assert fetch(server, folder).read_bytes() == ARCHIVE


def test_a_waiting_file_that_is_too_long_is_thrown_away(folder, pauses):
    """As after a stop between the last byte and the end of the stage."""
    whole, shorter = file(ARCHIVE, cuts=[200] * TRIES), file(SHORTER)
    with serve(lambda request: (whole if len(server.requests) <= TRIES else shorter)(request)) as server:
        refusal(lambda: fetch(server, folder))
        assert fetch(server, folder).read_bytes() == SHORTER
    assert [request.headers.get("Range") is None for request in server.requests[-2:]] == [False, True]


@pytest.mark.parametrize("length", [len(ARCHIVE) + 1, len(ARCHIVE) * 2])
def test_fewer_bytes_than_announced_are_no_download(folder, pauses, length):
    with serve(lambda _: Answer(200, ARCHIVE, {"Content-Length": length})) as server:
        assert "the connection breaks off" in refusal(lambda: fetch(server, folder))
    assert len(server.requests) == TRIES
    assert names(folder) == []


def test_a_length_that_is_not_announced(folder):
    with serve(lambda _: Answer(200, ARCHIVE, {"Content-Length": None})) as server:
        assert fetch(server, folder).read_bytes() == ARCHIVE


@pytest.mark.parametrize(("code", "says"), [(404, "404 not found"), (403, "403 forbidden"), (410, "410 gone")])
def test_a_refusal_of_the_server_is_told_at_once(folder, pauses, code, says):
    with serve(lambda _: Answer(code)) as server:
        sentence = refusal(lambda: fetch(server, folder))
    assert f"{server.url}/path/set.zip?version=1 answered {says}: check the address in a browser" in sentence
    assert len(server.requests) == 1
    assert pauses == []


def broken_range(how):
    """Serves ARCHIVE, breaking off the first answer; `how` changes the headers of a part."""
    good = file(ARCHIVE, cuts=[1000])

    def answer(request):
        reply = good(request)
        return reply._replace(headers={**reply.headers, **how}) if reply.status == 206 else reply

    return answer


@pytest.mark.parametrize(
    "how",
    [
        {"Content-Range": f"bytes 900-{len(ARCHIVE) - 1}/{len(ARCHIVE)}"},
        {"Content-Range": "bytes */*"},
        {"Content-Range": None},
        {"ETag": None},
    ],
    ids=str,
)
def test_a_part_that_is_not_surely_the_missing_one_is_not_joined_on(folder, pauses, how):
    with serve(broken_range(how)) as server:
        assert fetch(server, folder).read_bytes() == ARCHIVE
    assert [request.headers.get("Range") for request in server.requests] == [None, "bytes=1000-", None]


def test_a_run_killed_between_the_mark_of_a_new_file_and_its_bytes(folder, pauses, monkeypatch):
    """Else bytes of the old file would stand under the mark of the new one."""
    served, opened = file(ARCHIVE, cuts=[300] * TRIES), Path.open
    new = make.zip_of({"train/b/1.png": make.picture(2, 70, 70)}, zipfile.ZIP_STORED)

    def killed(path, *arguments, **options):
        if path.suffix == ".zip":
            raise KeyboardInterrupt
        return opened(path, *arguments, **options)

    with serve(lambda request: served(request)) as server:
        refusal(lambda: fetch(server, folder))
        served = file(new, '"2"')
        with monkeypatch.context() as context:
            context.setattr(Path, "open", killed)
            with pytest.raises(KeyboardInterrupt):
                fetch(server, folder)
        assert fetch(server, folder).read_bytes() == new


def test_a_mark_that_cannot_be_sent_back_is_none(folder, pauses):
    etag = '"\x07"'
    with serve(file(ARCHIVE, etag, cuts=[1000])) as server:
        assert fetch(server, folder).read_bytes() == ARCHIVE
    assert [request.headers.get("Range") for request in server.requests] == [None, None]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<!doctype html><title>Sign in</title>", "no archive but a web page"),
        (b"", "no whole archive (it has no directory at its end)"),
        (b"PK", "no whole archive ("),
        (bytes(2000), "no whole archive (it holds no file)"),
        (ARCHIVE[:500], "no whole archive ("),
        (b"<?xml version='1.0'?><Error/>" + ARCHIVE, "no archive but a web page"),
    ],
)
def test_what_is_no_archive_is_told_and_not_kept(project, folder, body, says):
    with serve(lambda _: Answer(200, body)) as server:
        sentence = refusal(lambda: fetch(server, folder))
    assert f"{server.url}/path/set.zip?version=1 sent {len(body):,} bytes, {says}" in sentence
    assert "fetch.archive.ENTRY=" in sentence
    assert len(server.requests) == 1
    assert names(folder) == []
    assert no_waiting_bytes(project)


@pytest.mark.parametrize("name", ["set.zip", "set.tar.gz"])
def test_what_the_server_compresses_unasked_is_never_kept_as_the_file(folder, name):
    body = gzip.compress(ARCHIVE if name == "set.zip" else make.tar_of({"a/1.png": make.picture(1)}))
    with serve(lambda _: Answer(200, body, {"Content-Encoding": "gzip"})) as server:
        if name == "set.zip":
            assert "compresses it on the way (gzip)" in refusal(lambda: fetch(server, folder, name))
            assert names(folder) == []
        else:  # many servers say so of a file that is itself compressed
            assert fetch(server, folder, name).read_bytes() == body


@pytest.mark.parametrize("code", [204, 299, 300, 304])
def test_an_answer_that_is_no_file_is_told(folder, pauses, code):
    with serve(lambda _: Answer(code)) as server:
        assert f"answered {code}" in refusal(lambda: fetch(server, folder))


@pytest.mark.parametrize("head", [b"\x1b[31mnonsense\r\n\r\n", b"HTTP/1.1 \x00\r\n\r\n", b"\r\n\r\n", b""])
def test_a_server_that_speaks_something_else_is_told(folder, pauses, head):
    with serve(lambda _: Answer(200, head=head)) as server:
        assert refusal(lambda: fetch(server, folder)).isprintable()


def in_seconds(seconds):
    return str(seconds)


def as_date(seconds):
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize("form", [in_seconds, as_date])
def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(folder, pauses, form):
    busy = Answer(503, headers={"Retry-After": form(100)})
    with serve([busy, Answer(200, ARCHIVE)]) as server:
        assert fetch(server, folder).read_bytes() == ARCHIVE
    assert pauses == [pytest.approx(100, abs=3)]


@pytest.mark.parametrize("form", [in_seconds, as_date])
def test_a_server_that_asks_for_hours_is_not_waited_for(folder, pauses, form):
    with serve(lambda _: Answer(429, headers={"Retry-After": form(7200)})) as server:
        sentence = refusal(lambda: fetch(server, folder))
    assert re.search(r"asks to be left alone for 7,[12]\d\d seconds: run again then", sentence)
    assert pauses == []


@pytest.mark.parametrize(
    "value",
    [
        "soon",
        "-5",
        "",
        "Fri, 99 Nov 2026 20:00:00 GMT",
        "Mon, 99999999999999999999 Jan 2020 00:00:00 GMT",
        "Sat, 21 Nov 2020 10:00:00 GMT",
        "²",
    ],
)
def test_a_pause_that_makes_no_sense_is_ours(folder, pauses, value):
    with serve(
        [Answer(503, headers={"Retry-After": value.encode().decode("latin-1")}), Answer(200, ARCHIVE)]
    ) as server:
        assert fetch(server, folder).read_bytes() == ARCHIVE
    assert pauses == [2]


def test_two_that_want_the_same_file_at_once_both_get_it(project, folder):
    other = project.folder / "other"
    other.mkdir()
    with serve(lambda _: Answer(200, ARCHIVE, pieces=10)) as server, ThreadPoolExecutor(2) as pool:
        copies = list(pool.map(lambda place: fetch(server, place), (folder, other)))
    assert [copy.read_bytes() for copy in copies] == [ARCHIVE, ARCHIVE]


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_server_in_trouble_is_asked_again(folder, pauses, code):
    with serve([Answer(code), Answer(code), Answer(200, ARCHIVE)]) as server:
        assert fetch(server, folder).read_bytes() == ARCHIVE
    assert pauses == [2, 4]


def test_a_server_that_stays_in_trouble_is_given_up(folder, pauses):
    with serve(lambda _: Answer(503)) as server:
        sentence = refusal(lambda: fetch(server, folder))
    assert "cannot be reached, or the connection breaks off" in sentence
    assert len(server.requests) == TRIES


def test_a_server_that_refuses_every_range_is_given_up(folder, pauses):
    with serve(lambda _: Answer(416)) as server:
        refusal(lambda: fetch(server, folder))


def test_a_redirection_is_followed(folder):
    def answer(request):
        return Answer(302, b"", {"Location": "/other"}) if "set.zip" in request.path else Answer(200, ARCHIVE)

    with serve(answer) as server:
        assert fetch(server, folder).read_bytes() == ARCHIVE


@pytest.mark.parametrize("target", ["/path/set.zip", "ftp://127.0.0.1/set.zip", "http://[/set.zip"])
def test_a_redirection_that_leads_nowhere_is_told(folder, pauses, target):
    with serve(lambda _: Answer(302, b"", {"Location": target})) as server:
        refusal(lambda: fetch(server, folder))


def test_a_server_that_is_down_is_told(folder, pauses, closed_port):
    sentence = refusal(lambda: from_url(f"http://127.0.0.1:{closed_port}/set.zip", folder))
    assert f"127.0.0.1:{closed_port} cannot be reached" in sentence
    assert pauses == [2, 4, 8, 16]


def test_a_machine_that_does_not_exist_is_told(folder, pauses):
    assert "nowhere.invalid cannot be reached" in refusal(lambda: from_url("http://nowhere.invalid/set.zip", folder))


@pytest.mark.parametrize("url", ["http:///set.zip", "http://a..b/set.zip", "http://127.0.0.1:99999/set.zip"])
def test_an_address_that_cannot_be_is_told(folder, pauses, url):
    refusal(lambda: from_url(url, folder))
