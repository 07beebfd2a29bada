"""`darkroom review`: from the command to the last decision, also in a real browser."""

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

from darkroom.base import paths
from darkroom.tools import decisions, review, review_queue
from darkroom.tools.decisions import decide, made
from tests import make
from tests.chromium import browser, needs_chromium
from tests.conftest import ROOT
from tests.tools import reviewing

VIEW = "document.getElementById('picture-text').textContent.split(' ')[0]"


@pytest.fixture(autouse=True)
def site(project):
    reviewing.site()


@pytest.fixture
def free_port():
    """A port of this machine that is free."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def test_without_anything_to_look_at_it_says_so(capsys, free_port):
    reviewing.tables()
    review.run(free_port, "Ada", browser=False)
    assert capsys.readouterr().out.startswith("mine: no label is doubted")


def test_a_port_that_is_taken_and_a_table_that_cannot_be_read_are_told_first(closed_port, free_port):
    assert f"--port {closed_port}" in make.refusal(lambda: review.run(closed_port, None, browser=False))
    paths.CORRECTIONS.write_text("path\n")
    assert "data/corrections.csv" in make.refusal(lambda: review.run(free_port, None, browser=False))


def test_a_browser_is_opened_where_there_is_a_screen_alone(monkeypatch):
    monkeypatch.setattr(review.sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not review._has_screen()
    monkeypatch.setenv("DISPLAY", ":0")
    assert review._has_screen()
    monkeypatch.delenv("DISPLAY")
    monkeypatch.setattr(review.sys, "platform", "darwin")
    assert review._has_screen()


def test_who_decides_is_whom_git_knows(monkeypatch):
    monkeypatch.setattr(review.git, "output_if_any", lambda *_: "Ada")
    assert review.name() == "Ada"
    monkeypatch.setattr(review.git, "output_if_any", lambda *_: "")
    monkeypatch.setattr(review.getpass, "getuser", lambda: "me")
    assert review.name() == "me"


def test_the_end_says_what_was_decided_and_what_to_type():
    queue = review_queue.load()
    decide("mine", ("train/4.png", "bee"), made("keep", "bee", "Ada"), None)
    assert "nothing to run again" in review.closing(queue, 1)
    decide("mine", ("train/1.png", "bee"), made("relabel", "cow", "Ada"), None)
    first, last = review.closing(queue, 2).splitlines()
    assert first.startswith(
        "2 decisions in this session; of 4 pictures 2 are decided (1 kept, 1 relabelled, 0 dropped)"
    )
    assert last.startswith("next: dvc repro, then darkroom summary --against HEAD")


@contextmanager
def command(port, who):
    """The command as a user starts it; gives the address, and ends it by Ctrl+C."""
    paths.GRAPH.touch()
    process = subprocess.Popen(
        [sys.executable, "-m", "darkroom", "review", "--no-browser", "--port", str(port), "--who", who],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    said = []
    try:
        said.append(process.stdout.readline())
        said.append(process.stdout.readline())
        yield re.match(r"http://\S+", said[-1])[0], said
    finally:
        process.send_signal(signal.SIGINT)
        said += process.communicate(timeout=60)[0].splitlines(keepends=True)
        assert process.returncode == 0


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (375, True)])
def test_by_keyboard_alone_in_a_real_browser(free_port, tmp_path, width, dark):
    with browser(tmp_path / "profile") as chromium, command(free_port, "Ada") as (address, said):
        page = chromium.open(address, width=width, height=800, dark=dark)

        def view(path):
            page.wait_for(f"!document.getElementById('item').hidden && {VIEW} === '{path}'")

        view("train/1.png")
        page.press("r")  # the suggestion
        view("train/4.png")
        page.press("s")
        view("train/7.png")
        page.press("d")
        view("train/2.png")
        page.press("1")  # the first class, ant
        page.wait_for("document.activeElement.id === 'again'")
        page.press("u")
        view("train/2.png")
        page.press("l", *"co", "Enter")  # cow, which it is: kept
        page.wait_for("document.activeElement.id === 'again'")
        page.press("Enter")
        view("train/4.png")
        page.wait_for("document.querySelectorAll('#near img').length && !document.getElementById('heat').hidden")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # Somebody else decides about the picture in view.
        theirs = decide("mine", ("train/4.png", "bee"), made("drop", "", "Bob"), None)
        page.press("k")
        assert "dropped by Bob" in page.wait_for("document.getElementById('trouble').textContent")
        assert decisions.read("mine")["train/4.png"] == theirs
        page.press("k")
        page.wait_for("!document.getElementById('end').hidden")
        assert "dvc repro" in page.evaluate("document.getElementById('end').innerText")
        assert page.errors == []
        assert {request.partition("://")[2].partition("/")[0] for request in page.requests if "://" in request} == {
            f"127.0.0.1:{free_port}"
        }
    assert {path: (one.kind, one.label, one.who) for path, one in decisions.read("mine").items()} == {
        "train/1.png": ("relabel", "cow", "Ada"),
        "train/7.png": ("drop", "", "Ada"),
        "train/2.png": ("keep", "cow", "Ada"),
        "train/4.png": ("keep", "bee", "Ada"),
    }
    assert said[-1].startswith("next: dvc repro, then darkroom summary --against HEAD")


@pytest.mark.slow
@needs_chromium
def test_two_commands_see_what_the_other_decides(free_port, tmp_path):
    with browser(tmp_path / "profile") as chromium, command(free_port, "Ada") as (address, _):
        page = chromium.open(address)
        page.wait_for(f"{VIEW} === 'train/1.png'")
        decide("mine", ("train/4.png", "bee"), made("relabel", "ant", "Bob"), None)
        page.wait_for("document.getElementById('progress').value === 1")
        page.press("k")
        page.wait_for(f"{VIEW} === 'train/7.png'")  # Bob's is passed over
        assert page.errors == []
    assert len(decisions.read("mine")) == 2
