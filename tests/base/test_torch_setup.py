import sys
from types import SimpleNamespace

import torch

from darkroom.base import torch_setup


def test_a_gpu_takes_the_same_kernels_in_every_run(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setattr(torch_setup, "keep_memory", lambda: None)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    found = torch_setup.torch_for(threads=torch.get_num_threads(), portable=False)
    assert (found.backends.cudnn.benchmark, found.backends.cudnn.deterministic) == (False, True)


def test_memory_is_given_back_where_the_c_library_can(monkeypatch):
    asked = []
    for libc in (SimpleNamespace(malloc_trim=asked.append), SimpleNamespace()):
        monkeypatch.setattr(torch_setup.ctypes, "CDLL", lambda name, libc=libc: libc)
        torch_setup.give_back_memory()
    assert asked == ([0] if sys.platform == "linux" else [])
