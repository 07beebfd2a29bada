import itertools
import threading
import tracemalloc
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from darkroom.dataset import packed
from darkroom.training import batches
from darkroom.training.batches import Batches, balanced, free_memory, of_splits, shuffled

CPU = torch.device("cpu")
SHAPE = (4, 5, 3)  # 60 bytes


def pictures(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


def split(images, rows, *, share=0.0):
    return Batches(images, rows, np.arange(len(rows)) % 3, CPU, memory_share=share)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def on_disk(folder, images):
    np.save(folder / "images.npy", images)
    return np.load(folder / "images.npy", mmap_mode="r")


@pytest.fixture
def small(monkeypatch):
    """Sizes at which a few hundred small images are a large set."""
    for name, images in {"WHOLE": 20, "BLOCK": 8, "MIX": 40, "WINDOW": 32, "GAP": 3}.items():
        monkeypatch.setattr(batches, f"{name}_BYTES", images * 60)


@pytest.mark.parametrize("share", [0.0, 1.0])
@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("size", [1, 7, 31, 300])
def test_images_come_in_the_order_that_is_asked_for(small, tmp_path, share, mapped, size):
    images = pictures(200)
    rows = np.sort(np.random.default_rng(1).choice(200, 150, replace=False))
    data = split(on_disk(tmp_path, images) if mapped else images, rows, share=share)
    assert data.resident == (share == 1)
    assert len(data) == 150
    for order in (torch.arange(150), torch.randperm(150), torch.randint(150, (150,))):
        parts = torch.split(order, size)
        found = list(data.read(parts))
        assert [len(part) for part in found] == [len(part) for part in parts]
        assert {part.dtype for part in found} == {torch.uint8}
        assert np.array_equal(torch.cat(found).numpy(), images[rows[order.numpy()]])
    assert data.labels.tolist() == (np.arange(150) % 3).tolist()


@given(st.lists(st.lists(st.integers(0, 59), max_size=9), max_size=12), st.sampled_from([1, 60, 200, 10_000]))
def test_any_parts_can_be_read_from_disk(parts, window):
    images, rows = pictures(90), np.arange(0, 90, 3).repeat(2) + np.tile([0, 1], 30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "WINDOW_BYTES", window)
        patch.setattr(batches, "GAP_BYTES", window // 4)
        found = list(split(images, rows).read([torch.tensor(part, dtype=torch.int64) for part in parts]))
    assert [part.numpy().tolist() for part in found] == [images[rows[part]].tolist() for part in parts]


@given(st.integers(1, 700), st.sampled_from([1, 60, 10_000_000]))
def test_a_random_order_holds_every_position_once(count, image_bytes):
    with pytest.MonkeyPatch.context() as patch:
        for name, size in {"WHOLE": 6000, "BLOCK": 480, "MIX": 2400}.items():
            patch.setattr(batches, f"{name}_BYTES", size)
        order = shuffled(count, image_bytes, generator())
        assert order.dtype == torch.int64
        assert order.sort().values.tolist() == list(range(count))
        assert torch.equal(order, shuffled(count, image_bytes, generator()))
        assert count < 20 or not torch.equal(order, shuffled(count, image_bytes, generator(1)))


def test_large_sets_are_mixed_in_blocks_that_lie_together(small):
    order = shuffled(1000, 60, generator())
    for part in torch.split(order, 40):  # five blocks of eight
        assert len(part.div(8, rounding_mode="floor").unique()) == 5
        assert not torch.equal(part, part.sort().values)
    # A window is of two such parts at most, so of ten blocks: few pieces, and nothing of other blocks.
    data = split(pictures(1000), np.arange(1000))
    for window in data._windows(torch.split(order, 16)):
        runs = batches._runs(np.sort(torch.cat(window).numpy()), 3, 1000)
        assert len(runs) <= 16
        assert sum(run[-1] + 1 - run[0] for run in runs) <= 80


def test_small_sets_are_mixed_image_by_image():
    order = shuffled(1000, 60, generator())
    assert len(order[:40].div(8, rounding_mode="floor").unique()) > 20


def test_memory_does_not_grow_with_the_set(small, monkeypatch):
    """Pieces are cut at the size of a window, even where a window's images lie close together all over the disk."""
    read, loads, most = [], [0], [0]
    piece, load = Batches._piece, Batches._load
    monkeypatch.setattr(batches, "GAP_BYTES", 600 * 60)

    def watched_piece(self, start, stop):
        read.append(stop - start)
        return piece(self, start, stop)

    def watched_load(self, window):
        loads[0] += 1
        most[0] = max(most[0], sum(map(len, window)))
        return load(self, window)

    monkeypatch.setattr(Batches, "_piece", watched_piece)
    monkeypatch.setattr(Batches, "_load", watched_load)
    data = split(pictures(2000), np.arange(2000))
    ahead = 0
    for number, _ in enumerate(data.read(torch.split(torch.randperm(2000, generator=generator()), 16)), 1):
        ahead = max(ahead, loads[0] - (number + 1) // 2)  # two parts are a window
    assert loads[0] == 63
    assert ahead <= 1
    assert most[0] <= 32
    assert max(read) <= 32


def test_a_part_larger_than_a_window_is_read_alone(small):
    images = pictures(200)
    first, second = split(images, np.arange(200)).read([torch.arange(100), torch.arange(100, 200)])
    assert np.array_equal(torch.cat([first, second]).numpy(), images)


def test_reading_can_be_given_up(small):
    before = threading.active_count()
    data = split(pictures(400), np.arange(400))
    for taken in (0, 1, 5):
        source = data.read(torch.split(torch.arange(400), 16))
        assert len(list(itertools.islice(source, taken))) == taken
        source.close()
    assert threading.active_count() == before


def test_what_goes_wrong_while_reading_ahead_is_raised(small, tmp_path):
    data = split(on_disk(tmp_path, pictures(400)), np.arange(400))
    (tmp_path / "images.npy").unlink()
    with pytest.raises(FileNotFoundError):
        list(data.read(torch.split(torch.arange(400), 16)))


def test_balanced_draws_each_class_equally_often():
    labels = torch.tensor([0] * 900 + [2] * 90 + [5] * 10)[torch.randperm(1000, generator=generator())]
    order = balanced(labels, generator())
    assert order.dtype == torch.int64
    assert len(order) == 1000
    counts = Counter(labels[order].tolist())
    assert counts.keys() == {0, 2, 5}
    assert all(abs(count - 333) < 60 for count in counts.values())
    # All images of a rare class come, and of a frequent one no image is preferred.
    assert set(order[labels[order] == 5].tolist()) == set((labels == 5).nonzero().flatten().tolist())
    assert max(Counter(order[labels[order] == 0].tolist()).values()) < 6
    assert torch.equal(order, balanced(labels, generator()))
    assert not torch.equal(order, balanced(labels, generator(1)))


@pytest.fixture
def container(tmp_path, monkeypatch):
    """A container with these limits on a machine with 1000 free bytes."""
    monkeypatch.setattr(batches, "CGROUP", tmp_path)
    monkeypatch.setattr(batches.psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))

    def write(limit, used, stat="anon 1"):
        for name, content in (("max", limit), ("current", used), ("stat", stat)):
            (tmp_path / f"memory.{name}").write_text(f"{content}\n")

    return write


def test_without_a_container_all_that_is_free_may_be_taken(container):
    assert free_memory(CPU) == 1000


@pytest.mark.parametrize(
    ("limit", "used", "free"), [("max", 700, 1000), (900, 700, 200), (5000, 700, 1000), (600, 700, 0)]
)
def test_the_limit_of_a_container_counts(container, limit, used, free):
    container(limit, used)
    assert free_memory(CPU) == free


def test_cached_files_are_free_memory(container):
    container(900, 900, "anon 500\ninactive_file 300\nactive_file 100")
    assert free_memory(CPU) == 400


@pytest.mark.parametrize(("share", "resident"), [(0.59, False), (0.6, True)])
def test_images_are_kept_where_they_fit_their_share(container, share, resident):
    assert split(pictures(10), np.arange(10), share=share).resident is resident  # 600 of 1000 bytes


@pytest.mark.parametrize(
    ("sizes", "processes", "resident"),
    [
        ((6, 4), 1, [True, True]),
        ((6, 5), 1, [True, False]),
        ((11, 4), 1, [False, True]),
        ((3, 2), 2, [True, True]),
        ((3, 3), 2, [True, False]),
    ],
)
def test_splits_share_what_is_free(container, monkeypatch, sizes, processes, resident):
    """600 of 1000 bytes for all splits of all processes together, whatever the first ones have taken meanwhile."""
    taken = []
    monkeypatch.setattr(batches.psutil, "virtual_memory", lambda: SimpleNamespace(available=1000 - sum(taken)))
    copied = batches._copied

    def counted(images, rows, device):
        taken.append(60 * len(rows) * processes)
        return copied(images, rows, device)

    monkeypatch.setattr(batches, "_copied", counted)
    images, ends = pictures(20), np.cumsum(sizes)
    rows = {"train": np.arange(ends[0]), "val": np.arange(ends[0], ends[1])}
    labels = {name: rows[name] % 3 for name in rows}
    found = of_splits(images, rows, labels, CPU, memory_share=0.6, processes=processes)
    assert [found[name].resident for name in ("train", "val")] == resident
    for name, data in found.items():
        (whole,) = data.read([torch.arange(len(data))])
        assert np.array_equal(whole.numpy(), images[rows[name]])
        assert data.labels.tolist() == labels[name].tolist()


def test_images_for_a_device_never_lie_whole_in_the_memory_of_the_host(monkeypatch):
    monkeypatch.setattr(packed, "CHUNK_BYTES", 6000)
    images, rows = pictures(20_000), np.arange(20_000)
    tracemalloc.start()
    data = Batches(images, rows, rows % 3, torch.device("meta"), memory_share=1)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert data.resident
    assert most < images.nbytes / 2
