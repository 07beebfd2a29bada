import hashlib
import io
import os
import pickle

import pytest
import torch

from darkroom.training import checkpoint
from darkroom.training.checkpoint import KEPT, Checkpoint

STATE = {
    "epoch": 3,
    "lowered": 0.1,
    "stopped_early": False,
    "history": [{"epoch": 1, "val_loss": 0.1 + 0.2}, {"epoch": 2, "val_loss": float("inf")}],
    "weights": {"a": torch.arange(6.0).view(2, 3), "count": torch.tensor(7)},
    "optimizer": {"state": {0: {"exp_avg": torch.ones(2, 3).to(memory_format=torch.contiguous_format)}}, "groups": []},
    "run_id": "abc",
}


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path / ".checkpoints"


def test_what_was_saved_is_loaded(root):
    first = Checkpoint("mine")
    assert first.load() is None
    first.save({"epoch": 1})
    first.save(STATE)
    del first
    found = Checkpoint("mine").load()
    for name in ("epoch", "lowered", "stopped_early", "history", "run_id"):
        assert found[name] == STATE[name]
    assert torch.equal(found["weights"]["a"], STATE["weights"]["a"])
    assert found["weights"]["count"].dtype == torch.int64
    assert torch.equal(found["optimizer"]["state"][0]["exp_avg"], torch.ones(2, 3))
    assert sorted(file.name for file in (root / "mine").iterdir()) == ["lock", "state"]


def test_strides_are_kept():
    """For the order of additions, and so the last bits, hang on them."""
    weights = torch.rand(4, 3, 5, 5).to(memory_format=torch.channels_last)
    mine = Checkpoint("mine")
    mine.save({"weights": weights})
    assert mine.load()["weights"].stride() == weights.stride()


class Bomb:
    def __reduce__(self):
        return os.mkdir, (os.environ["DVC_ROOT"] + "/exploded",)


def signed(content):
    """As `save` would write it, with the right digest."""
    return hashlib.sha256(content).digest() + content


def saved(content):
    stream = io.BytesIO()
    torch.save(content, stream)
    return signed(stream.getvalue())


