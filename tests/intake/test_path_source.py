import io
import os
import shutil
import stat
import zipfile
from pathlib import Path

import pytest

from darkroom.intake.path_source import from_path, from_paths
from tests.intake.fetched import ARCHIVE, names, refusal


@pytest.mark.parametrize("name", ["a.zip", "a b.tar.gz", "ü.tar.xz"])
def test_an_archive_is_copied_under_its_own_name(tmp_path, folder, name):
    (tmp_path / name).write_bytes(ARCHIVE)
    copy = from_path(tmp_path / name, folder)
    assert copy == folder / name
    assert copy.read_bytes() == ARCHIVE
    assert names(folder) == [name]


def test_the_home_folder_may_be_abbreviated(tmp_path, folder, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.zip").write_bytes(ARCHIVE)
    assert from_path(Path("~/a.zip"), folder).read_bytes() == ARCHIVE


def test_a_folder_becomes_a_zip_whose_bytes_depend_on_its_files_alone(tmp_path, folder):
    files = {"b/2.png": b"2", "a/10.png": b"10", "a/9.png": b"", "A.txt": b"x", "ü/ß.png": b"3"}
    zips = []
    for parent, order in (("one", sorted(files)), ("two", sorted(files, reverse=True))):
        for number, path in enumerate(order):
            place = tmp_path / parent / "set" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(files[path])
            place.chmod(0o600 + number)
            os.utime(place, (number, number))
        zips.append(from_path(tmp_path / parent / "set", folder))
        assert zips[-1] == folder / "set.zip"
        zips[-1] = zips[-1].read_bytes()
    assert zips[0] == zips[1]
    with zipfile.ZipFile(io.BytesIO(zips[0])) as packed:
        assert {name: packed.read(name) for name in packed.namelist()} == files


def test_folders_that_are_links_belong_to_the_folder(tmp_path, folder):
    for name in ("set/cat", "dogs"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "1.png").write_bytes(name.encode())
    (tmp_path / "set" / "dog").symlink_to(tmp_path / "dogs")
    (tmp_path / "set" / "wolf").symlink_to(tmp_path / "dogs")
    with zipfile.ZipFile(from_path(tmp_path / "set", folder)) as packed:
        assert packed.namelist() == ["cat/1.png", "dog/1.png", "wolf/1.png"]
    (tmp_path / "dogs" / "all").symlink_to(tmp_path / "set")
    sentence = refusal(lambda: from_path(tmp_path / "set", folder))
    assert sentence.endswith("is a link to a folder in which it lies itself: remove it")


def test_links_that_lead_to_nothing_are_packed_as_such_and_told(tmp_path, folder, capsys):
    (tmp_path / "set" / "cat").mkdir(parents=True)
    (tmp_path / "set" / "cat" / "0.png").write_bytes(b"0")
    for number in range(1, 6):
        (tmp_path / "set" / "cat" / f"{number}.png").symlink_to(f"/nowhere/{number}.png")
    (tmp_path / "set" / "dog").symlink_to("/nowhere/dog")
    (tmp_path / "set" / "self").symlink_to("self")
    target = from_path(tmp_path / "set", folder)
    assert capsys.readouterr().out == (
        "7 links lead to nothing (cat/1.png, cat/2.png, cat/3.png, cat/4.png and 3 more): "
        "extract rejects those among the data\n"
    )
    with zipfile.ZipFile(target) as packed:
        links = [member.filename for member in packed.infolist() if stat.S_ISLNK(member.external_attr >> 16)]
        assert links == [f"cat/{number}.png" for number in range(1, 6)] + ["dog", "self"]
        assert packed.read("cat/0.png") == b"0"
    assert b"nowhere" not in target.read_bytes()


def test_folders_without_a_file_are_told(tmp_path, folder, capsys):
    for name in ("full/deep", "empty/deep", "full/gap", ".hidden", "full/.git/refs", "a\nb"):
        (tmp_path / "set" / name).mkdir(parents=True)
    (tmp_path / "set" / "full" / "deep" / "1.png").touch()
    from_path(tmp_path / "set", folder)
    assert capsys.readouterr().out == "no file in a\\nb, empty, full/gap: a folder without files becomes no class\n"
    for number in range(7):
        (tmp_path / "set" / f"empty {number}").mkdir()
    from_path(tmp_path / "set", folder)
    assert "empty 0, empty 1, empty 2 and 5 more: a" in capsys.readouterr().out
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "1.png").touch()
    from_path(tmp_path / "whole", folder)
    assert capsys.readouterr().out == ""


