import pytest

from darkroom.base.errors import UserError
from darkroom.intake.archive import Limits
from darkroom.tools.survey_archive import Names, contents, survey
from tests.make import picture, zip_of
from tests.tools.drafting import surveyed


def test_names_are_kept_by_folder():
    names = Names(["b/1.png", "a/2.png", "b/0.png", "top.png"])
    assert names.folders == ["", "a", "b"]
    assert names.counts.tolist() == [1, 1, 2]
    assert names.names(2) == ["1.png", "0.png"]
    assert list(names.paths()) == ["top.png", "a/2.png", "b/1.png", "b/0.png"]
    assert len(names) == 4
    assert len(Names([])) == 0


def test_pictures_tables_and_others_are_told_apart_and_hidden_files_left_out(tmp_path):
    seen = surveyed(
        tmp_path, {"a/1.png": None, "labels.csv": b"x,y\n", "a/.DS_Store": b"", "__MACOSX/a/1.png": None, "b.bin": b""}
    )
    assert list(seen.pictures.paths()) == ["a/1.png"]
    assert set(seen.others.paths()) == {"labels.csv", "b.bin"}
    assert seen.tables == {"labels.csv": b"x,y\n"}


def test_of_texts_one_for_each_picture_some_are_read(tmp_path):
    files = {f"labels/{number}.txt": b"0 1\n" for number in range(50)}
    assert len(surveyed(tmp_path, files).tables) == 20


def test_two_spellings_of_a_name_are_one(tmp_path):
    assert surveyed(tmp_path, ["cafe\u0301/1.png", "caf\u00e9/2.png"]).pictures.folders == ["caf\u00e9"]


def test_nested_archives_are_looked_into(tmp_path):
    seen = surveyed(tmp_path, {"in.zip": zip_of({"d/1.png": picture()})})
    assert list(seen.pictures.paths()) == ["in/d/1.png"]
    assert [path for path, _ in contents(seen.source, ["in/d/1.png"], Limits())] == ["in/d/1.png"]


def test_a_folder_is_as_the_archive_it_will_become(tmp_path):
    (tmp_path / "set" / "a").mkdir(parents=True)
    (tmp_path / "set" / "a" / "1.png").write_bytes(picture())
    (tmp_path / "set" / "b.zip").write_bytes(zip_of({"2.png": picture(1)}))
    seen = survey(tmp_path / "set", Limits())
    assert list(seen.pictures.paths()) == ["a/1.png", "b/2.png"]
    assert dict(contents(seen.source, ["b/2.png"], Limits())) == {"b/2.png": picture(1)}


def test_what_is_asked_of_nothing_is_nothing(tmp_path):
    assert list(contents(tmp_path / "none.zip", [], Limits())) == []


def test_a_damaged_archive_is_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK\3\4 and no more")
    with pytest.raises(UserError, match="damaged"):
        survey(tmp_path / "a.zip", Limits())