DAMAGE = {
    "truncated": lambda data: data[: len(data) // 2],
    "flipped": lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:],
    "digest flipped": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "longer": lambda data: data + b"\0",
    "empty": lambda data: b"",
    "text": lambda data: b"no checkpoint\n" * 9,
    "signed text": lambda data: signed(b"no checkpoint"),
    "pickle with code": lambda data: signed(pickle.dumps({"fingerprint": "mine", "bomb": Bomb()}, 2)),
    "torch pickle with code": lambda data: saved({"fingerprint": "mine", "bomb": Bomb()}),
    "no dict": lambda data: saved([1, 2]),
    "no fingerprint": lambda data: saved({"epoch": 1}),
    "other fingerprint": lambda data: saved({"epoch": 1, "fingerprint": "other"}),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_checkpoint_is_told_and_left_alone(root, capsys, damage):
    mine = Checkpoint("mine")
    mine.save(STATE)
    file = root / "mine" / "state"
    file.write_bytes(damage(file.read_bytes()))
    assert mine.load() is None
    warning = capsys.readouterr().err
    assert warning.startswith("warning: the checkpoint")
    assert warning.count("\n") == 1
    assert str(file) in warning
    assert not (root.parent / "exploded").exists()
    mine.save(STATE)
    assert mine.load()["epoch"] == 3


def test_a_checkpoint_of_another_training_is_told(root, capsys):
    Checkpoint("other").save(STATE)
    mine = Checkpoint("mine")
    (root / "other" / "state").rename(root / "mine" / "state")
    assert mine.load() is None
    assert "of another training" in capsys.readouterr().err


def test_clear_removes_it(root):
    mine = Checkpoint("mine")
    mine.save(STATE)
    mine.clear()
    assert not (root / "mine").exists()
    assert Checkpoint("mine").load() is None


def test_while_one_trains_another_of_the_same_neither_loads_saves_nor_clears(root, capsys):
    first = Checkpoint("mine")
    first.save({"epoch": 1})
    second = Checkpoint("mine")
    assert second.load() is None
    second.save({"epoch": 9})
    second.clear()
    assert first.load()["epoch"] == 1
    assert capsys.readouterr().err == ""
    other = Checkpoint("other")
    other.save({"epoch": 5})
    assert other.load()["epoch"] == 5


def test_two_that_train_the_same_have_a_folder_each(root):
    """Whichever ends first: it takes nothing from the other, and of the second nothing stays or is taken up."""
    for order in (0, 1):
        both = [Checkpoint("mine") for _ in range(2)]
        for number, one in enumerate(both):
            (one.folder / "epochs").mkdir()
            (one.folder / "epochs" / "epoch-001").write_text(str(number))
        both[order].clear()
        last = both[1 - order]
        assert (last.folder / "epochs" / "epoch-001").read_text() == str(1 - order)
        last.clear()
        assert not list(root.iterdir())


def test_a_second_folder_in_use_is_not_tidied_up(root):
    first, second = Checkpoint("mine"), Checkpoint("mine")
    (second.folder / "epochs").mkdir()
    os.utime(second.folder / "lock", (1, 1))
    for age in range(KEPT + 1):
        made(root, f"old{age}", age)
    Checkpoint("other")
    assert (second.folder / "epochs").is_dir()
    first.clear()


def test_a_process_that_ended_leaves_its_checkpoint_to_the_next(root):
    first = Checkpoint("mine")
    first.save({"epoch": 1})
    first._lock.release()  # as the system does when a process is killed
    assert Checkpoint("mine").load()["epoch"] == 1


def test_a_save_that_fails_leaves_the_last_state(root, monkeypatch):
    mine = Checkpoint("mine")
    mine.save({"epoch": 1})
    with pytest.raises((AttributeError, pickle.PicklingError)):
        mine.save({"epoch": 2, "bad": lambda: None})
    assert mine.load()["epoch"] == 1


def made(root, name, age):
    Checkpoint(name).save({"epoch": age})
    os.utime(root / name / "lock", (10**9 - age, 10**9 - age))


def test_only_the_newest_of_those_never_taken_up_are_kept(root):
    for age in range(KEPT):
        made(root, f"old{age}", age)
    busy = Checkpoint("busy")
    busy.save({"epoch": 1})
    os.utime(root / "busy" / "lock", (1, 1))
    (root / "gpu-0.lock").touch()
    made(root, "oldest", 1000)
    Checkpoint("mine")
    kept = {folder.name for folder in root.iterdir()}
    assert {"busy", "mine", "gpu-0.lock"} <= kept
    assert "oldest" not in kept
    assert {f"old{age}" for age in range(KEPT)} <= kept
    assert busy.load()["epoch"] == 1


def test_where_the_clock_has_gone_back_the_newest_are_kept_too(root, monkeypatch):
    for number in range(KEPT + 2):
        monkeypatch.setattr(checkpoint.time, "time_ns", lambda number=number: 10**18 - number * 10**9)
        Checkpoint(f"mine{number}").save({"epoch": number})
    assert {folder.name for folder in root.iterdir()} == {f"mine{number}" for number in range(1, KEPT + 2)}


def test_a_folder_without_a_lock_is_as_old_as_itself(root):
    """What a process leaves that was killed between the two."""
    for age in range(3):
        (root / f"left{age}").mkdir(parents=True)
        os.utime(root / f"left{age}", (1000 + age, 1000 + age))
    checkpoint.remove_old(root / "mine", 2)
    assert {folder.name for folder in root.iterdir()} == {"left1", "left2"}


def test_tidying_up_stops_no_training(monkeypatch):
    def gone(ours, kept):
        raise FileNotFoundError(ours)

    monkeypatch.setattr(checkpoint, "remove_old", gone)
    mine = Checkpoint("mine")
    mine.save({"epoch": 1})
    assert mine.load()["epoch"] == 1


@pytest.mark.parametrize("content", [None, "", "[]", '{"asked": "mine"}'], ids=str)
def test_the_parts_of_a_killed_training_are_found_as_long_as_it_can_go_on(root, content):
    assert checkpoint.parts_of("mine") is None
    first = Checkpoint("a hash with 4 parts")
    first.note_parts("mine", 4)
    assert checkpoint.parts_of("mine") is None  # there is no state to go on from
    first.save(STATE)
    assert (checkpoint.parts_of("mine"), checkpoint.parts_of("another")) == (4, None)
    if content is None:
        first.clear()
    else:
        (first.folder / checkpoint.PARTS).write_text(content)
    assert checkpoint.parts_of("mine") is None
