import threading
import time

import numpy as np
import pyarrow as pa
import pytest

from darkroom.intake import decoded
from darkroom.intake.decoded import Decoded

COUNT = 5


def pixels(count=COUNT):
    return np.random.default_rng(count).integers(0, 256, (count, 4, 3, 1), dtype=np.uint8)


def result(folder):
    np.save(folder / "images.npy", pixels())
    return Decoded(
        folder / "images.npy",
        pa.table({"path": [str(row) for row in range(COUNT)], "label": pa.array([None] * COUNT, pa.string())}),
        [("a", "it is empty")],
        [("b", "a kind", 2, "b/1")],
        "folders",
        labels_are_folders=True,
        warnings=["careful"],
    )


@pytest.fixture
def decode(project):
    """Decodes, and counts how often."""

    def run(folder):
        run.calls += 1
        return result(folder)

    run.calls = 0
    return run


def folder(project):
    (found,) = [path for path in (project.folder / ".decoded").iterdir() if path.is_dir()]
    return found


def test_what_is_kept_is_what_was_decoded(decode, project, tmp_path):
    for _ in range(2):
        with decoded.kept({"a": 1}, decode) as found:
            fresh = result(tmp_path)
            assert found.table.equals(fresh.table)
            assert np.array_equal(np.load(found.pixels), pixels())
            assert (found.rejected, found.passed_over) == (fresh.rejected, fresh.passed_over)
            assert (found.labels_from, found.labels_are_folders, found.warnings) == ("folders", True, ["careful"])
    assert decode.calls == 1


def test_other_facts_decode_anew_and_one_set_is_kept(decode, project):
    for facts in ({"a": 1}, {"a": 2}, {"a": 1}):
        with decoded.kept(facts, decode):
            assert folder(project)
    assert decode.calls == 3


def test_changed_code_decodes_anew(decode, project, monkeypatch):
    with decoded.kept(1, decode):
        pass
    monkeypatch.setattr(decoded, "DECISIVE_ROOMS", ("base",))
    with decoded.kept(1, decode):
        pass
    assert decode.calls == 2


@pytest.mark.parametrize("name", ["images.npy", "index.arrow", "rest.json"])
@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(file.read_bytes()[:-9])])
def test_a_damaged_copy_is_made_anew(decode, project, name, damage):
    with decoded.kept(1, decode):
        pass
    damage(folder(project) / name)
    with decoded.kept(1, decode) as found:
        assert np.array_equal(np.load(found.pixels), pixels())
    assert decode.calls == 2


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", '{"files": 5}'])
def test_an_odd_record_is_made_anew(decode, project, content):
    with decoded.kept(1, decode):
        pass
    (folder(project) / "rest.json").write_text(content)
    with decoded.kept(1, decode) as found:
        assert found.labels_from == "folders"
    assert decode.calls == 2


def test_pixels_that_someone_wrote_to_are_made_anew(decode, project):
    """The output of the stage may be the same file."""
    with decoded.kept(1, decode) as found:
        decoded.share(found.pixels, np.arange(COUNT), project.folder / "out.npy")
    time.sleep(0.02)
    images = np.load(project.folder / "out.npy", mmap_mode="r+")
    images[2] = 7
    images.flush()
    with decoded.kept(1, decode) as found:
        assert np.array_equal(np.load(found.pixels), pixels())


def test_a_decoding_that_fails_leaves_nothing_to_be_taken_for_whole(decode, project):
    def broken(folder):
        result(folder)
        raise KeyError("broken")

    with pytest.raises(KeyError), decoded.kept(1, broken):
        pass
    assert [path.name for path in (project.folder / ".decoded").iterdir()] == ["lock"]
    with decoded.kept(1, decode):
        assert decode.calls == 1


def test_of_two_at_once_one_decodes_and_the_other_waits(project, capsys):
    begun, calls, seen = threading.Event(), [], []

    def slow(folder):
        calls.append(folder)
        begun.set()
        time.sleep(0.5)
        return result(folder)

    def other():
        begun.wait()
        with decoded.kept(1, slow) as found:
            seen.append(np.load(found.pixels))

    thread = threading.Thread(target=other)
    thread.start()
    with decoded.kept(1, slow):
        pass
    thread.join()
    assert len(calls) == 1
    assert np.array_equal(seen[0], pixels())
    assert capsys.readouterr().out == (
        "another process decodes pictures of this repository: waiting until it is done\n"
    )


# Sharing.


def test_all_pictures_are_one_file_with_the_kept_ones(tmp_path):
    np.save(tmp_path / "a.npy", pixels())
    decoded.share(tmp_path / "a.npy", np.arange(COUNT), tmp_path / "b.npy")
    assert (tmp_path / "a.npy").stat().st_ino == (tmp_path / "b.npy").stat().st_ino


def test_where_no_file_can_be_shared_it_is_copied(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError("not here")

    monkeypatch.setattr("os.link", refused)
    np.save(tmp_path / "a.npy", pixels())
    decoded.share(tmp_path / "a.npy", np.arange(COUNT), tmp_path / "b.npy")
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
    assert (tmp_path / "a.npy").stat().st_ino != (tmp_path / "b.npy").stat().st_ino


@pytest.mark.parametrize("rows", [[0, 2, 4], [3], []])
@pytest.mark.parametrize("step", [1, 30, 10**6])
def test_some_pictures_are_the_array_that_numpy_would_write(tmp_path, monkeypatch, rows, step):
    monkeypatch.setattr(decoded, "COPY_BYTES", step)
    np.save(tmp_path / "a.npy", pixels())
    decoded.share(tmp_path / "a.npy", np.array(rows, np.int64), tmp_path / "b.npy")
    np.save(tmp_path / "c.npy", pixels()[np.array(rows, np.int64)])
    assert (tmp_path / "b.npy").read_bytes() == (tmp_path / "c.npy").read_bytes()
