"""What a step takes in memory: counted without data, and tried."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from darkroom.training import step_memory
from tests.ddp import CPU, settings

SHAPE = (8, 8, 1)
pytestmark = pytest.mark.usefixtures("one_thread")


def network():
    body = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten())
    return nn.Sequential(body, nn.Dropout(0.5), nn.Linear(16 * 64, 10))


def test_a_layer_is_counted_to_the_byte():
    """The gradients of weights at least, and a few copies of images and logits at most."""
    linear = nn.Sequential(nn.Flatten(), nn.Linear(64, 1000))
    found = step_memory.counted(linear, SHAPE, 2)
    weights = 4 * (64 * 1000 + 1000)
    images, logits = 4 * 2 * 64, 4 * 2 * 1000
    assert weights + images + logits <= found <= weights + 3 * images + 4 * logits


def test_twice_as_many_images_take_nearly_twice_as_much():
    small, large = (step_memory.counted(network(), SHAPE, count) for count in (100, 200))
    assert 1.8 * small < large < 2.0 * small


def test_nothing_of_the_network_is_changed_by_counting():
    there = network()
    there[0].requires_grad_(False).eval()
    before = {name: value.clone() for name, value in there.state_dict().items()}
    random = torch.get_rng_state()
    step_memory.counted(there, SHAPE, 1000)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(before[name], value) for name, value in there.state_dict().items())
    assert [one.grad for one in there.parameters()] == [None] * 6
    assert (there[0].training, there[0][0].weight.requires_grad, there[2].weight.requires_grad) == (False, False, True)


def test_a_step_on_a_cpu_is_read_off_the_size_of_the_process(monkeypatch):
    sizes = iter([7_000, 19_000])
    memory = SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=next(sizes)))
    monkeypatch.setattr(step_memory.psutil, "Process", lambda: memory)
    assert step_memory.on_cpu(network(), SHAPE, 4) == 12_000


@pytest.fixture
def gpu(monkeypatch):
    """A GPU of which PyTorch says that 1,000 bytes were taken before a step, and 5,000 at most in it."""
    given_back = []
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 1000)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 5000)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(1))
    return given_back


def test_a_step_on_a_gpu_is_what_pytorch_counts_there(gpu):
    assert step_memory.on_gpu(network(), settings(), SHAPE, 4, CPU) == 4000
    assert gpu == [1]


def test_a_step_that_a_gpu_has_no_memory_for(gpu, monkeypatch):
    def short(*work):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(step_memory, "_pass", short)
    assert step_memory.on_gpu(network(), settings(), SHAPE, 4, CPU) is None
    assert gpu == [1]
