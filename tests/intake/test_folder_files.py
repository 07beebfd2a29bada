import pytest

from darkroom.base.errors import UserError
from darkroom.intake import folder_files
from darkroom.intake.archive import File, Limits
from tests import make


@pytest.fixture
def folder(tmp_path):
    """A folder with a file, an archive, links to a folder, to nothing, and to itself."""
    for place, content in {"set/b/1.png": b"1", "set/a.zip": make.zip_of({"2.png": b"2"}), "far/3.png": b"3"}.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(content)
    for name, target in {"far": "../far", "gone.png": "nowhere", "self.png": "self.png"}.items():
        (tmp_path / "set" / name).symlink_to(target)
    return tmp_path / "set"


def found(folder, wanted=lambda path: True):
    return list(folder_files.files(folder, wanted=wanted, may_hold=lambda inner: True, limits=Limits()))


def test_files_lie_where_the_archive_of_the_folder_has_them(folder):
    files = [(one.path, one.read()) for one in found(folder) if not one.link]
    assert files == [("a/2.png", b"2"), ("b/1.png", b"1"), ("far/3.png", b"3")]
    assert [one.path for one in found(folder) if one.link] == ["gone.png", "self.png"]
    assert [one.path for one in found(folder / "a.zip")] == ["2.png"]


def test_a_container_gives_its_pictures_under_its_own_path(folder):
    def inside(path):
        return lambda stream, budget: iter([File(f"{path}#0", 1, stream.read)])

    files = found(folder, lambda path: inside(path) if path[0] != "f" else False)
    assert [(one.path, one.link) for one in files if not one.link] == [("a/2.png#0", False), ("b/1.png#0", False)]


def test_a_folder_in_itself_is_refused(folder):
    (folder / "b" / "all").symlink_to(folder)
    with pytest.raises(UserError, match="in which it lies itself"):
        found(folder)
