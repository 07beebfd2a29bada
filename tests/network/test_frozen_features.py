import numpy as np
import pytest
import torch
from torch import nn

from darkroom.base import paths
from darkroom.network import frozen_features
from darkroom.network.frozen_features import FrozenBody
from darkroom.network.normalisation import normalise
from tests import make

MEAN, STD = torch.full((3, 1, 1), 100.0), torch.full((3, 1, 1), 50.0)
WIDTH = 5


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path


def body(seed=0):
    torch.manual_seed(seed)
    layers = nn.Conv2d(3, WIDTH, 3), nn.BatchNorm2d(WIDTH), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


class Counting(FrozenBody):
    """Counts the pictures that the body worked on."""

    computed = 0

    def _compute(self, hashes, images):
        self.computed += len(hashes)
        super()._compute(hashes, images)


def frozen(seed=0, part=None, std=STD):
    return Counting(body(seed), MEAN, std, part, WIDTH)


def pictures(count=7, side=6):
    return torch.from_numpy(np.stack([make.pixels(side, side, 3, seed) for seed in range(count)]))


def test_features_are_what_the_body_makes():
    network = body().eval()
    with torch.no_grad():
        expected = network(normalise(pictures(), MEAN, STD)).numpy()
    found = frozen()(pictures())
    assert found.dtype == np.float32
    assert np.allclose(found, expected, atol=1e-6)


def test_a_picture_is_computed_once_however_often_and_wherever_it_comes():
    known = frozen()
    known(pictures())
    known(pictures().flip(0))
    known(torch.cat([pictures(), pictures()]))
    assert known.computed == 7


def test_the_bytes_do_not_depend_on_what_is_known_already():
    alone, count = frozen()(pictures(70)), 70
    known = frozen()
    order = torch.randperm(count, generator=torch.Generator().manual_seed(1))
    for part in torch.split(order, 9):
        known(pictures(count)[part])
    assert known(pictures(count)).tobytes() == alone.tobytes()


def test_kept_features_are_taken_by_the_next(root):
    first = frozen()
    expected = first(pictures())
    first.keep()
    second = frozen()
    assert second(pictures()).tobytes() == expected.tobytes()
    assert second.computed == 0
    second.keep()  # nothing is new
    assert len(list((root / ".features").rglob("*.features.npy"))) == 1


@pytest.mark.parametrize("changed", [{"seed": 1}, {"std": STD + 1}])
def test_another_body_or_another_deviation_shares_nothing(changed):
    first = frozen()
    first(pictures())
    first.keep()
    other = frozen(**changed)
    other(pictures())
    assert other.computed == 7


def test_the_body_sees_the_middle_of_a_larger_picture():
    assert np.array_equal(frozen(part=(4, 4))(pictures()), frozen()(pictures()[:, 1:5, 1:5]))


def test_a_damaged_file_is_made_again(root):
    first = frozen()
    expected = first(pictures())
    first.keep()
    [file] = (root / ".features").rglob("*.features.npy")
    file.write_bytes(file.read_bytes()[:-3])
    second = frozen()
    assert second(pictures()).tobytes() == expected.tobytes()
    assert second.computed == 7
    second.keep()
    assert frozen()(pictures()).tobytes() == expected.tobytes()


def test_beyond_the_limit_the_body_that_was_not_asked_for_longest_goes(monkeypatch, root):
    for seed in range(3):
        known = frozen(seed)
        known(pictures())
        known.keep()
    each = sum(file.stat().st_size for file in (root / ".features").rglob("*.npy")) // 3
    frozen(0)  # is asked for again
    monkeypatch.setattr(paths, "FEATURES_LIMIT", 3 * each)
    last = frozen(3)
    last(pictures())
    last.keep()
    kept = [frozen(seed) for seed in range(4)]
    for known in kept:
        known(pictures())
    assert [known.computed for known in kept] == [0, 7, 0, 0]


def test_what_is_larger_than_the_limit_is_not_kept(monkeypatch, root):
    monkeypatch.setattr(paths, "FEATURES_LIMIT", 10)
    known = frozen()
    known(pictures())
    known.keep()
    assert not (root / ".features").exists()


def test_an_old_piece_of_the_same_body_goes_too(monkeypatch, root):
    known = frozen()
    for start in range(0, 40, 10):
        known(pictures(40)[start : start + 10])
        known.keep()
        each = sum(file.stat().st_size for file in (root / ".features").rglob("*.npy"))
        if not start:
            monkeypatch.setattr(paths, "FEATURES_LIMIT", 2 * each)
    assert each <= paths.FEATURES_LIMIT
    again = frozen()
    again(pictures(40))
    assert again.computed == 20


def test_a_disk_without_room_is_told_once_and_loses_nothing(monkeypatch, capsys):
    monkeypatch.setattr(frozen_features, "FREE_SHARE", 0)
    known = frozen()
    expected = known(pictures(5))
    known.keep()
    assert known(pictures(5)).tobytes() == expected.tobytes()
    known(pictures())
    known.keep()
    assert capsys.readouterr().out.count("features are not kept") == 1


def test_pictures_of_equal_bytes_and_another_shape_are_others():
    flat = torch.zeros(1, 4, 16, 3, dtype=torch.uint8)
    known = frozen()
    known(flat)
    known(flat.reshape(1, 8, 8, 3))
    assert known.computed == 2


def test_no_picture_has_no_features():
    assert frozen()(pictures()[:0]).shape == (0, WIDTH)