def test_the_working_folder_has_a_name(tmp_path, folder, monkeypatch):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "1.png").touch()
    monkeypatch.chdir(tmp_path / "set")
    assert from_path(Path(), folder).name == "set.zip"


def test_a_file_name_that_is_no_text_is_told(tmp_path, folder):
    (tmp_path / "set").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "set") + b"/\xff.png")).touch()
    sentence = refusal(lambda: from_path(tmp_path / "set", folder))
    assert "has a name that is not UTF-8: rename it" in sentence
    assert names(folder) == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nowhere.zip", "there is no file or folder"),
        ("picture.png", "is no archive: allowed are .zip, .7z, .tar, .tar.gz"),
        ("set.7z.001", "is one part of an archive: unpack the first part with `7z x`"),
        ("set.rar", "is a RAR archive, which is not read: unpack it"),
        ("empty", "holds no files"),
    ],
)
def test_what_cannot_be_fetched_is_told(tmp_path, folder, name, says):
    for one in ("picture.png", "set.7z.001", "set.rar"):
        (tmp_path / one).touch()
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    sentence = refusal(lambda: from_path(tmp_path / name, folder))
    assert says in sentence
    assert str(tmp_path / name) in sentence
    assert names(folder) == []


@pytest.mark.parametrize("name", ["a.csv", "train-images-idx3-ubyte.gz", "a.npz", "a.parquet"])
def test_a_file_of_pictures_becomes_a_zip_of_one_member(tmp_path, folder, name):
    (tmp_path / name).write_bytes(b"content")
    brought = from_path(tmp_path / name, folder)
    assert names(folder) == [f"{name}.zip"] == [brought.name]
    with zipfile.ZipFile(brought) as packed:
        assert {one: packed.read(one) for one in packed.namelist()} == {name: b"content"}


def test_a_disk_without_room_is_told_before_a_byte_is_copied(tmp_path, folder, monkeypatch):
    (tmp_path / "a.zip").write_bytes(ARCHIVE)
    usage = shutil.disk_usage(tmp_path)._replace(free=len(ARCHIVE) - 1)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    assert f"the copy of {tmp_path / 'a.zip'} takes 0.0 MB, and the disk of" in refusal(
        lambda: from_path(tmp_path / "a.zip", folder)
    )
    assert names(folder) == []


def test_several_archives_become_one(tmp_path, folder, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("train.zip", "test.tar.gz", "labels.csv"):
        (tmp_path / name).write_bytes(name.encode())
    brought = from_paths([Path("~/train.zip"), tmp_path / "labels.csv", tmp_path / "test.tar.gz"], folder)
    with zipfile.ZipFile(brought) as packed:
        assert {one: packed.read(one).decode() for one in packed.namelist()} == {
            name: name for name in ("labels.csv", "test.tar.gz", "train.zip")
        }
    assert names(folder) == ["archives.zip"]


@pytest.mark.parametrize(
    ("listed", "says"),
    [
        (["a.zip", "missing.zip"], "there is no file "),
        (["a.zip", "set.zip"], "is a folder, but a list names files"),
        (["a.zip", "deep/a.zip"], "two archives are called a.zip"),
        (["a.zip", "raw/b.zip"], "which DVC empties before the stage fetch"),
        (["a.zip", "picture.png"], "picture.png cannot be one of several archives"),
        (["a.zip", ".."], ".. cannot be one of several archives"),
    ],
)
def test_what_cannot_stand_in_a_list_is_told(tmp_path, folder, listed, says):
    (tmp_path / "a.zip").write_bytes(ARCHIVE)
    (tmp_path / "set.zip").mkdir()
    (folder / "b.zip").write_bytes(ARCHIVE)
    assert says in refusal(lambda: from_paths([folder.parent / name for name in listed], folder))
    assert names(folder) == ["b.zip"]
