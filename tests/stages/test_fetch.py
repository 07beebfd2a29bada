import hashlib
import json

import pytest

from darkroom.base import paths
from darkroom.base.errors import UserError
from stages import entry, fetch
from tests import make
from tests.web import file, serve

ARCHIVE = make.zip_of({"train/a/1.png": make.picture(1)})
DIGEST = hashlib.sha256(ARCHIVE).hexdigest()


def run():
    entry.main()
    fetch.main()


def names():
    return sorted(path.name for path in paths.RAW.iterdir())


def source():
    return json.loads(paths.SOURCE.read_text(encoding="utf-8"))


def test_the_bundled_digits_need_nothing(project, capsys):
    run()
    assert names() == ["digits.zip", "source.json"]
    found = source()
    content = (paths.RAW / "digits.zip").read_bytes()
    assert found["archive"] == "digits.zip"
    assert found["origin"] == "bundled: scikit-learn"
    assert found["sha256"] == hashlib.sha256(content).hexdigest()
    assert found["bytes"] == len(content)
    assert capsys.readouterr().out.endswith("MB) and data/raw/source.json\nnext: dvc repro extract\n")


def test_the_same_bytes_each_time(project):
    run()
    first = {name: (paths.RAW / name).read_bytes() for name in names()}
    run()
    assert {name: (paths.RAW / name).read_bytes() for name in names()} == first


def test_an_entry_with_a_path(project):
    (project.folder / "a.zip").write_bytes(ARCHIVE)
    project.add(path="a.zip", title="Mine", license="CC0", sha256=DIGEST)
    run()
    assert source() == {
        "archive": "a.zip",
        "origin": "file: a.zip",
        "sha256": DIGEST,
        "bytes": len(ARCHIVE),
    }


def test_an_entry_with_an_address(project):
    with serve(file(ARCHIVE)) as server:
        project.add(url=f"{server.url}/a.tar.gz", sha256=DIGEST)
        run()
    assert source()["origin"] == f"url: {server.url}/a.tar.gz"
    assert names() == ["a.tar.gz", "source.json"]


def test_the_name_of_the_users_folder_is_not_written_down(project):
    """source.json is part of what DVC hashes: it must be the same on every machine."""
    project.add(path="x")
    project.archive(ARCHIVE)
    run()
    assert str(project.folder) not in paths.SOURCE.read_text(encoding="utf-8")


def test_an_archive_named_in_the_parameters_wins_over_the_source(project):
    project.add(kaggle="owner/set", sha256="0" * 64)
    project.archive(ARCHIVE, "other.zip")
    run()
    assert names() == ["other.zip", "source.json"]
    assert source()["origin"] == "file: other.zip"


def test_an_archive_that_was_named_for_another_entry_is_left_alone(project):
    project.add(kaggle="owner/set")
    project.archive(ARCHIVE, "other.zip")
    project.set(dataset="digits")
    run()
    assert names() == ["digits.zip", "source.json"]


def test_a_source_that_is_missing_leaves_what_was_there(project):
    run()
    project.use(project.folder / "nowhere.zip")
    with pytest.raises(UserError, match="there is no file or folder"):
        run()
    assert names() == ["digits.zip", "source.json"]


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("data/raw/mine.zip", "lies in data/raw, which DVC"),
        ("data/raw", "lies in data/raw"),
        ("data", "holds data/raw"),
    ],
)
def test_an_archive_in_the_folder_of_this_stage_is_refused_and_stays(project, named, says):
    paths.RAW.mkdir(parents=True)
    (paths.RAW / "mine.zip").write_bytes(ARCHIVE)
    project.use(project.folder / named)
    with pytest.raises(UserError, match=says):
        run()
    assert (paths.RAW / "mine.zip").read_bytes() == ARCHIVE
