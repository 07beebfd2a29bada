import io
import sys

import pytest

from darkroom.base.errors import UserError
from darkroom.tools import find_pictures


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name in ("a.png", "b.JPG", "notes.txt", "sub/c.png", "sub/.hidden/d.png", ".e.png", "sub/deep/f.webp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*named):
    skipped = []
    return list(find_pictures.find(named, skipped)), skipped


def test_files_come_as_they_are_named(tree):
    assert found("notes.txt", "b.JPG", "nothing.png") == (["notes.txt", "b.JPG", "nothing.png"], [])


def test_folders_are_walked_and_what_is_no_picture_is_told(tree):
    names, skipped = found(".")
    assert names == ["./a.png", "./b.JPG", "./sub/c.png", "./sub/deep/f.webp"]
    assert sorted(skipped) == ["./.e.png", "./notes.txt"]


def test_patterns(tree):
    assert found("*.png")[0] == ["a.png"]
    assert found("**/*.png")[0] == ["a.png", "sub/c.png"]
    assert found("[ab].*") == (["a.png", "b.JPG"], [])
    assert found("n*") == ([], ["notes.txt"])
    assert found("s*")[0] == ["sub/c.png", "sub/deep/f.webp"]
    with pytest.raises(UserError, match=r"no file matches x\*\.png"):
        found("x*.png")


def test_a_file_whose_name_looks_like_a_pattern(tree):
    (tree / "a[1].png").write_bytes(b"x")
    assert found("a[1].png")[0] == ["a[1].png"]


def test_standard_input_is_one_picture(tree, monkeypatch):
    assert found("-", "a.png", "-")[0] == ["-", "a.png"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\x89bytes")))
    assert find_pictures.content("-") == b"\x89bytes"
    assert find_pictures.content("a.png") == "a.png"


def test_an_empty_name_is_not_the_folder_one_is_in(tree):
    with pytest.raises(UserError, match="an empty name is no picture"):
        found("a.png", "")


@pytest.mark.parametrize("address", ["https://example.org/cat.jpg", "HTTP://a/b", "s3://bucket/x.png", "file:///a.png"])
def test_an_address_is_answered_by_what_to_do(tree, address):
    with pytest.raises(UserError, match="is an address, and pictures are read from files alone: `curl -LO"):
        found("a.png", address)


def test_batches_keep_the_order_and_take_no_more_than_they_need():
    taken = []
    numbers = (taken.append(number) or number for number in range(7))
    parts = find_pictures.batches(numbers, 3)
    assert next(parts) == [0, 1, 2]
    assert taken == [0, 1, 2]
    assert list(parts) == [[3, 4, 5], [6]]
