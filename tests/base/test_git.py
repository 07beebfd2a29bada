import subprocess

import pytest

from darkroom.base import git
from tests import make


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    subprocess.run(["git", "init", "-q"], check=True)
    return tmp_path


def test_without_a_commit_there_is_none(repository):
    assert git.commit() == ""
    said = make.refusal(lambda: git.output("rev-parse", "HEAD"))
    assert said.startswith("rev-parse HEAD fails (")
    assert make.is_one_line(said)


def test_what_git_prints(repository):
    identity = ["-c", "user.name=one", "-c", "user.email=a@b.c"]
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "start"], check=True)
    assert len(git.commit()) == 40
    assert git.output("log", "--format=%s") == git.output_if_any("log", "--format=%s") == "start"
    # The state of the first file begins with a space, which is part of it.
    (repository / "a").write_text("")
    subprocess.run(["git", "add", "--intent-to-add", "a"], check=True)
    assert git.output("status", "--porcelain") == " A a"
    assert git.output_if_any("no-such-command") == ""


def test_without_git_it_is_said_or_nothing_is(repository, monkeypatch):
    monkeypatch.setenv("PATH", str(repository))
    assert make.refusal(lambda: git.output("status")) == "git is not installed, or not on PATH: install it"
    assert git.commit() == git.output_if_any("status") == ""


def test_contents_of_files_are_read_in_one_go(repository):
    for name, content in (("a", b"one\ntwo"), ("b", b""), ("c", b"\xff missing\n")):
        (repository / name).write_bytes(content)
    subprocess.run(["git", "add", "."], check=True)
    identity = ["-c", "user.name=one", "-c", "user.email=a@b.c"]
    subprocess.run(["git", *identity, "commit", "-q", "-m", "start"], check=True)
    wanted = ["HEAD:./a", "HEAD:./none", "HEAD:./b", "nowhere:./a", "HEAD:./c"]
    assert list(git.contents(wanted)) == [b"one\ntwo", None, b"", None, b"\xff missing\n"]
