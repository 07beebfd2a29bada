import errno
import os
import signal

import pytest

from darkroom.base.errors import UserError
from darkroom.config.yaml_files import read_yaml
from darkroom.tools import catalogue_file
from tests.conftest import ROOT

CONTENT = {"path": "/a.zip", "train": "a", "channels": 1, "image_size": 8}
TEXT = "mine:\n  path: /a.zip  # é\n  train: a\n  channels: 1\n  image_size: 8\n"
ODD = {
    "the catalogue": (ROOT / "datasets.yaml").read_text(encoding="utf-8"),
    "empty": "",
    "only line ends": "\n\n",
    "only comments": "# mine\n#  and yours",
    "comments at the end": "a: {b: 1}\n\n  # the end\n# of it\n",
    "no final line end": "a:\n  b: 'x'   # odd",
    "Windows": "# x\r\na:\r\n  b: 1\r\n",
    "Windows, no final line end": "a:\r\n  b: 1",
    "indented": "  a:\n      b:\n      - 1\n      -   2\n  c:\n   d: 3\n",
    "anchors": "a: &x {b: 1}\nc:\n  <<: *x\n  d: *x\n",
    "odd quotes and order": 'z: {"b": \'c\', d: "\\u00e9"}\na: !!str 1\nk:   \n',
    "a text that keeps its line ends": "a:\n  b: |+\n    x\n\n\n",
    "a text": "a:\n  b: |\n    x\n   # y\n",
    "lists without indent": "a:\n  b:\n  - 1\n  - 2\n\n\n\n",
    "not a number": "a: {b: .nan}\n",
    "a mark at the start": "\ufeffa: {b: 1}\n",
    "a document": "---\na: 1\n",
}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "datasets.yaml"


@pytest.mark.parametrize("kind", ODD)
def test_every_byte_stays_and_the_entry_follows(kind, file):
    old = ODD[kind].encode()
    file.write_bytes(old)
    before = catalogue_file.entries(file)
    catalogue_file.append("mine", TEXT, CONTENT, file)
    assert file.read_bytes().startswith(old)
    assert repr(read_yaml(file)) == repr(before | {"mine": CONTENT})
    assert list(file.parent.iterdir()) == [file]
    added = file.read_bytes()[len(old) :]
    assert (b"\r" in added) == (b"\r\n" in old)
    assert added.count(b"\r") in (0, added.count(b"\n"))


@pytest.mark.parametrize(
    "content", ["{a: {b: 1}}", "a: 1\n...\n", "a:\n  b: |\n    x", "a: {b: 1}\n---\n{}\n", "{}"], ids=ascii
)
def test_a_file_after_which_nothing_can_stand_is_one_sentence(content, file):
    file.write_text(content)
    with pytest.raises(UserError):
        catalogue_file.append("mine", TEXT, CONTENT, file)
    assert file.read_text() == content
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("content", ["a: [", "a: 1\na: 2\n", "- a\n", "\t", "a: 'x", "\0"], ids=ascii)
def test_a_broken_catalogue_is_one_sentence(content, file):
    file.write_text(content)
    with pytest.raises(UserError, match=r"datasets\.yaml"):
        catalogue_file.append("mine", TEXT, CONTENT, file)
    assert file.read_text() == content


def test_text_that_is_not_utf_8_is_one_sentence(file):
    file.write_bytes(b"a: \xff\n")
    with pytest.raises(UserError, match="is not UTF-8"):
        catalogue_file.append("mine", TEXT, CONTENT, file)


def test_a_text_that_reads_otherwise_is_not_written(file):
    file.write_text("a: 1\n")
    with pytest.raises(UserError):
        catalogue_file.append("mine", TEXT, CONTENT | {"channels": 3}, file)
    assert file.read_text() == "a: 1\n"


def test_a_name_that_is_there_is_not_written_again(file):
    file.write_text(TEXT)
    with pytest.raises(UserError, match="has an entry mine already: choose another one with --name"):
        catalogue_file.append("mine", TEXT, CONTENT, file)


def test_a_file_that_is_missing_is_said(file):
    with pytest.raises(UserError, match=r"there is no .*datasets\.yaml"):
        catalogue_file.append("mine", TEXT, CONTENT, file)


def test_a_folder_in_its_place_is_an_error_of_the_system(file):
    file.mkdir()
    with pytest.raises(IsADirectoryError):
        catalogue_file.append("mine", TEXT, CONTENT, file)


def test_a_write_protected_file_stays(file):
    file.write_text("a: 1\n")
    file.chmod(0o444)
    with pytest.raises(UserError, match="is write-protected: chmod u"):
        catalogue_file.append("mine", TEXT, CONTENT, file)
    assert file.read_text() == "a: 1\n"


def test_a_link_and_the_permissions_stay(file, tmp_path_factory):
    target = tmp_path_factory.mktemp("elsewhere") / "real.yaml"
    target.write_text("a: 1\n")
    target.chmod(0o640)
    file.symlink_to(target)
    catalogue_file.append("mine", TEXT, CONTENT, file)
    assert file.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640
    assert "mine" in read_yaml(target)


def test_a_full_disk_leaves_it_whole(file, monkeypatch):
    file.write_text("a: 1\n")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        catalogue_file.append("mine", TEXT, CONTENT, file)
    assert file.read_text() == "a: 1\n"
    assert list(file.parent.iterdir()) == [file]


def test_a_process_killed_in_the_middle_leaves_it_whole(file):
    file.write_text("a: 1\n")
    if not (child := os.fork()):
        catalogue_file._holds = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        catalogue_file.append("mine", TEXT, CONTENT, file)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert len(list(file.parent.iterdir())) == 2
    assert file.read_text() == "a: 1\n"
    catalogue_file.append("mine", TEXT, CONTENT, file)  # what the killed one left is removed
    assert list(file.parent.iterdir()) == [file]
