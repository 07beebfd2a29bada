"""The server of the review: what it answers, and to whom."""

import http.client
import json
import threading
from contextlib import contextmanager

import pytest

from darkroom.base import paths
from darkroom.tools import decisions, review_page, review_queue
from darkroom.tools.review_page import Review
from darkroom.tools.review_pictures import Pictures
from tests.tools import reviewing


@contextmanager
def served(who="Ada"):
    """A server of the review; gives it and a function that asks it."""
    review = Review(review_queue.load(), who, Pictures())
    server = review_page.server(review, 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()

    def ask(place, body=None, path=None, **headers):
        link = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        given = {"Content-Type": "application/json"} | {key.replace("_", "-"): value for key, value in headers.items()}
        content = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        link.request("GET" if body is None else "POST", path or f"/{review.token}/{place}", content, given)
        answer = link.getresponse()
        text = answer.read()
        link.close()
        is_json = answer.headers["Content-Type"] == "application/json"
        return answer.status, json.loads(text) if is_json else text, answer.headers

    try:
        yield review, ask
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def ask(project):
    reviewing.site()
    with served() as (_, asked):
        yield asked


def wanted(kind, label=""):
    return {"kind": kind, "label": label}


def test_the_page_and_its_parts_come_from_here_alone(ask):
    status, page, headers = ask("")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    for name in ("review.css", "review.js", "report.css"):
        assert name.encode() in page
        assert ask(name)[0] == 200
    assert b"//" not in page.replace(b"<!--", b"")  # no address of elsewhere


def test_the_queue_names_pictures_labels_and_reasons(ask):
    _, found, headers = ask("queue")
    assert (found["dataset"], found["classes"], found["who"]) == ("mine", reviewing.CLASSES, "Ada")
    first, last = found["items"][0], found["items"][-1]
    assert (first["path"], first["label"], first["suggested"], first["original"]) == (
        "train/1.png", "bee", "cow", False,
    )  # fmt: skip
    assert last["near"][0] == {"row": 0, "label": "ant", "path": "train/0.png"}
    assert headers["Cache-Control"] == "no-store"


def test_pictures(ask):
    status, content, headers = ask("packed/1")
    assert (status, content[:4], headers["Content-Type"]) == (200, b"\x89PNG", "image/png")
    assert ask("original/1")[0] == 204  # all pixels are packed
    for place in ("packed/99", "packed/x", "packed", "packed/-1", "heat/1", "../params.yaml", "nothing"):
        assert ask(place)[0] == 404


def test_a_decision_stands_in_the_files_at_once(ask):
    status, answer, _ = ask("decision", {"row": 1, "wanted": wanted("relabel", "cow"), "seen": None})
    assert (status, answer["now"]["label"], answer["now"]["who"]) == (200, "cow", "Ada")
    assert paths.CORRECTIONS.read_text().endswith("mine,train/1.png,relabel,cow\n")
    _, held, _ = ask("decisions")
    assert list(held["decisions"]) == ["1"]
    ask("decision", {"row": 1, "wanted": None, "seen": answer["now"]})
    assert decisions.read("mine") == {}


def test_what_is_kept_is_the_label_that_the_picture_has(ask):
    ask("decision", {"row": 4, "wanted": wanted("keep", "cow"), "seen": None})
    assert decisions.read("mine")["train/4.png"].label == "bee"


def test_two_pages_lose_nothing_and_a_conflict_is_told(ask):
    with served("Bob") as (_, bob):
        bob("decision", {"row": 1, "wanted": wanted("drop"), "seen": None})
        status, answer, _ = ask("decision", {"row": 1, "wanted": wanted("keep", "bee"), "seen": None})
        assert (status, answer["conflict"], answer["now"]["who"]) == (200, True, "Bob")
        ask("decision", {"row": 4, "wanted": wanted("keep", "bee"), "seen": None})
        ask("decision", {"row": 1, "wanted": wanted("keep", "bee"), "seen": answer["now"]})
    assert {path: one.kind for path, one in decisions.read("mine").items()} == {
        "train/1.png": "keep",
        "train/4.png": "keep",
    }


def test_who_takes_back_gives_who_and_when_of_the_one_before(ask):
    before = wanted("relabel", "cow") | {"who": "Bob", "when": "then"}
    ask("decision", {"row": 1, "wanted": before, "seen": None})
    assert decisions.read("mine")["train/1.png"] == decisions.Decision("relabel", "cow", "Bob", "then")


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"[]", b"1", {}, {"row": 1}, {"row": 1, "wanted": wanted("relabel", "fly"), "seen": None},
        {"row": 1, "wanted": wanted("burn"), "seen": None}, {"row": [1], "wanted": None, "seen": None},
    ],
)  # fmt: skip
def test_what_is_no_decision_changes_nothing(ask, body):
    assert ask("decision", body)[0] == 400
    assert decisions.read("mine") == {}


def test_a_picture_that_is_not_under_review_is_refused(ask):
    assert ask("decision", {"row": 0, "wanted": wanted("drop"), "seen": None})[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example:80"}, {"Origin": "http://evil.example"}, {"Origin": "null"},
        {"Content_Type": "text/plain"}, {"Content_Length": "100000"},
    ],
)  # fmt: skip
def test_a_page_of_another_site_can_post_nothing(ask, headers):
    status, _, _ = ask("decision", {"row": 1, "wanted": wanted("drop"), "seen": None}, **headers)
    assert status == 403
    assert decisions.read("mine") == {}


@pytest.mark.parametrize("path", ["/", "/queue", "/wrong/queue", "/x" * 40])
def test_who_does_not_know_the_token_gets_nothing(ask, path):
    assert ask("", path=path)[0] == 403
    assert ask("decision", {"row": 1}, path=f"{path}decision")[0] == 403


def test_a_page_that_comes_by_another_name_of_this_machine_gets_nothing(ask):
    assert ask("", Host="evil.example")[0] == 403


def test_a_decision_that_cannot_be_written_is_told(ask):
    paths.CORRECTIONS.write_bytes(b"\xff")
    status, answer, _ = ask("decision", {"row": 1, "wanted": wanted("drop"), "seen": None})
    assert (status, "data/corrections.csv" in answer["error"]) == (500, True)
