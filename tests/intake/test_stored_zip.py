import io
import shutil
import stat
import zipfile

import pytest

from darkroom.intake.stored_zip import pack
from tests.intake.fetched import refusal


def test_the_files_stand_under_their_names_in_the_given_order(tmp_path):
    (tmp_path / "one").write_bytes(b"1")
    (tmp_path / "two").write_bytes(b"")
    assert pack([("z/ü.png", tmp_path / "one"), ("a.png", tmp_path / "two")], tmp_path / "a.zip", "set") == []
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        assert [(one.filename, one.date_time, one.compress_type) for one in packed.infolist()] == [
            ("z/ü.png", (1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED),
            ("a.png", (1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED),
        ]
        assert packed.read("z/ü.png") == b"1"


def test_a_link_to_nothing_is_packed_as_one_without_its_target(tmp_path):
    (tmp_path / "link").symlink_to("/nowhere/secret")
    assert pack([("a/link", tmp_path / "link")], tmp_path / "a.zip", "set") == ["a/link"]
    content = (tmp_path / "a.zip").read_bytes()
    assert b"nowhere" not in content
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        assert stat.S_ISLNK(packed.getinfo("a/link").external_attr >> 16)


def test_a_disk_without_room_is_told_before_a_byte_is_written(tmp_path, monkeypatch):
    (tmp_path / "one").write_bytes(b"12345678")
    usage = shutil.disk_usage(tmp_path)._replace(free=15)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    sentence = refusal(lambda: pack([("a", tmp_path / "one"), ("b", tmp_path / "one")], tmp_path / "a.zip", "set"))
    assert sentence.startswith("the archive of set takes 0.0 MB, and the disk of ")
    assert not (tmp_path / "a.zip").exists()


def test_nothing_is_left_where_a_file_goes_away(tmp_path):
    (tmp_path / "one").write_bytes(b"1")
    with pytest.raises(FileNotFoundError):
        pack([("a", tmp_path / "one"), ("b", tmp_path / "gone")], tmp_path / "a.zip", "set")
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
