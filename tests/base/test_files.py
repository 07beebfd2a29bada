import errno
import hashlib
import os
import subprocess
import sys

import pandas as pd
import pytest

from darkroom.base import files


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_its_place_when_it_is_whole(tmp_path):
    path = tmp_path / "deep" / "down" / "a.txt"
    with files.replacing(path) as partial:
        partial.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert names(path.parent) == ["a.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write():
        with files.replacing(path) as partial:
            partial.write_text("new")
            raise KeyError

    with pytest.raises(KeyError):
        write()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_an_error_leaves_the_old_folder_and_nothing_else(tmp_path):
    path = tmp_path / "out"
    path.mkdir()
    (path / "old").touch()

    def write():
        with files.replacing_folder(path) as partial:
            (partial / "new").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert names(path) == ["old"]
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), ValueError("I/O error: No space left (os error 28)")]
)
def test_a_full_disk_is_told_with_the_name_of_the_file(tmp_path, error):
    def write():
        with files.replacing(tmp_path / "a.txt"):
            raise error

    with pytest.raises(OSError, match=r"No space left on device.*a\.txt") as caught:
        write()
    assert caught.value.errno == errno.ENOSPC
    assert names(tmp_path) == []


def test_safetensors_on_a_file_that_may_not_grow_ends_in_an_error_of_the_system(tmp_path):
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "import numpy, sys; from pathlib import Path; from safetensors.numpy import save_file\n"
        "from darkroom.base.console import run; from darkroom.base.files import replacing\n"
        "def main():\n"
        "    with replacing(Path(sys.argv[1])) as partial:\n"
        "        save_file({'a': numpy.zeros(1000)}, partial)\n"
        "run(main)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.stderr.startswith(f"error: {tmp_path / 'a'} is larger than a file may be here")
    assert (ended.returncode, names(tmp_path)) == (1, [])


def test_two_processes_that_write_the_same_do_not_meet(tmp_path):
    code = "import sys, pathlib; from darkroom.base import files; files.write_text(pathlib.Path(sys.argv[1]), 'b')"
    with files.replacing(tmp_path / "a.txt") as ours:
        ours.write_text("a")
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.txt")], check=True)
        assert (tmp_path / "a.txt").read_text() == "b"
        assert ours.read_text() == "a"
    assert (tmp_path / "a.txt").read_text() == "a"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("stray", ["file", "folder"])
@pytest.mark.parametrize("name", [".out.partial", f".out.{2**22 + 1}.partial"])  # above the highest process number
def test_what_a_killed_run_left_is_removed(tmp_path, stray, name):
    left = tmp_path / name
    if stray == "file":
        left.write_text("half")
    else:
        (left / "deep").mkdir(parents=True)
        (left / "deep" / "half").touch()
    with files.replacing_folder(tmp_path / "out") as partial:
        assert names(partial) == []
        (partial / "new").touch()
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["new"]
    with files.replacing(tmp_path / "a.txt") as partial:
        partial.write_text("new")
    assert names(tmp_path) == ["a.txt", "out"]


def test_a_folder_replaces_a_folder_with_all_its_files(tmp_path):
    path = tmp_path / "out"
    (path / "deep").mkdir(parents=True)
    (path / "deep" / "old").touch()
    with files.replacing_folder(path) as partial:
        (partial / "new").touch()
    assert names(path) == ["new"]


def test_a_folder_replaces_a_file(tmp_path):
    (tmp_path / "out").touch()
    with files.replacing_folder(tmp_path / "out") as partial:
        (partial / "new").touch()
    assert names(tmp_path / "out") == ["new"]


def test_a_link_at_the_temporary_name_is_not_followed(tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    (tmp_path / f".out.{os.getpid()}.partial").symlink_to(precious)
    with files.replacing_folder(tmp_path / "out") as partial:
        (partial / "new").touch()
    assert names(precious) == ["file"]
    assert names(tmp_path / "out") == ["new"]


def test_two_files_of_one_folder_do_not_meet(tmp_path):
    with files.replacing(tmp_path / "a") as first, files.replacing(tmp_path / "b") as second:
        first.write_text("1")
        second.write_text("2")
    assert (tmp_path / "a").read_text() == "1"
    assert (tmp_path / "b").read_text() == "2"


def test_text_is_utf8_with_unix_line_ends(tmp_path):
    files.write_text(tmp_path / "a", "é\nü\n")
    assert (tmp_path / "a").read_bytes() == "é\nü\n".encode()


def test_json_keeps_order_and_letters_and_is_read_back(tmp_path):
    content = {"b": [1, 2.5, None], "a": {"ü": True}}
    files.write_json(tmp_path / "a.json", content)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert text.index('"b"') < text.index('"a"')
    assert "ü" in text
    assert files.read_json(tmp_path / "a.json") == content


def test_json_that_cannot_be_written_leaves_the_old_one(tmp_path):
    files.write_json(tmp_path / "a.json", 1)
    with pytest.raises(TypeError):
        files.write_json(tmp_path / "a.json", {1, 2})
    assert files.read_json(tmp_path / "a.json") == 1
    assert names(tmp_path) == ["a.json"]


def test_tables_are_read_back(tmp_path):
    table = pd.DataFrame({"name": ["a,b", 'c"d', "é\nf"], "count": [1, 2, 3]})
    files.write_csv(tmp_path / "a.csv", table)
    files.write_parquet(tmp_path / "a.parquet", table)
    assert b"\r" not in (tmp_path / "a.csv").read_bytes()
    assert pd.read_csv(tmp_path / "a.csv").equals(table)
    assert pd.read_parquet(tmp_path / "a.parquet").equals(table)


def test_equal_tables_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        files.write_parquet(tmp_path / name, pd.DataFrame({"row": range(1000), "split": ["train"] * 1000}))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_hashes_of_a_file(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(content)
    assert files.sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()
    assert files.md5(tmp_path / "a") == hashlib.md5(content).hexdigest()


def test_a_carriage_return_in_a_name_makes_no_second_line(tmp_path):
    table = pd.DataFrame({"path": ["a\rb", "c"], "count": [1, 2]})
    files.write_csv(tmp_path / "table.csv", table)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "table.csv"), table)


def test_the_fingerprint_follows_from_facts_and_files(tmp_path):
    inputs = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for file in inputs:
        file.write_text(file.name)
    facts = {"lr": 0.1, "layers": [1, 2], "name": "cnn"}
    first = files.fingerprint(facts, inputs)
    assert first == files.fingerprint(dict(reversed(facts.items())), iter(inputs[::-1]))
    others = [files.fingerprint(facts | {"lr": 0.2}, inputs), files.fingerprint(facts | {"layers": [2, 1]}, inputs)]
    others += [files.fingerprint(facts | {"more": None}, inputs)]
    others += [files.fingerprint(facts, inputs[:1]), files.fingerprint(facts, [])]
    inputs[1].write_text("b.txt ")
    others.append(files.fingerprint(facts, inputs))
    inputs[1].write_text("b.txt")
    assert first == files.fingerprint(facts, inputs)
    inputs[1].rename(tmp_path / "c.txt")
    others.append(files.fingerprint(facts, [inputs[0], tmp_path / "c.txt"]))
    assert len({first, *others}) == len(others) + 1
    assert first.isalnum()
